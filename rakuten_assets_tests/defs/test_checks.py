"""Asset checks: by shard in any kind of run, blocking where bad data would spread, and told to whoever must mend it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from rakuten_assets_tests.defs.conftest import Project, failure_of

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

BY_SHARD = {"image_scan", "channel_sums", "efficientnet_b0/train_features", "efficientnet_b0/test_features"}
KEYS = ["00", "01", "02"]


def _executions(project: Project, asset: str, check: str) -> dict[str | None, list[str]]:
    """Statuses of a check's records, by partition."""
    key = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), check)
    found: dict[str | None, list[str]] = {}
    for record in project.instance.event_log_storage.get_asset_check_execution_history(key, limit=100):
        found.setdefault(record.partition, []).append(record.status.value)
    return found


WARNS_HERE = {
    # The stand-in's rows know nothing of classes: a head on them does not beat the largest one.
    ("efficientnet_b0/validation_report", "above_majority"),
    # Of three rows a class, and images quarantined, some class has none on one side.
    ("random_split", "every_class_on_both_sides"),
    ("grouped_split", "every_class_on_both_sides"),
}
"""What the tiny catalogue cannot pass."""


def test_every_check_of_a_run_over_a_range_is_recorded_by_shard(finished: Project) -> None:
    specs = [spec for asset in finished.defs.resolve_asset_graph().assets_defs for spec in asset.check_specs]
    assert len(specs) >= 20
    warned = set()
    for spec in specs:
        asset = spec.asset_key.to_user_string()
        expected = KEYS if asset in BY_SHARD else [None]
        found = _executions(finished, asset, spec.name)
        if found == {partition: ["FAILED"] for partition in expected}:
            warned.add((asset, spec.name))
        else:
            assert found == {partition: ["SUCCEEDED"] for partition in expected}, spec.key
    assert warned == WARNS_HERE


def test_evaluations_point_at_their_shards_materialization(finished: Project) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(["efficientnet_b0", "train_features"]), "finite")
    storage = finished.instance.event_log_storage
    for info in storage.get_asset_check_partition_info([key]):
        assert info.latest_target_materialization_storage_id == info.latest_materialization_storage_id


def test_a_run_over_one_shard_records_that_shard(done: Project) -> None:
    assert done.run("image_scan", "train_features", key="01").success
    for asset, check in (("image_scan", "unreadable_share"), ("efficientnet_b0/train_features", "finite")):
        assert _executions(done, asset, check) == {"01": ["SUCCEEDED"]}


def test_too_many_unreadable_images_stop_what_builds_on_the_scan_which_is_kept(
    catalog: Path, project: Project
) -> None:
    strict = Project(catalog, project.storage, project.instance, unreadable_warn=0.0, unreadable_fail=0.01)
    result = strict.run_all()
    assert not result.success
    message = failure_of(result, "image_scan")
    assert "unreadable_share failed" in message
    assert "the result is stored, but nothing is built on it" in message
    assert (project.storage / "assets" / "image_scan" / "00.parquet").exists()
    ran = {event.step_key for event in result.all_events if event.event_type_value == "STEP_START"}
    assert "image_scan" in ran
    assert "efficientnet_b0__train_features" not in ran
    assert "FAILED" in {
        status
        for statuses in _executions(strict, "image_scan", "unreadable_share").values()
        for status in statuses
    }


def test_a_failed_scan_holds_back_other_runs_until_it_is_mended_or_accepted(
    catalog: Path, done: Project
) -> None:
    strict = Project(catalog, done.storage, done.instance, unreadable_warn=0.0, unreadable_fail=0.01)
    assert not strict.run("image_scan", key="01").success
    before = {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()}
    for asset, key in (("duplicate_groups", None), ("integrity_report", None), ("train_features", "01")):
        message = failure_of(strict.run(asset, key=key), asset)
        assert "image_scan, shard 01: unreadable_share failed" in message
        assert "Nothing is built on these shards" in message
    assert {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()} == before
    assert done.run("duplicate_groups").success
    assert done.run("train_features", key="01").success


def test_every_result_of_a_shard_says_which_shard_it_is_about(catalog: Path, done: Project) -> None:
    strict = Project(catalog, done.storage, done.instance, unreadable_warn=0.0, unreadable_fail=0.0)
    assert not strict.run("image_scan", span=("00", "01")).success
    assert not strict.run("image_scan", key="02").success
    key = dg.AssetCheckKey(dg.AssetKey("image_scan"), "unreadable_share")
    history = done.instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    assert {record.partition for record in history} == set(KEYS)
    for record in history:
        assert record.event is not None
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        assert (evaluation.description or "").startswith(f"shard {record.partition}: ")
        assert evaluation.partition == record.partition


def test_some_unreadable_images_are_a_warning(catalog: Path, project: Project) -> None:
    lenient = Project(catalog, project.storage, project.instance, unreadable_warn=0.0, unreadable_fail=0.9)
    assert lenient.run("x_train", "y_train", "x_test", "image_manifest").success
    result = lenient.run("image_scan", span=("00", "02"))
    assert result.success
    evaluations = {
        (
            record.asset_check_evaluation.partition,
            record.asset_check_evaluation.check_name,
        ): record.asset_check_evaluation
        for event in lenient.instance.get_records_for_run(
            result.run_id, of_type={dg.DagsterEventType.ASSET_CHECK_EVALUATION}
        ).records
        if (record := event.event_log_entry).asset_check_evaluation is not None
    }
    failed = [
        value for (_, name), value in evaluations.items() if name == "unreadable_share" and not value.passed
    ]
    assert failed
    assert all(value.severity is dg.AssetCheckSeverity.WARN for value in failed)
    assert all("image_t" in str(value.metadata["files"].value) for value in failed)


def _edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return apply


def _lines(change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    return lambda text: "".join(change(text.splitlines(keepends=True)))


def _first_id(text: str) -> str:
    return text.rstrip("\n").rsplit(",", 1)[1]


X, Y, T = "X_train_update.csv", "Y_train_CVw08PX.csv", "X_test_update.csv"
BAD_INPUTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "missing file": (lambda root: (root / X).unlink(), "x_train", "lacks: X_train_update.csv"),
    "missing images": (lambda root: (root / "images").unlink(), "x_train", "lacks: image_train/"),
    "missing column": (
        _edit(Y, lambda text: text.replace("prdtypecode", "code", 1)),
        "y_train",
        "missing: prdtypecode",
    ),
    "empty": (_edit(X, lambda _: ""), "x_train", "is empty"),
    "header only": (_edit(Y, _lines(lambda lines: lines[:1])), "y_train", "a header and no row"),
    "binary": (
        lambda root: (root / X).write_bytes(bytes(range(256)) * 8) and None,
        "x_train",
        "not a CSV file",
    ),
    "non-integer id": (_edit(T, lambda text: text.rstrip("\n") + "x\n"), "x_test", "expected a whole number"),
    "path-like id": (
        _edit(T, lambda text: text.replace(_first_id(text), "../../etc/passwd")),
        "x_test",
        "expected a whole number",
    ),
    "duplicate id": (_edit(Y, _lines(lambda lines: [*lines, lines[-1]])), "y_train", "may occur once"),
    "row without label": (_edit(Y, _lines(lambda lines: lines[:-1])), "image_manifest", "has no label"),
    "label without row": (_edit(Y, lambda text: text + "999999,10\n"), "image_manifest", "labels a row that"),
    "unknown class": (
        _edit(Y, _lines(lambda lines: [*lines[:-1], lines[-1].split(",")[0] + ",77\n"])),
        "y_train",
        f"{Y}, line 82 (row 80): index 80 has prdtypecode 77",
    ),
    "semicolons": (_edit(Y, lambda text: text.replace(",", ";")), "y_train", "separated by semicolons"),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_a_bad_input_is_told_and_leaves_earlier_results_alone(
    name: str, done: Project, tmp_path: Path
) -> None:
    spoil, asset, expected = BAD_INPUTS[name]
    catalog = tmp_path / "bad"
    catalog.mkdir()
    for file in (X, Y, T):
        shutil.copy(done.catalog / file, catalog / file)
    (catalog / "images").symlink_to(done.catalog / "images")
    spoil(catalog)
    before = {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()}
    bad = Project(catalog, done.storage, done.instance)
    result = bad.run_all()
    assert not result.success
    assert expected in failure_of(result, asset)
    after = {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()}
    stored_anew = {path.parent.name for path in after if before.get(path) != after[path]}
    assert stored_anew <= {"x_train", "x_test", "y_train"} - {asset}
    assert done.outputs() == {
        path.name: content
        for path, content in before.items()
        if path.parent.name == "outputs" and path.suffix == ".npy"
    }
    failed = {
        event.asset_check_evaluation_data.check_name: event.asset_check_evaluation_data
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed
    }
    assert failed, "a check shows the refusal in the UI"


def test_a_missing_data_folder_is_told(project: Project, tmp_path: Path) -> None:
    lost = Project(tmp_path / "nowhere", project.storage, project.instance)
    message = failure_of(lost.run("x_train"), "x_train")
    assert f"{tmp_path / 'nowhere'} does not exist" in message
    assert "RAKUTEN_DATA_DIR" in message


def test_labels_of_another_catalog_are_refused_by_the_matrix(done: Project) -> None:
    labels = done.storage / "assets" / "train_labels" / "train_labels.npy"
    np.save(labels, np.zeros(3, dtype=np.int64))
    message = failure_of(done.run("train_feature_matrix"), "train_feature_matrix")
    assert "train_labels" in message
    assert "--select train_labels" in message
