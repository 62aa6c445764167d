"""The evaluation in the graph: what a run leaves, what its checks say, and that a fit is made once."""

import json
from dataclasses import replace
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.dataset.contract import LABEL_COLUMN
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.evaluation.heads.storing import load_head
from rakuten_assets.extraction.storing.speed import Speed
from rakuten_assets.extraction.storing.store import ABOUT_FILE
from rakuten_assets.readiness.extractors import stored_extractors
from rakuten_assets.readiness.stored import Stored
from rakuten_assets.storage import Storage
from rakuten_assets.storage.records import write_record
from rakuten_assets_tests.defs.conftest import DIM, TEST_ROWS, TRAIN_ROWS, Project

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
FAMILY = "efficientnet_b0"


def test_a_run_leaves_a_report_a_submission_and_suspects(finished: Project) -> None:
    folder = finished.storage / "outputs" / f"evaluation_{FAMILY}"
    assert sorted(path.name for path in folder.iterdir()) == [
        "classes.csv",
        "feature_map.html",
        "report.html",
        "summary.json",
        "suspect_labels.csv",
        "test_predictions.csv",
        "test_predictions.parquet",
    ]
    lines = (folder / "test_predictions.csv").read_text().splitlines()
    assert lines[0] == f",{LABEL_COLUMN}"
    submitted = [int(line.split(",")[0]) for line in lines[1:]]
    probabilities = pd.read_parquet(folder / "test_predictions.parquet")
    assert submitted == probabilities["index"].tolist()
    assert len(submitted) == TEST_ROWS
    classes = probabilities.columns[3:]
    np.testing.assert_allclose(probabilities[classes].sum(axis=1), 1, atol=1e-5)
    assert [int(line.split(",")[1]) for line in lines[1:]] == probabilities[LABEL_COLUMN].tolist()


def test_quarantined_test_rows_are_predicted_by_the_prior(finished: Project) -> None:
    head = load_head(finished.storage / "assets" / FAMILY / "head")
    folder = finished.storage / "outputs" / f"evaluation_{FAMILY}"
    table = pd.read_parquet(folder / "test_predictions.parquet")
    valid = np.load(finished.storage / "outputs" / "test_valid.npy")
    assert (table["quarantined"].to_numpy() == ~valid).all()
    for row in table.loc[table["quarantined"], [str(code) for code in head.codes]].to_numpy():
        np.testing.assert_allclose(row, head.prior, atol=1e-6)


def test_no_duplicate_is_on_both_sides_of_the_grouped_split(finished: Project) -> None:
    groups = pd.read_parquet(finished.storage / "assets" / "duplicate_groups" / "duplicate_groups.parquet")
    train = groups[groups["split"] == "train"].sort_values("row")["near_group"].to_numpy()
    sides = {
        name: np.load(finished.storage / "assets" / name / f"{name}.npy")
        for name in ("random_split", "grouped_split")
    }
    assert not set(train[sides["grouped_split"]]) & set(train[~sides["grouped_split"]])
    assert sides["random_split"].sum() == -(-TRAIN_ROWS // 5)
    # Three rows a class: one of each is held back, which is more than a fifth of them.
    assert sides["grouped_split"].sum() == TRAIN_ROWS // 3


def test_a_near_duplicate_of_another_class_is_no_known_conflict(done: Project) -> None:
    path = done.storage / "assets" / "duplicate_groups" / "duplicate_groups.parquet"
    manager = ParquetIOManager(Storage(UPath(done.storage), done.settings.shards))
    groups = manager.read(UPath(path))
    labels = np.load(done.storage / "assets" / "train_labels" / "train_labels.npy")
    train = groups.index[groups["split"] == "train"]
    groups.loc[train, ["pixel_group", "near_group"]] = [
        [f"row {row}"] * 2 for row in groups.loc[train, "row"]
    ]
    # Two pairs, each of two classes: one of equal pictures, one of alike ones.
    one, other = (train[labels[groups.loc[train, "row"]] == label] for label in (0, 1))
    equal, alike = [one[0], other[0]], [one[1], other[1]]
    groups.loc[equal, ["pixel_group", "near_group"]] = "equal"
    groups.loc[alike, "near_group"] = "alike"
    manager.write(groups, UPath(path))
    assert done.run("suspect_labels").success
    suspects = pd.read_csv(done.storage / "outputs" / f"evaluation_{FAMILY}" / "suspect_labels.csv")
    known = suspects.loc[suspects["known_conflict"], "row"]
    assert sorted(known) == sorted(groups.loc[equal, "row"])


def test_features_that_mean_nothing_warn_and_fail_no_run(done: Project) -> None:
    result = done.run("validation_report")
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == "above_majority"
    assert "mean nothing" in (check.description or "")
    (event,) = result.asset_materializations_for_node(f"{FAMILY}__validation_report")
    assert "SEEDED" in str(event.metadata["weights"].value)
    assert "grouped split" in str(event.metadata["scores"].value)


def test_reports_are_made_of_stored_predictions_without_a_fit(
    done: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(*_: object, **__: object) -> None:
        raise AssertionError("a head was fitted")

    folder = done.storage / "outputs" / f"evaluation_{FAMILY}"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("rakuten_assets.evaluation.heads.logistic.fit_logistic", fitted)
    monkeypatch.setattr("rakuten_assets.evaluation.held_out.fit_logistic", fitted)
    assert done.run("validation_report", "suspect_labels", "test_predictions").success
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_head_whose_description_was_changed_is_refused(done: Project) -> None:
    path = done.storage / "assets" / FAMILY / "head" / "head.json"
    described = json.loads(path.read_text())
    path.write_text(json.dumps({**described, "temperature": described["temperature"] * 2}))
    result = done.run("test_predictions")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    assert "its content was changed" in failure.step_failure_data.error.to_string()


def test_every_strategy_against_imbalance_is_scored(finished: Project) -> None:
    path = finished.storage / "assets" / FAMILY / "imbalance_comparison" / "imbalance_comparison.json"
    names = [one["strategy"] for one in json.loads(path.read_text())["strategies"]]
    assert names == [
        "none",
        "class weights",
        "weighted sampler",
        "focal loss",
        "random oversampling",
        "random undersampling",
        "SMOTE",
    ]


def test_the_map_shows_rows_with_features_and_a_setting_of_the_run_says_how_many(done: Project) -> None:
    path = done.storage / "assets" / FAMILY / "feature_map" / "feature_map.parquet"
    points = pd.read_parquet(path)
    valid = {split: np.load(done.storage / "outputs" / f"{split}_valid.npy") for split in ("train", "test")}
    for split, mask in valid.items():
        assert points.loc[points["split"] == split, "row"].tolist() == np.flatnonzero(mask).tolist()
    page = done.storage / "outputs" / f"evaluation_{FAMILY}" / "feature_map.html"
    before = page.read_bytes()
    assert done.run("feature_map").success
    assert page.read_bytes() == before
    result = done.job.execute_in_process(
        asset_selection=[done.key("feature_map")],
        instance=done.instance,
        run_config={"ops": {f"{FAMILY}__feature_map": {"config": {"points": 40}}}},
    )
    assert result.success
    assert len(pd.read_parquet(path)) == 40
    (event,) = result.asset_materializations_for_node(f"{FAMILY}__feature_map")
    assert event.metadata["points"].value == 40
    assert "t-SNE" in str(event.metadata["what it shows"].value)
    assert str(event.metadata["map"].value).startswith("![t-SNE of features of")


def test_the_checklist_is_answered_from_what_the_run_stored(finished: Project) -> None:
    path = finished.storage / "assets" / "readiness" / "readiness.json"
    boxes = {box["title"]: box for box in json.loads(path.read_text())["boxes"]}
    assert len(boxes) == 14
    assert {title for title, box in boxes.items() if box["answer"] == "not yet"} == set()
    yes = {title for title, box in boxes.items() if box["answer"] == "yes"}
    assert yes >= {
        "distribution of classes documented",
        "no NaN or infinity",
        "t-SNE map made",
        "class weights computed",
        "sampling strategy chosen",
        "configuration saved",
        "seeds fixed",
        "versions of packages",
    }
    # The catalogue has faults, and the stand-in's weights are none.
    assert "do not decode" in boxes["every picture is readable"]["finding"]
    assert boxes["no duplicates"]["answer"] == boxes["features validated"]["answer"] == "no"
    assert "seeded" in boxes["features validated"]["finding"]
    assert boxes["t-SNE map made"]["extractor"] == FAMILY


def _comparison(project: Project) -> tuple[dict[str, Any], dict[str, dg.MetadataValue]]:
    """What `backbone_comparison` finds, and what the interface shows of it."""
    result = project.run("backbone_comparison")
    assert result.success
    (event,) = result.asset_materializations_for_node("backbone_comparison")
    path = project.storage / "assets" / "backbone_comparison" / "backbone_comparison.json"
    return json.loads(path.read_text()), dict(event.metadata)


def _record_speed(project: Project, speed: Speed) -> None:
    document = json.loads((project.storage / "assets" / FAMILY / "metadata" / "metadata.json").read_text())
    folder = UPath(project.storage) / "cache" / "rows" / document["fingerprint"]
    folder.mkdir(parents=True)
    write_record(folder / ABOUT_FILE, {"speed": speed.as_dict()})


def test_backbones_are_compared_by_what_was_measured_and_scored(done: Project) -> None:
    found, shown = _comparison(done)
    (one,) = found["backbones"]
    summary = json.loads((done.storage / "outputs" / f"evaluation_{FAMILY}" / "summary.json").read_text())
    assert one["weighted_f1"] == summary["evaluations"]["grouped"]["scores"]["weighted_f1"]
    assert (one["images_per_second"], one["dimension"]) == (None, DIM)
    assert one["array_bytes"] == (TRAIN_ROWS + TEST_ROWS) * DIM * 4
    assert one["seeded"]
    assert "not measured" in str(shown["comparison"].value)
    assert "speed against score" not in shown, "no speed, no point"
    assert str(shown["what to take"].value).startswith(f"Only {FAMILY} has a score")
    _record_speed(done, Speed(960, 8.0, 2, "a processor"))
    found, shown = _comparison(done)
    assert found["backbones"][0]["images_per_second"] == 120
    assert "at 120 images/s" in str(shown["what to take"].value)
    assert str(shown["speed against score"].value).startswith("![speed against score, by backbone]")
    assert "960 images in 8.0 s on a processor" in str(shown["how the speed was measured"].value)


def test_a_backbone_that_is_no_longer_configured_stays_in_the_comparison(done: Project) -> None:
    other = Project(done.catalog, done.storage, done.instance, backbone="resnet18")
    found, shown = _comparison(other)
    assert [(one["backbone"], one["configured"]) for one in found["backbones"]] == [(FAMILY, False)]
    assert found["left_out"] == {"resnet18": "resnet18/train_feature_matrix is not stored"}
    assert "no longer configured" in str(shown["comparison"].value)
    assert "resnet18" in str(shown["left out"].value)


def test_a_score_of_other_features_is_none(done: Project) -> None:
    stored = Stored(Storage(UPath(done.storage), done.settings.shards))
    assert stored_extractors(stored, [FAMILY]).candidates[0].score is not None
    key = (f"{FAMILY}/head", str(stored.file(f"{FAMILY}/head", ".json")))
    stored._read[key] = {**stored.document(key[0]), "fingerprint": "0" * 64}
    (one,) = stored_extractors(stored, [FAMILY]).candidates
    assert (one.score, one.held_out) == (None, None)


def test_features_of_other_images_are_left_out_of_the_comparison(done: Project) -> None:
    """A backbone that was configured for another catalogue cannot be compared."""
    stored = Stored(Storage(UPath(done.storage), done.settings.shards))
    mine = stored.features(FAMILY, "train")
    rows = mine.rows.assign(sha256="0" * 64)
    key = (f"{FAMILY}/train_feature_matrix", str(stored.file(f"{FAMILY}/train_feature_matrix", ".npy")))
    other = (key[0].replace(FAMILY, "other"), key[1].replace(FAMILY, "other"))
    stored._read[other] = replace(mine, rows=rows)
    found = stored_extractors(stored, [FAMILY, "other"])
    assert [one.name for one in found.candidates] == [FAMILY]
    assert found.left_out == {"other": "its features are of other images"}
