"""The commands of the README, as a user types them: real processes, the real extractor, a tiny catalogue."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import rakuten_assets

pytestmark = pytest.mark.slow

PROJECT = Path(rakuten_assets.__file__).parents[1]
TRAIN_ROWS, TEST_ROWS = 81, 20
PUBLISHED = [
    "augmentation_gallery.png",
    "evaluation_efficientnet_lite0",
    "index.parquet",
    "integrity_report",
    "manifest.json",
    "metadata.json",
    "metadata_efficientnet_b0.json",
    "metadata_efficientnet_lite0.json",
    "test_features_efficientnet_b0.npy",
    "test_features_efficientnet_lite0.npy",
    "test_valid.npy",
    "train_features_efficientnet_b0.npy",
    "train_features_efficientnet_lite0.npy",
    "train_labels.npy",
    "train_valid.npy",
]


@dataclass(frozen=True)
class Terminal:
    """A shell in a folder: its own storage, its own Dagster home with the settings that the project ships."""

    folder: Path
    shards: int = 2
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a program of this Python's environment; returns all that it prints."""
        home = self.folder / "dagster_home"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / ".dagster" / "dagster.yaml", home)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RAKUTEN_")}
        environment = clean | {
            "DAGSTER_HOME": str(home),
            "RAKUTEN_STORAGE": str(self.storage),
            "RAKUTEN_SHARDS": str(self.shards),
            "RAKUTEN_SYNTHETIC_TRAIN_ROWS": str(TRAIN_ROWS),
            "RAKUTEN_SYNTHETIC_TEST_ROWS": str(TEST_ROWS),
            "RAKUTEN_UNREADABLE_FAIL": "0.5",
            **self.variables,
        }
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def materialize(self, select: str, *options: str, fails: bool = False) -> str:
        target = ("-m", "rakuten_assets.definitions", "--select", select)
        return self.run("dagster", "asset", "materialize", *target, *options, fails=fails)

    def everything(self) -> str:
        return self.materialize("*", "--partition-range", f"00...{self.shards - 1:02d}")

    def outputs(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.storage / "outputs").glob("*.npy")}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Terminal, str]:
    """A terminal after the README's first command, and what that printed."""
    terminal = Terminal(tmp_path_factory.mktemp("first"))
    return terminal, terminal.everything()


@pytest.fixture
def done(first: tuple[Terminal, str], tmp_path: Path) -> Terminal:
    """A copy of that terminal's storage, for tests that change it."""
    return _copy(first[0], tmp_path, "assets", "outputs", "cache")


@pytest.fixture
def fresh(first: tuple[Terminal, str], tmp_path: Path) -> Terminal:
    """An empty storage, but for the converted model (ten seconds) and the catalogue (three)."""
    return _copy(first[0], tmp_path, "cache/models", "cache/weights")


def _copy(terminal: Terminal, folder: Path, *parts: str) -> Terminal:
    for part in (*parts, "synthetic"):
        shutil.copytree(terminal.storage / part, folder / "storage" / part)
    return Terminal(folder, terminal.shards)


def test_the_first_command_publishes_arrays_that_fit_together(first: tuple[Terminal, str]) -> None:
    outputs = first[0].storage / "outputs"
    assert sorted(path.name for path in outputs.iterdir()) == PUBLISHED
    for split, rows in (("train", TRAIN_ROWS), ("test", TEST_ROWS)):
        features = np.load(outputs / f"{split}_features_efficientnet_b0.npy", allow_pickle=False)
        valid = np.load(outputs / f"{split}_valid.npy", allow_pickle=False)
        assert (features.dtype, features.shape, features.flags.c_contiguous) == (
            np.float32,
            (rows, 1280),
            True,
        )
        assert (valid.dtype, valid.shape) == (np.bool_, (rows,))
        assert 0 < (~valid).sum() < rows / 4
        assert not features[~valid].any()
        assert np.isfinite(features).all()
        assert (features[valid].std(axis=1) > 0).all()


def test_the_terminal_shows_progress_and_hardly_any_noise(first: tuple[Terminal, str]) -> None:
    printed = first[1]
    assert "images/s" in printed
    assert "DEBUG" not in printed
    warnings = [line for line in printed.splitlines() if "Warning" in line]
    # Dagster's own command warns before it reads a line of ours.
    assert all("asset_materialize_command" in line for line in warnings), warnings
    assert len(printed.splitlines()) < 20, printed
    assert "__ASSET_JOB" not in printed
    # The time, and what there is to say.
    assert re.search(r"^\d\d:\d\d:\d\d image_scan: scan: 101 of 101 images", printed, re.MULTILINE)


def test_a_run_ends_in_what_it_did(first: tuple[Terminal, str]) -> None:
    terminal, printed = first
    done, rows, warnings, outputs, following = printed.splitlines()[-5:]
    assert re.search(r"done: 38 assets in .*; 101 images scanned, \d+ unusable", done)
    assert re.fullmatch(r"rows: 81 train \(\d+ quarantined: vector zero\), 20 test \(\d+ .*\)", rows)
    assert warnings.startswith("warnings: ")
    assert "label_conflicts" in warnings
    folder = terminal.storage / "outputs"
    assert outputs == f"outputs: {folder}; report: {folder / 'integrity_report' / 'report.html'}"
    assert following.startswith("look at it: dagster dev, then http://127.0.0.1:3000/")


def test_without_the_shipped_configuration_the_terminal_is_as_quiet(done: Terminal) -> None:
    command = "-m dagster asset materialize -m rakuten_assets.definitions --select x_train"
    code = (
        "import os, sys; del os.environ['DAGSTER_HOME']; "
        f"os.execv(sys.executable, [sys.executable, *{command.split()!r}])"
    )
    printed = done.run("python", "-c", code)
    assert "__ASSET_JOB" not in printed
    assert "STEP_START" not in printed
    assert "done: 1 asset in" in printed


def _ends_in(printed: str, sentence: str) -> None:
    """The sentence stands at the end, once, and nobody's stack trace anywhere."""
    assert "Traceback" not in printed
    assert "Stack Trace" not in printed
    assert printed.count(sentence) == 1, printed
    assert sentence in "\n".join(printed.rstrip().splitlines()[-2:]), printed


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--partition", "1"), "Error: '1' is not one of the 2 shards, 00 to 01: write 01"),
        (("--partition-range", "0...1"), "Error: '0' is not one of the 2 shards, 00 to 01: write 00"),
        (("--partition-range", "00...31"), "Error: '31' is not one of the 2 shards"),
        (("--partition-range", "00..01"), "Error: a range of shards is written with three dots"),
        (
            (),
            "Error: the selected assets are split into shards, and none is named: add --partition-range 00...01",
        ),
    ],
)
def test_a_partition_misspelt_is_told_the_right_way(
    options: tuple[str, ...], sentence: str, done: Terminal
) -> None:
    _ends_in(done.materialize("image_scan", *options, fails=True), sentence)


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        (
            "train_features",
            "there is no asset train_features; did you mean efficientnet_b0/train_features or "
            "efficientnet_lite0/train_features?",
        ),
        ("no-such-thing", "there is no asset no-such-thing; `dagster asset list"),
        ("x_train or", "--select 'x_train or' selects no assets"),
    ],
)
def test_an_asset_misspelt_is_told_the_right_way(select: str, sentence: str, fresh: Terminal) -> None:
    _ends_in(fresh.materialize(select, fails=True), sentence)


def test_a_job_over_no_shard_says_how_to_name_them(done: Terminal) -> None:
    printed = done.run(
        "dagster", "job", "execute", "-m", "rakuten_assets.definitions", "-j", "everything", fails=True
    )
    _ends_in(printed, "split into 2 shards, and this run names none")
    assert "--partition-range 00...01" in printed


def test_a_check_that_fails_ends_the_run_in_its_sentence(done: Terminal) -> None:
    strict = Terminal(done.folder, 2, {"RAKUTEN_UNREADABLE_FAIL": "0.001"})
    printed = strict.materialize("image_scan", "--partition", "00", fails=True)
    assert "Stack Trace" not in printed
    assert printed.count("unreadable_share failed") == 1
    assert "unreadable_share failed" in "\n".join(printed.rstrip().splitlines()[-3:])


@pytest.mark.parametrize("executor", ["in_process", "multiprocess"])
def test_a_refusal_ends_the_run_in_its_sentence_under_any_executor(executor: str, done: Terminal) -> None:
    (done.storage / "assets" / "y_train" / "y_train.parquet").unlink()
    variant = Terminal(done.folder, 2, {"RAKUTEN_EXECUTOR": executor})
    printed = variant.materialize("label_encoder,train_labels", fails=True)
    _ends_in(printed, "y_train.parquet is missing. Make it with: dagster asset materialize")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"RAKUTEN_SHARD": "4"}, "Error: RAKUTEN_SHARD in the environment is not a setting"),
        ({"RAKUTEN_SHARDS": "0"}, "Error: RAKUTEN_SHARDS='0' is not allowed"),
        ({"RAKUTEN_DATA_DIR": "/nowhere"}, "the data folder /nowhere does not exist"),
    ],
)
def test_a_wrong_setting_ends_in_a_sentence(variables: dict[str, str], sentence: str, done: Terminal) -> None:
    wrong = Terminal(done.folder, 2, variables)
    _ends_in(wrong.materialize("x_train", fails=True), sentence)


def test_names_of_other_programs_stop_nothing(done: Terminal) -> None:
    links = {"RAKUTEN_ASSETS_SERVICE_HOST": "10.0.0.7", "RAKUTEN_ASSETS_PORT": "tcp://10.0.0.7:3000"}
    printed = Terminal(done.folder, 2, {**links, "RAKUTEN_APPLICATION_ID": "7"}).materialize("x_train")
    assert printed.count("RAKUTEN_APPLICATION_ID is not a setting of this project: ignored") == 1
    assert "RAKUTEN_ASSETS" not in printed


def test_lower_case_in_the_file_counts_as_in_the_environment(done: Terminal) -> None:
    (done.folder / ".env").write_text("rakuten_synthetic_seed=7\n")
    done.materialize("x_train")
    assert [path.name for path in sorted((done.storage / "synthetic").iterdir())] == [
        "81x20-seed42",
        "81x20-seed7",
    ]


def test_a_fresh_process_sees_what_was_materialized(first: tuple[Terminal, str]) -> None:
    code = (
        "import dagster as dg\n"
        "instance = dg.DagsterInstance.get()\n"
        "key = dg.AssetKey(['efficientnet_b0', 'train_features'])\n"
        "print(sorted(instance.get_materialized_partitions(key)))\n"
        "for name in ('efficientnet_b0', 'efficientnet_lite0'):\n"
        "    event = instance.get_latest_materialization_event(dg.AssetKey([name, 'metadata']))\n"
        "    print(event.asset_materialization.metadata['weights'].value)\n"
    )
    printed = first[0].run("python", "-c", code)
    assert "['00', '01']" in printed
    assert printed.count("SEEDED") == 1
    assert "state dict with sha256 579344248a93e230" in printed


def test_a_second_run_gives_the_same_bytes_and_computes_nothing(done: Terminal) -> None:
    before = done.outputs()
    printed = done.materialize("group:features", "--partition-range", "00...01")
    assert done.outputs() == before
    for name in ("efficientnet_b0", "efficientnet_lite0"):
        for split in ("train", "test"):
            assert re.search(rf"{name}, {split} features: .*; 0 computed, ", printed)


def test_after_the_first_command_nothing_is_due(first: tuple[Terminal, str]) -> None:
    terminal, printed = first
    said = terminal.run("python", "-m", "rakuten_assets.refresh")
    told, *summary = said.splitlines()
    assert told.startswith("nothing is due: all is as run ")
    assert summary == printed.splitlines()[-4:]


def test_a_refresh_says_what_is_due_and_runs_it(done: Terminal) -> None:
    record = done.storage / "cache" / "whole_run.json"
    kept = record.read_bytes()
    strict = Terminal(done.folder, 2, {"RAKUTEN_UNREADABLE_FAIL": "0.001"})
    printed = strict.run("python", "-m", "rakuten_assets.refresh", fails=True)
    due = [line for line in printed.splitlines() if line.startswith("due: ")]
    assert len(due) == 1
    assert re.match(r"due: run [0-9a-f]{8} is not in Dagster's records", due[0])
    assert "unreadable_share failed" in printed
    done.materialize("x_train")
    assert (
        record.read_bytes() == kept
    )  # Neither a run that failed nor one of less than everything is recorded.


def test_three_shards_computed_anew_give_the_bytes_of_two(
    first: tuple[Terminal, str], fresh: Terminal
) -> None:
    three = Terminal(fresh.folder, 3)
    what = "group:raw,group:labels,group:features,group:outputs"
    what += ",image_manifest,image_scan,train_valid,test_valid,duplicate_groups"
    three.materialize(what, "--partition-range", "00...02")
    assert three.outputs() == first[0].outputs()


def test_a_run_a_shard_gives_the_bytes_of_one_run(first: tuple[Terminal, str], done: Terminal) -> None:
    for folder in ("outputs", "assets/efficientnet_b0", "assets/efficientnet_lite0", "cache/rows"):
        shutil.rmtree(done.storage / folder)
    families = ("efficientnet_b0", "efficientnet_lite0")
    by_shard = ",".join(f"{name}/{split}_features" for name in families for split in ("train", "test"))
    merged = ",".join(f"{name}/{split}_feature_matrix" for name in families for split in ("train", "test"))
    in_processes = Terminal(done.folder, 2, {"RAKUTEN_EXECUTOR": "multiprocess"})
    in_processes.materialize(by_shard, "--partition", "01")
    done.materialize("train_labels,train_valid,test_valid")
    printed = done.materialize("efficientnet_b0/test_feature_matrix", fails=True)
    assert "1 of 2 partitions are missing" in printed
    assert "--select efficientnet_b0/test_features --partition 00" in printed
    done.materialize(by_shard, "--partition", "00")
    done.materialize(merged)
    done.materialize(",".join([*(f"{name}/metadata" for name in families), "outputs"]))
    assert done.outputs() == first[0].outputs()


def test_a_changed_shard_count_is_explained(done: Terminal) -> None:
    before = done.outputs()
    other = Terminal(done.folder, 5)
    printed = other.materialize("*", "--partition-range", "00...04", fails=True)
    assert "RAKUTEN_SHARDS=5, but" in printed
    assert "holds assets in 2 shards" in printed
    assert "set RAKUTEN_SHARDS back" in printed
    assert done.outputs() == before


def test_a_reversed_range_is_refused(done: Terminal) -> None:
    printed = done.materialize("*", "--partition-range", "01...00", fails=True)
    assert "the partition range 01...00 is reversed and would select no shard; write 00...01" in printed


def test_a_bad_table_is_told_and_changes_nothing(done: Terminal) -> None:
    before = done.outputs()
    (catalog,) = (done.storage / "synthetic").iterdir()
    labels = catalog / "Y_train_CVw08PX.csv"
    lines = labels.read_text().splitlines(keepends=True)
    labels.write_text("".join(lines[:-1]))
    bad = Terminal(done.folder, 2, {"RAKUTEN_DATA_DIR": str(catalog), "RAKUTEN_WEIGHTS": "seeded"})
    printed = bad.materialize("*", "--partition-range", "00...01", fails=True)
    assert "has no label in Y_train_CVw08PX.csv" in printed
    assert done.outputs() == before


def test_without_weights_the_real_run_says_what_to_fetch(done: Terminal) -> None:
    (catalog,) = (done.storage / "synthetic").iterdir()
    cache = done.folder / "empty"
    real = Terminal(done.folder, 2, {"RAKUTEN_DATA_DIR": str(catalog), "TORCH_HOME": str(cache)})
    before = done.outputs()
    printed = real.materialize("*", "--partition-range", "00...01", fails=True)
    assert "image_scan" not in printed, "nothing is scanned first"
    _ends_in(printed, "weights IMAGENET1K_V1 of efficientnet_b0 are not on this machine")
    assert "efficientnet_b0_rwightman-7f5810bc.pth" in printed
    assert "RAKUTEN_WEIGHTS" in printed
    assert "RAKUTEN_BACKBONE=efficientnet_lite0" in printed
    assert done.outputs() == before


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            ("dagster", "definitions", "validate", "-w", "workspace.yaml"),
            "All code locations passed validation",
        ),
        (("dg", "check", "defs"), "All definitions loaded successfully"),
        (("dg", "list", "defs"), "train_feature_matrix"),
    ],
)
def test_the_projects_files_tell_dagster_and_dg_where_the_definitions_are(
    command: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "rakuten_assets").symlink_to(PROJECT / "rakuten_assets")
    assert expected in Terminal(tmp_path).run(*command)


def test_dg_launches_a_shard(done: Terminal) -> None:
    shutil.copy(PROJECT / "pyproject.toml", done.folder)
    (done.folder / "rakuten_assets").symlink_to(PROJECT / "rakuten_assets")
    before = done.outputs()
    done.run("dg", "launch", "--assets", "image_scan,efficientnet_b0/test_features", "--partition", "01")
    assert done.outputs() == before
