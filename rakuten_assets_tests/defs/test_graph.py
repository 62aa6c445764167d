"""The graph as a whole: one run over all shards, one shard, missing shards, reversed ranges, other shard counts."""

import json
import re
import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from rakuten_assets.errors import ManifestError
from rakuten_assets.synthetic.catalog import read_catalog
from rakuten_assets_tests.defs.conftest import (
    DIM,
    FAMILY,
    TEST_ROWS,
    TRAIN_ROWS,
    FakeExtractor,
    Project,
    failure_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


def _fresh(project: Project, folder: Path, **overrides: object) -> Project:
    return Project(project.catalog, folder, dg.DagsterInstance.ephemeral(), **overrides)


def test_one_run_over_all_shards_publishes_everything(finished: Project) -> None:
    project = finished
    outputs = project.storage / "outputs"
    assert sorted(path.name for path in outputs.iterdir()) == [
        "augmentation_gallery.png",
        "evaluation_efficientnet_b0",
        "index.parquet",
        "integrity_report",
        "manifest.json",
        "metadata.json",
        "metadata_efficientnet_b0.json",
        "test_features_efficientnet_b0.npy",
        "test_valid.npy",
        "train_features_efficientnet_b0.npy",
        "train_labels.npy",
        "train_valid.npy",
    ]
    train = np.load(outputs / "train_features_efficientnet_b0.npy")
    valid = np.load(outputs / "train_valid.npy")
    labels = np.load(outputs / "train_labels.npy")
    assert (train.dtype, train.shape) == (np.float32, (TRAIN_ROWS, DIM))
    assert (valid.dtype, labels.dtype) == (bool, np.int64)
    assert np.load(outputs / "test_features_efficientnet_b0.npy").shape == (TEST_ROWS, DIM)
    document = json.loads((outputs / "metadata.json").read_text())
    assert document["num_classes"] == 27
    assert document["label_encoder"]["10"] == 0
    assert document["label_encoder"]["2905"] == 26
    assert document["shards"] == project.settings.shards
    assert "SEEDED" in document["weights_note"]
    encoder = document["label_encoder"]
    codes = pd.read_csv(project.catalog / "Y_train_CVw08PX.csv")["prdtypecode"]
    assert [encoder[str(code)] for code in codes] == labels.tolist()
    weights = np.array(document["class_weights"])
    assert weights[labels].sum() == pytest.approx(TRAIN_ROWS)


def test_what_is_the_matter_with_the_images_is_known_before_features_take_their_time(
    project: Project,
) -> None:
    steps = [
        event.step_key for event in project.run_all().all_events if event.event_type_value == "STEP_START"
    ]
    assert steps.index("integrity_report") < min(
        *(steps.index(f"efficientnet_b0__{split}_features") for split in ("train", "test"))
    )


def test_rows_follow_the_csv_and_faults_are_quarantined(finished: Project) -> None:
    project = finished
    catalog = read_catalog(project.catalog, TRAIN_ROWS, TEST_ROWS, 42, True)
    assert catalog is not None
    scans = [pd.read_parquet(path) for path in (project.storage / "assets" / "image_scan").glob("*.parquet")]
    scan = pd.concat(scans)
    for split, rows in (("train", TRAIN_ROWS), ("test", TEST_ROWS)):
        bad = sorted(
            fault.row
            for fault in catalog.read_faults()
            if fault.split == split and fault.expected_status != "ok"
        )
        valid = np.load(project.storage / "outputs" / f"{split}_valid.npy")
        features = np.load(project.storage / "outputs" / f"{split}_features_efficientnet_b0.npy")
        assert np.flatnonzero(~valid).tolist() == bad
        assert not features[~valid].any()
        of_split = scan[scan["split"] == split].sort_values("row")
        assert of_split["row"].tolist() == list(range(rows))
        expected = [
            np.frombuffer(bytes.fromhex(digest)[:DIM], np.uint8) if status == "ok" else np.zeros(DIM)
            for digest, status in zip(of_split["sha256"], of_split["status"], strict=True)
        ]
        np.testing.assert_array_equal(features, np.array(expected, dtype=np.float32))


def test_a_run_a_shard_gives_the_same_bytes_as_one_run(finished: Project, project: Project) -> None:
    other = project
    assert other.run("x_train", "y_train", "x_test", "image_manifest", "label_encoder").success
    for key in ("02", "00", "01"):
        assert other.run("image_scan", "train_features", "test_features", key=key).success
    assert other.run(
        "train_labels",
        "class_weights",
        "train_valid",
        "test_valid",
        "train_feature_matrix",
        "test_feature_matrix",
        "metadata",
        "duplicate_groups",
        "outputs",
    ).success
    assert other.outputs() == finished.outputs()


@pytest.mark.parametrize("shards", [1, 5])
def test_the_number_of_shards_changes_no_byte(finished: Project, project: Project, shards: int) -> None:
    other = _fresh(project, project.storage, shards=shards)
    assert other.run_all().success
    assert other.outputs() == finished.outputs()


def test_a_second_run_changes_no_byte_and_no_data_version(finished: Project, done: Project) -> None:
    assert done.run_all().success
    assert done.outputs() == finished.outputs()
    assert _versions(done) == _versions(finished)


def _versions(project: Project) -> dict[str, str]:
    versions = {}
    for key in project.everything:
        event = project.instance.get_latest_materialization_event(key)
        assert event is not None and event.asset_materialization is not None
        versions[key.to_user_string()] = (event.asset_materialization.tags or {})["dagster/data_version"]
    return versions


def test_missing_shards_are_named_with_the_commands(done: Project) -> None:
    folder = done.storage / "assets" / "efficientnet_b0" / "train_features"
    (folder / "00.json").unlink()
    for path in folder.glob("01.*"):
        path.unlink()
    before = done.outputs()
    message = failure_of(done.run("train_feature_matrix"), "train_feature_matrix")
    assert "2 of 3 partitions are missing" in message
    assert (
        "dagster asset materialize -m rakuten_assets.definitions --select efficientnet_b0/train_features "
        "--partition-range 00...01" in message
    )
    assert done.outputs() == before


def test_a_partial_range_makes_its_shards_and_says_which_are_missing_for_the_rest(project: Project) -> None:
    result = project.run(span=("00", "01"))
    assert not result.success
    assert "partitions are missing" in failure_of(result, "train_valid")
    assert "--partition 02" in failure_of(result, "train_valid")
    made = project.storage / "assets" / "efficientnet_b0" / "train_features"
    assert sorted(path.name for path in made.glob("*.npy")) == ["00.npy", "01.npy"]


def test_a_reversed_range_is_refused_before_anything_runs(project: Project) -> None:
    with pytest.raises(ManifestError, match=r"02\.\.\.00 is reversed .* write 00\.\.\.02"):
        project.run(span=("02", "00"))
    assert not project.storage.exists()


def test_another_shard_count_is_explained_and_nothing_is_mixed(done: Project) -> None:
    before = {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()}
    other = _fresh(done, done.storage, shards=5)
    message = failure_of(other.run_all())
    assert "RAKUTEN_SHARDS=5" in message
    assert "holds assets in 3 shards" in message
    after = {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()}
    assert after == before
    shutil.rmtree(done.storage / "assets")
    assert other.run_all().success


def test_a_changed_image_changes_its_shard_only(done: Project, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(done.catalog, catalog)
    mine = Project(catalog, done.storage, done.instance)
    scans = mine.storage / "assets" / "image_scan"
    rows = pd.read_parquet(scans / "01.parquet")
    good = rows[(rows["status"] == "ok") & (rows["split"] == "train")]
    target, source = (catalog / "images" / good["file"].iloc[n] for n in (0, 1))
    target.write_bytes(source.read_bytes())
    row = int(good["row"].iloc[0])
    before = np.load(mine.storage / "outputs" / "train_features_efficientnet_b0.npy")
    assert mine.run("image_scan", "train_features", "test_features", key="01").success
    assert mine.run(
        "train_valid", "test_valid", "train_feature_matrix", "test_feature_matrix", "metadata"
    ).success
    # A picture that changed may belong to other groups: until they are known, nothing is published.
    assert "made of other image files" in failure_of(mine.run("outputs"), "outputs")
    assert mine.run("duplicate_groups", "outputs").success
    after = np.load(mine.storage / "outputs" / "train_features_efficientnet_b0.npy")
    assert np.flatnonzero((before != after).any(axis=1)).tolist() == [row]


def test_shards_of_different_extractors_are_not_merged(done: Project) -> None:
    other = _fresh(done, done.storage, precision="bf16")
    assert other.run("train_features", key="01").success
    message = failure_of(other.run("train_feature_matrix"), "train_feature_matrix")
    assert "different extractors (they differ in precision: " in message


def test_extractors_stand_side_by_side_and_going_back_makes_nothing_anew(done: Project) -> None:
    def stored() -> dict[Path, bytes]:
        folders = (done.storage / "assets" / "efficientnet_b0", done.storage / "assets" / "image_scan")
        return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}

    before, published = stored(), done.outputs()
    both = _fresh(done, done.storage, backbone="resnet18,efficientnet_b0")
    family = [f"resnet18/{name}" for name in FAMILY]
    assert both.run("image_scan", *family, "outputs", span=("00", "02")).success
    assert stored() == before
    after = both.outputs()
    assert after.items() >= published.items()
    assert set(after) - set(published) == {"train_features_resnet18.npy", "test_features_resnet18.npy"}
    first = json.loads((done.storage / "outputs" / "metadata.json").read_text())
    assert first["model"] == "resnet18"


@pytest.mark.parametrize("what", ["NaN", "constant", "zero", "leak"])
def test_spoilt_features_are_located_and_never_stored(done: Project, what: str) -> None:
    before = {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()}

    def spoil(out: np.ndarray) -> None:
        good, bad = np.flatnonzero(out.any(axis=1)), np.flatnonzero(~out.any(axis=1))
        if what == "leak":
            out[bad[:1]] = 1
        else:
            out[good[0]] = {"NaN": np.nan, "constant": 3, "zero": 0}[what]

    FakeExtractor.spoil = staticmethod(spoil)  # type: ignore[assignment]
    result = done.run("train_features", span=("00", "02"))
    message = failure_of(result, "train_features")
    check = "finite" if what == "NaN" else "only_quarantined_rows_are_zero"
    found = re.search(rf"efficientnet_b0/train_features, partition (\d\d): {check} failed", message)
    assert found is not None, message
    partition = found[1]
    assert "nothing was stored" in message
    after = {path: path.read_bytes() for path in done.storage.rglob("*") if path.is_file()}
    assert after == before
    evaluations = {
        (record.asset_check_evaluation.check_name, record.asset_check_evaluation.partition): record
        for record in (event.event_log_entry for event in _evaluations(done))
        if record.asset_check_evaluation is not None
    }
    failed = evaluations[(check, partition)].asset_check_evaluation
    assert failed is not None
    assert not failed.passed
    if what == "NaN":
        assert "image_train/image_" in (failed.description or "")
        assert failed.metadata["NaN"].value == DIM


def _evaluations(project: Project) -> list[dg.EventLogRecord]:
    run = project.instance.get_runs(limit=1)[0]
    connection = project.instance.get_records_for_run(
        run.run_id, of_type={dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    )
    return list(connection.records)
