"""Everything runs if there is something to do, and only then; the real one, in processes: `end_to_end/test_cli.py`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from upath import UPath

from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.defs.outputs import whole
from rakuten_assets.defs.outputs.whole import WholeRunWatch, is_whole, state_now
from rakuten_assets.defs.raw.files import FILES, file_versions
from rakuten_assets.errors import WeightsError
from rakuten_assets.outputs.whole_run import WholeRun, last_whole_run
from rakuten_assets.refresh import ALL_BUT_FINE_TUNING, main
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.arrays import write_array_record
from rakuten_assets.storage.files import sha256_of_json, write_bytes
from rakuten_assets.storage.reading import at_address
from rakuten_assets.synthetic import generate_catalog
from rakuten_assets_tests.bucket import BUCKET, BucketServer

SPAN = {"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "03"}
TOLD = ["rows: 27 train", "warnings: blank_share"]
OF_THE_RUN = {"assets/x_train/x_train.parquet": b"1", "outputs/train_labels.npy": b"2"}


@dataclass
class Starts:
    """Stands in for what starts a command: notes it, and ends it with a status."""

    status: int = 0
    commands: list[list[str]] = field(default_factory=list)
    storages: list[str] = field(default_factory=list)

    def __call__(self, command: list[str], environment: Mapping[str, str]) -> int:
        self.commands.append(command)
        self.storages.append(environment["RAKUTEN_STORAGE"])
        return self.status


def same_extractors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(whole, "extractors_now", lambda settings: dict.fromkeys(settings.backbones, "1"))
    patch.setattr(whole, "extractors_used", lambda settings, _: dict.fromkeys(settings.backbones, "1"))


@dataclass
class Place:
    """A catalogue, and a storage in which everything was run."""

    data: Path
    settings: Settings

    @property
    def storage(self) -> Storage:
        return Storage(self.settings.storage, self.settings.shards)

    def run(
        self,
        instance: dg.DagsterInstance | None = None,
        during: Callable[[], object] = lambda: None,
        **changes: str,
    ) -> str:
        """A run of everything, as far as it is watched; `during` comes once its step has ended. Returns why it was not
        recorded."""
        return watched_run(self.settings, self.data, instance, during, **changes)


@dg.asset
def x_train() -> None:
    return None


def watched_run(
    settings: Settings,
    data: Any,
    instance: dg.DagsterInstance | None = None,
    during: Callable[[], object] = lambda: None,
    **changes: str,
) -> str:
    instance = instance or dg.DagsterInstance.ephemeral()
    read = {**file_versions(find_catalog(data)), **changes}
    run = dg.materialize([x_train], instance=instance).run_id
    watch = WholeRunWatch(settings)
    for kind in ("ASSET_MATERIALIZATION", "STEP_SUCCESS"):
        watch.add(SimpleNamespace(event_type_value=kind, step_key="x_train", asset_key=x_train.key))
    during()
    return watch.keep(run, read, TOLD, instance)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("refresh") / "data"
    generate_catalog(root, 27, 3, log=lambda _: None)
    return root


@pytest.fixture
def place(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_settings_of_the_user: None
) -> Place:
    same_extractors(monkeypatch)
    data, storage = tmp_path / "data", tmp_path / "storage"
    data.symlink_to(catalogue)
    monkeypatch.setenv("RAKUTEN_DATA_DIR", str(data))
    monkeypatch.setenv("RAKUTEN_STORAGE", str(storage))
    monkeypatch.setenv("RAKUTEN_SHARDS", "4")
    for name, content in OF_THE_RUN.items():
        (storage / name).parent.mkdir(parents=True)
        write_bytes(storage / name, content)
    return Place(data, Settings.load())


def _said(capsys: pytest.CaptureFixture[str], *arguments: str, start: Any = None) -> tuple[int, str]:
    capsys.readouterr()  # what Dagster said of the runs before
    status = main(arguments, start or Starts())
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_after_a_run_of_everything_nothing_is_due(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run() == ""
    starts = Starts()
    for arguments in ((), ("--check",)):
        status, printed = _said(capsys, *arguments, start=starts)
        assert status == 0
        first, *told = printed.splitlines()
        assert re.fullmatch(
            r"nothing is due: all is as run [0-9a-f]{8} of .* UTC was made of and left it", first
        )
        assert told == TOLD
    assert starts.commands == []


def test_where_nothing_was_run_everything_is(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    starts = Starts()
    assert _said(capsys, "--check", start=starts) == (
        1,
        f"due: no run of everything is on record in {place.settings.storage}\n",
    )
    assert starts.commands == []
    status, printed = _said(capsys, start=starts)
    assert (status, printed.count("due: "), starts.storages) == (0, 1, [str(place.settings.storage)])
    (command,) = starts.commands
    assert command[:5] == [sys.executable, "-m", "dagster", "asset", "materialize"]
    assert command[-2:] == ["--partition-range", "00...03"]
    assert ALL_BUT_FINE_TUNING in command


def test_the_run_gets_the_storage_that_was_looked_at(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Dagster's command would read `.env`, find another DAGSTER_HOME there, and a storage beside that.
    monkeypatch.delenv("RAKUTEN_STORAGE")
    monkeypatch.chdir(tmp_path)
    starts = Starts()
    assert _said(capsys, start=starts)[0] == 0
    assert starts.storages == [str(tmp_path / "storage")]


def test_a_run_that_fails_is_told_by_the_status(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys, start=Starts(status=9))[0] == 9


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("setting", "RAKUTEN_TWIN_WARN was 0.0 and is 0.5"),
        ("image", "train_images changed"),
        ("removed image", "test_images changed"),
        ("table", "x_test_csv changed"),
        ("removed output", "outputs/train_labels.npy in the storage: missing"),
        ("other asset", "assets/x_train/x_train.parquet in the storage: not what the run left"),
        ("code", "the code, a package"),
        ("weights", "the extractor of efficientnet_b0 is another one"),
        ("damaged record", "no run of everything is on record"),
    ],
)
def test_whatever_changes_is_due(
    change: str,
    reason: str,
    place: Place,
    catalogue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place.data.unlink()
    shutil.copytree(catalogue, place.data)
    assert place.run() == ""
    image = next((place.data / "images" / "image_train").glob("*.jpg"))
    if change == "setting":
        monkeypatch.setenv("RAKUTEN_TWIN_WARN", "0.5")
    elif change == "image":
        image.write_bytes(image.read_bytes() + b"!")
    elif change == "removed image":
        next((place.data / "images" / "image_test").glob("*.jpg")).unlink()
    elif change == "table":
        table = next(place.data.glob("X_test*"))
        table.write_text(table.read_text("utf-8") + "\n", "utf-8")
    elif change == "removed output":
        (Path(place.settings.storage) / "outputs/train_labels.npy").unlink()
    elif change == "other asset":
        write_bytes(place.settings.storage / "assets/x_train/x_train.parquet", b"3")
    elif change == "code":
        monkeypatch.setattr(whole, "CODE", "another")
    elif change == "weights":
        monkeypatch.setattr(whole, "extractors_now", lambda settings: dict.fromkeys(settings.backbones, "2"))
    elif change == "damaged record":
        (place.storage.cache / "whole_run.json").write_bytes(b"{}")
    status, printed = _said(capsys, "--check")
    assert (status, printed.count("due: ")) == (1, 1)
    assert printed.startswith(f"due: {reason}")


def test_settings_of_a_machine_change_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run() == ""
    for name, value in {"THREADS": "1", "BATCH_SIZE": "3", "WEBHOOK": "http://127.0.0.1/secret"}.items():
        monkeypatch.setenv(f"RAKUTEN_{name}", value)
    assert _said(capsys, "--check")[0] == 0
    assert place.run() == ""
    assert "secret" not in (Path(place.storage.cache) / "whole_run.json").read_text("utf-8")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of Dagster's records."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


def test_what_dagster_does_not_know_any_more_is_due(
    place: Place, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"Dagster's records (DAGSTER_HOME={home})"
    assert place.run() == ""  # in the records of another home
    status, printed = _said(capsys, "--check")
    assert status == 1
    assert re.fullmatch(rf"due: run [0-9a-f]{{8}} is not in {re.escape(where)}\n", printed)
    with dg.DagsterInstance.get() as instance:
        assert place.run(instance) == ""
        assert _said(capsys, "--check")[0] == 0
        dg.materialize([x_train], instance=instance)
        status, printed = _said(capsys, "--check")
        assert status == 1
        assert re.fullmatch(rf"due: x_train: not of run [0-9a-f]{{8}} in {re.escape(where)}\n", printed)
        assert place.run(instance) == ""
        assert _said(capsys, "--check")[0] == 0
        instance.wipe_assets([x_train.key])
        assert _said(capsys, "--check")[1].startswith("due: x_train: not of run ")


def test_a_run_that_failed_after_all_is_due(
    place: Place, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with dg.DagsterInstance.get() as instance:
        assert place.run(instance) == ""
        (run,) = instance.get_runs()
        instance.report_run_failed(run)
        assert re.match(r"due: run [0-9a-f]{8} is failure in ", _said(capsys, "--check")[1])


@pytest.mark.parametrize("fault", ["missing", "relative", "file", "configuration", "database"])
def test_records_that_cannot_be_read_are_told(
    fault: str, place: Place, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with dg.DagsterInstance.get() as instance:
        assert place.run(instance) == ""
    if fault == "missing":
        shutil.rmtree(home)
    elif fault == "relative":
        monkeypatch.setenv("DAGSTER_HOME", "home")
    elif fault == "file":
        shutil.rmtree(home)
        home.write_bytes(b"")
    elif fault == "configuration":
        (home / "dagster.yaml").write_text("no_such_key: 1\n")
    else:
        (home / "history" / "runs.db").write_bytes(b"garbage" * 1000)
    starts = Starts()
    status, printed = _said(capsys, start=starts)
    assert (status, starts.commands) == (2, [])
    assert printed.startswith("error: Dagster's records (DAGSTER_HOME=")
    assert "cannot be read: " in printed
    assert len(printed.splitlines()) == 1


def test_without_a_catalogue_the_synthetic_one_is_due_and_a_real_one_is_missing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run() == ""
    place.data.unlink()
    starts = Starts()
    status, printed = _said(capsys, start=starts)
    assert (status, starts.commands) == (2, [])
    assert printed.startswith(f"error: the data folder {place.data} does not exist")
    monkeypatch.delenv("RAKUTEN_DATA_DIR")
    status, printed = _said(capsys, start=starts)
    assert (status, len(starts.commands)) == (0, 1)
    assert "does not exist" in printed


def test_groups_of_shards_are_for_the_daemon(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAKUTEN_SHARDS_PER_RUN", "2")
    starts = Starts()
    status, printed = _said(capsys, start=starts)
    assert (status, starts.commands) == (2, [])
    assert (
        "error: RAKUTEN_SHARDS_PER_RUN=2: runs of groups of shards are launched by Dagster's daemon"
        in printed
    )


def test_weights_that_are_missing_are_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run() == ""

    def refuse(_: Settings) -> dict[str, str]:
        raise WeightsError("the weights of efficientnet_b0 are not on this machine")

    monkeypatch.setattr(whole, "extractors_now", refuse)
    starts = Starts()
    status, printed = _said(capsys, start=starts)
    assert (status, printed, starts.commands) == (
        2,
        "error: the weights of efficientnet_b0 are not on this machine\n",
        [],
    )


def test_a_run_is_not_recorded_where_it_is_not_known_what_it_was_made_of(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = dg.DagsterInstance.ephemeral()
    read = file_versions(find_catalog(place.data))
    run = dg.materialize([x_train], instance=instance).run_id
    for key in FILES:
        some = {name: version for name, version in read.items() if name != key}
        said = WholeRunWatch(place.settings).keep(run, some, TOLD, instance)
        assert said == "the catalogue's files changed while it ran"
    monkeypatch.setattr(whole, "CODE", "that was edited meanwhile")
    assert place.run() == "sources or packages changed while it ran"
    assert last_whole_run(place.storage) is None


def test_a_run_is_not_recorded_where_its_files_were_changed_before_its_end(place: Place) -> None:
    file = place.settings.storage / "assets/x_train/x_train.parquet"
    assert place.run(during=lambda: write_bytes(file, b"another's")) == "x_train was changed while it ran"
    assert place.run(during=file.unlink) == "x_train was changed while it ran"
    assert last_whole_run(place.storage) is None
    # What is added to the folder is another's, and none of this run's.
    write_bytes(file, b"1")
    assert place.run(during=lambda: write_bytes(file.with_name("other.parquet"), b"2")) == ""


def test_a_run_is_not_recorded_where_another_has_made_an_asset_meanwhile(place: Place) -> None:
    instance = dg.DagsterInstance.ephemeral()
    said = place.run(instance, during=lambda: dg.materialize([x_train], instance=instance))
    assert said == "another run made x_train meanwhile"
    assert last_whole_run(place.storage) is None


def test_an_image_that_changed_while_everything_ran_is_due(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run(train_images="what the run has read") == ""
    assert _said(capsys, "--check") == (1, "due: train_images changed\n")


def test_the_extractor_that_counts_is_the_one_that_made_the_matrices(
    tmp_path: Path, no_settings_of_the_user: None
) -> None:
    settings = Settings(storage=UPath(tmp_path), backbone="resnet18,swin_t", shards=4)
    storage = Storage(settings.storage, 4)
    made = {
        ("resnet18", "train"): "a",
        ("resnet18", "test"): "a",
        ("swin_t", "train"): "a",
        ("swin_t", "test"): "b",
    }
    for (name, split), weights in made.items():
        file = storage.asset_file([name, f"{split}_feature_matrix"], None, ".npy")
        write_array_record(file, {"fingerprint": {"weights": weights}})
    assert whole.extractors_used(settings, storage) == {
        "resnet18": sha256_of_json({"weights": "a"}),
        "swin_t": "",
    }


@pytest.mark.parametrize(
    ("tags", "steps", "config", "expected"),
    [
        (SPAN, ["a", "b"], {}, True),
        (SPAN, ["a", "b", "efficientnet_b0__fine_tuned_weights"], {}, True),
        (SPAN, ["a"], {}, False),
        ({**SPAN, "dagster/asset_partition_range_end": "02"}, ["a", "b"], {}, False),
        ({**SPAN, "dagster/asset_partition_range_start": "01"}, ["a", "b"], {}, False),
        ({"dagster/partition": "00"}, ["a", "b"], {}, False),
        ({}, ["a", "b"], {}, False),
        (SPAN, ["a", "b"], {"resources": {"settings": {"config": {"twin_warn": 0.5}}}}, False),
    ],
)
def test_which_runs_are_of_everything(
    tags: dict[str, str], steps: list[str], config: dict[str, Any], expected: bool
) -> None:
    run = dg.DagsterRun("everything", tags=tags, run_config=config)
    assert is_whole(run, steps, ["a", "b"], 4) is expected


def test_one_shard_is_everything_where_there_is_one() -> None:
    run = dg.DagsterRun("everything", tags={"dagster/partition": "00"})
    assert is_whole(run, ["a"], ["a"], 1)


@pytest.fixture
def on_bucket(
    server: BucketServer, catalogue: Path, monkeypatch: pytest.MonkeyPatch, no_settings_of_the_user: None
) -> Iterator[Settings]:
    same_extractors(monkeypatch)
    data, storage = (at_address(f"s3://{BUCKET}/refresh/{name}") for name in ("data", "storage"))
    for file in catalogue.rglob("*"):
        if file.is_file():
            write_bytes(data / file.relative_to(catalogue).as_posix(), file.read_bytes())
    for name, content in OF_THE_RUN.items():
        write_bytes(storage / name, content)
    monkeypatch.setenv("RAKUTEN_DATA_DIR", str(data))
    monkeypatch.setenv("RAKUTEN_STORAGE", str(storage))
    yield Settings.load()


def test_on_a_bucket_it_costs_few_requests_and_reads_no_image(
    on_bucket: Settings, server: BucketServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert watched_run(on_bucket, str(on_bucket.data_dir)) == ""
    server.forget()
    assert _said(capsys)[0] == 0
    assert not [one for one in server.requests if one.path.endswith(".jpg")]
    assert len(server.requests) <= 14, (
        server.requests
    )  # however many objects there are, up to a thousand a folder
    file = next(path for path in (on_bucket.data_dir / "images" / "image_test").iterdir())  # type: ignore[operator]
    write_bytes(file, b"another")
    write_bytes(on_bucket.storage / "outputs/train_labels.npy", b"3")
    assert _said(capsys, "--check") == (
        1,
        "due: test_images changed\ndue: outputs/train_labels.npy in the storage: not what the run left\n",
    )


def test_what_is_there_now_is_what_the_run_has_read(place: Place) -> None:
    assert place.run() == ""
    last = last_whole_run(place.storage)
    assert isinstance(last, WholeRun)
    now = state_now(place.settings)
    assert replace(now, run=last.run, ended=last.ended, told=last.told, assets=last.assets) == last
    assert os.fspath(Path(place.settings.storage)) in last.settings["RAKUTEN_STORAGE"]


@pytest.mark.skipif(os.name == "nt", reason="processes are replaced on POSIX")
def test_what_is_started_takes_the_place_of_the_command() -> None:
    """So that every signal reaches it, and its status is the command's."""
    then = "import os, sys; print(os.getpid(), os.environ['NAME']); sys.exit(7)"
    first = (
        "import os, sys; from rakuten_assets.refresh import become; print(os.getpid()); "
        f"become([sys.executable, '-c', {then!r}], {{**os.environ, 'NAME': 'value'}})"
    )
    done = subprocess.run([sys.executable, "-c", first], capture_output=True, text=True)
    before, after = done.stdout.splitlines()
    assert after == f"{before} value"
    assert done.returncode == 7
