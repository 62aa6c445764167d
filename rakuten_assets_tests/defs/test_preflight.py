"""What a run needs is looked at before its first step, and what it did is said after its last."""

import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.defs import executor
from rakuten_assets.defs.preflight import check_run
from rakuten_assets.defs.steps import retries
from rakuten_assets.defs.summary import RunSummary
from rakuten_assets.errors import (
    EngineError,
    ManifestError,
    SettingsError,
    StoreError,
    UnreachableError,
    WeightsError,
)
from rakuten_assets.extraction.networks.packed import pack, write_first
from rakuten_assets.extraction.networks.quantised import quantisation_request, quantised_file
from rakuten_assets.extraction.preparation import prepare
from rakuten_assets.settings import Settings
from rakuten_assets_tests.defs.conftest import Project

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

ONE_SHARD = {"dagster/partition": "00"}
A_RANGE = {"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "03"}


def _settings(tmp_path: Path, **options: Any) -> Settings:
    return Settings(storage=UPath(tmp_path / "storage"), shards=4, **options)


@pytest.mark.parametrize(
    "steps", [["image_scan"], ["x_train", "efficientnet_b0__train_features", "efficientnet_b0__metadata"]]
)
def test_shards_that_nobody_named_are_told_with_the_command(steps: list[str], tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"this run names none") as caught:
        check_run(_settings(tmp_path), steps, {})
    assert str(caught.value).endswith("--select '*' --partition-range 00...03")
    for tags in (ONE_SHARD, A_RANGE):
        check_run(_settings(tmp_path), steps, tags)


def test_a_network_that_does_not_answer_before_the_first_step_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "WAITS", (0, 0, 0))
    fails = iter([UnreachableError("no answer"), UnreachableError("no answer")])
    asked: list[Any] = []

    def look(*given: Any) -> None:
        asked.append(given)
        if (error := next(fails, None)) is not None:
            raise error

    monkeypatch.setattr(executor, "check_run", look)
    run: Any = SimpleNamespace(
        dagster_run=SimpleNamespace(job_snapshot_id=None, tags=A_RANGE),
        instance=None,
        log=logging.getLogger(),
    )
    plan: Any = SimpleNamespace(step_keys_to_execute=["x_train"])
    inner: Any = SimpleNamespace(execute=lambda *_: iter(()))
    settings = _settings(tmp_path)
    list(executor.ToldExecutor(inner, settings, ()).execute(run, plan))
    assert asked == 3 * [(settings, ["x_train"], A_RANGE)]


def test_a_run_without_shards_needs_none(tmp_path: Path) -> None:
    check_run(_settings(tmp_path), ["x_train", "efficientnet_b0__metadata"], {})


@pytest.mark.parametrize("name", ["efficientnet_b0", "timm:resnet10t.c3_in1k"])
def test_missing_weights_are_told_before_anything_is_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    settings = _settings(tmp_path, data_dir=UPath(tmp_path), backbone=name)
    with pytest.raises(WeightsError, match="are not on this machine"):
        check_run(settings, ["image_scan", f"{find_backbone(name).family}__train_features"], A_RANGE)
    check_run(settings, ["image_scan"], A_RANGE)


def test_int8_that_cannot_be_is_told_before_anything_is_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ["image_scan", "efficientnet_lite0__train_features"]
    settings = _settings(tmp_path, backbone="efficientnet_lite0", precision="int8")
    with pytest.raises(EngineError, match="not for torch on cpu"):
        check_run(settings.model_copy(update={"engine": "torch", "device": "cpu"}), steps, A_RANGE)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'rakuten_assets\[int8\]'"):
        check_run(settings, steps, A_RANGE)
    check_run(settings, ["image_scan"], A_RANGE)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    check_run(settings, steps, A_RANGE)


def test_int8_that_was_refused_in_this_storage_is_told_before_anything_is_scanned(tmp_path: Path) -> None:
    settings = _settings(tmp_path, backbone="efficientnet_lite0", precision="int8")
    spec, weights = prepare(settings, "", print)
    request = quantisation_request(spec, weights, "synthetic")
    fidelity = {"mean_cosine": 0.872, "least_cosine": 0.531, "relative_error": 0.7}
    refused = pack({"model.xml": b"", "model.bin": b""}, {"request": request, "fidelity": fidelity})
    write_first(quantised_file(UPath(settings.storage) / "cache", request), refused)
    with pytest.raises(EngineError, match=r"does not keep its features in int8 \(.* 0\.872"):
        check_run(settings, ["image_scan", "efficientnet_lite0__train_features"], A_RANGE)


def test_missing_statistics_are_told_before_anything_is_scanned(tmp_path: Path) -> None:
    settings = _settings(tmp_path, normalisation="dataset")
    steps = ["image_scan", "efficientnet_b0__train_features"]
    with pytest.raises(StoreError, match=r"needs the asset dataset_statistics, and .* does not have it"):
        check_run(settings, steps, A_RANGE)
    check_run(settings, [*steps, "dataset_statistics"], A_RANGE)
    check_run(settings, ["image_scan"], A_RANGE)


def test_another_number_of_shards_is_told(tmp_path: Path) -> None:
    check_run(_settings(tmp_path), ["x_train"], {})
    with pytest.raises(SettingsError, match="RAKUTEN_SHARDS=5, but"):
        check_run(Settings(storage=UPath(tmp_path / "storage"), shards=5), ["x_train"], {})


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such rights there")
def test_a_storage_that_cannot_be_written_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        check_run(Settings(storage=UPath(tmp_path / "file" / "storage")), ["x_train"], {})
    message = str(caught.value)
    assert message.startswith(f"RAKUTEN_STORAGE={tmp_path / 'file' / 'storage'}: nothing can be written in ")
    assert "\n" not in message
    assert (
        message.count("RAKUTEN_STORAGE") == 2
    )  # the setting, and the way out: one sentence, not one in another


def _lines(project: Project, result: dg.ExecuteInProcessResult) -> list[str]:
    summary = RunSummary()
    for event in result.all_events:
        summary.add(event)
    return summary.lines(project.settings, 75)


def test_a_run_is_told_in_five_lines(project: Project) -> None:
    strict = Project(project.catalog, project.storage, project.instance, blank_warn=0.0, unreadable_warn=0.0)
    lines = _lines(strict, strict.run_all())
    assert len(lines) == 5
    assert lines[0].startswith("done: 33 assets in 1 min 15 s; 101 images scanned, ")
    assert lines[1].startswith("rows: 81 train (")
    assert "20 test (" in lines[1]
    assert lines[2].startswith("warnings: ")
    assert "blanks" in lines[2]
    assert "unreadable_share (" in lines[2]
    outputs = project.storage / "outputs"
    assert lines[3] == f"outputs: {outputs}; report: {outputs / 'integrity_report' / 'report.html'}"
    assert (outputs / "integrity_report" / "report.html").is_file()
    assert lines[4] == "look at it: dagster dev, then http://127.0.0.1:3000/asset-groups"


def test_a_part_of_the_graph_is_told_in_fewer(project: Project) -> None:
    lines = _lines(project, project.run("x_train", "x_test"))
    assert lines[0] == "done: 2 assets in 1 min 15 s"
    assert lines[1] == "warnings: none"
    assert len(lines) == 3


def test_what_was_made_and_not_published_is_told(done: Project) -> None:
    matrix = "efficientnet_b0/train_feature_matrix"
    assert not any("not published" in line for line in _lines(done, done.run(matrix)))
    manifest = done.storage / "outputs" / "manifest.json"
    manifest.unlink()
    lines = _lines(done, done.run(matrix))
    (said,) = (line for line in lines if line.startswith("not published yet: "))
    assert "train_features_efficientnet_b0.npy, test_features_efficientnet_b0.npy;" in said
    assert said.endswith(
        "after, with the same settings, dagster asset materialize -m rakuten_assets.definitions --select outputs"
    )
    # It is only told: what cannot be looked at fails no run.
    run = done.run(matrix)
    manifest.mkdir()
    assert not any("not published" in line for line in _lines(done, run))
    manifest.rmdir()
    assert not any("not published" in line for line in _lines(done, done.run(matrix, "outputs")))


def test_a_failed_run_is_known_as_one(project: Project, tmp_path: Path) -> None:
    lost = Project(tmp_path / "nowhere", project.storage, project.instance)
    summary = RunSummary()
    for event in lost.run("x_train").all_events:
        summary.add(event)
    assert summary.failed


def test_what_was_read_outside_is_known_where_all_steps_have_read_the_same() -> None:
    summary = RunSummary()
    seen = [("a", {"x_csv": "1", "images": "7"}), ("b", {"x_csv": "1"}), ("c", {"images": "8"}), ("d", {})]
    for name, versions in seen:
        tags = {f"dagster/input_data_version/{key}": version for key, version in versions.items()}
        made = dg.AssetMaterialization(name, tags={**tags, "other": "9"})
        summary.add(
            SimpleNamespace(
                event_type_value="ASSET_MATERIALIZATION",
                step_materialization_data=SimpleNamespace(materialization=made),
            )
        )
    assert summary.read == {"x_csv": "1"}


def test_all_shards_are_loaded_where_none_is_named(done: Project) -> None:
    scans = done.defs.load_asset_value("image_scan", instance=done.instance)
    assert isinstance(scans, dict)
    assert list(scans) == ["00", "01", "02"]
    one = done.defs.load_asset_value("image_scan", instance=done.instance, partition_key="01")
    assert one.equals(scans["01"])
    assert len(done.defs.load_asset_value("image_manifest", instance=done.instance)) == 101


def test_missing_shards_are_named_with_a_command_that_works(project: Project) -> None:
    with pytest.raises(StoreError) as caught:
        project.defs.load_asset_value("image_scan", instance=project.instance)
    message = str(caught.value)
    assert "3 of 3 partitions are missing" in message
    assert "--select image_scan --partition-range 00...02" in message
    assert "image_scan.parquet" not in message
