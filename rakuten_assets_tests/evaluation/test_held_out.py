"""Held-out predictions, the report made of them, and what must hold, on stand-in features with known answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rakuten_assets.evaluation import verdicts
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.standardisation import Standardisation
from rakuten_assets.evaluation.held_out import (
    EVALUATIONS,
    GROUPED,
    IN_FOLDS,
    RANDOM,
    HeldOut,
    held_out_of,
    held_out_predictions,
    held_out_table,
)
from rakuten_assets.evaluation.predictions import predict_test
from rakuten_assets.evaluation.reporting.contents import ValidationReport, build_report, summary
from rakuten_assets.evaluation.reporting.page import headline, report_html
from rakuten_assets.evaluation.splits import grouped_split, random_split
from rakuten_assets.pages.contact_sheets import Sheet, Tile

CODES = np.array([10, 40, 1140])
ROWS = 240


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Any]:
    """Features that tell little of the label, in pairs of duplicates: who has seen the twin knows more."""
    random = np.random.default_rng(3)
    labels = np.repeat(random.integers(0, 3, ROWS // 2), 2)
    features = np.repeat(random.normal(size=(ROWS // 2, 80)), 2, axis=0).astype(np.float32)
    features += np.eye(3, 80, dtype=np.float32)[labels] * 2
    groups = np.repeat([f"group {n:03d}" for n in range(ROWS // 2)], 2)
    valid = np.ones(ROWS, dtype=bool)
    valid[[4, 5, 100]] = False
    features[~valid] = 0
    return {"features": features, "labels": labels, "groups": groups, "valid": valid}


@pytest.fixture(scope="module")
def found(catalogue: dict[str, Any]) -> dict[str, HeldOut]:
    splits = {
        RANDOM: random_split(catalogue["labels"]),
        GROUPED: grouped_split(catalogue["labels"], catalogue["groups"]),
    }
    return held_out_predictions(**catalogue, splits=splits, codes=CODES)


@pytest.fixture(scope="module")
def report(catalogue: dict[str, Any], found: dict[str, HeldOut]) -> ValidationReport:
    return build_report(
        found,
        catalogue["labels"],
        catalogue["groups"],
        CODES,
        extractor="<b>stand-in</b>",
        weights_note="state dict",
        seeded=False,
        resamples=100,
    )


def test_only_the_customary_split_is_flattered_by_duplicates(report: ValidationReport) -> None:
    accuracy = {name: one.scores["accuracy"].value for name, one in report.evaluations.items()}
    assert accuracy[RANDOM] > max(accuracy[GROUPED], accuracy[IN_FOLDS]) + 0.05
    assert report.evaluations[RANDOM].leakage > 0.5
    assert report.evaluations[GROUPED].leakage == report.evaluations[IN_FOLDS].leakage == 0
    assert "On the grouped split there is none" in report_html(report)


def test_groups_that_changed_since_the_split_are_seen(
    catalogue: dict[str, Any], found: dict[str, HeldOut]
) -> None:
    other = np.roll(catalogue["groups"], 1)  # Another row is each one's twin.
    stale = build_report(
        found, catalogue["labels"], other, CODES, extractor="x", weights_note="", seeded=False, resamples=10
    )
    assert stale.honest.leaking > 0 < stale.evaluations[IN_FOLDS].leaking
    assert "make the split and the predictions again" in report_html(stale)


def test_every_row_is_predicted_once_and_survives_the_table(
    catalogue: dict[str, Any], found: dict[str, HeldOut]
) -> None:
    table = held_out_table(found, CODES)
    assert list(table.columns[-3:]) == ["10", "40", "1140"]
    for name in EVALUATIONS:
        back = held_out_of(table, name)
        np.testing.assert_array_equal(back.rows, found[name].rows)
        np.testing.assert_allclose(back.probabilities, found[name].probabilities, atol=1e-6)
        assert (back.penalty, back.temperature) == (found[name].penalty, found[name].temperature)
    assert all(one.passed for one in verdicts.held_out_complete(found, ROWS, catalogue["groups"]))


def test_rows_without_features_are_left_out_of_scores(report: ValidationReport) -> None:
    whole = report.evaluations[IN_FOLDS]
    assert (whole.rows, whole.left_out) == (ROWS - 3, 3)
    assert whole.confusion.sum() == ROWS - 3
    assert whole.classes["rows"].sum() == ROWS - 3


def test_a_group_in_two_folds_and_a_row_that_is_missing_are_seen(
    catalogue: dict[str, Any], found: dict[str, HeldOut]
) -> None:
    whole = found[IN_FOLDS]
    folds = whole.folds.copy()
    folds[0] = (folds[1] + 1) % 5
    broken = {**found, IN_FOLDS: replace(whole, folds=folds)}
    complete, spanning = verdicts.held_out_complete(broken, ROWS, catalogue["groups"])
    assert complete.passed
    assert not spanning.passed
    assert spanning.details["groups in several folds"] == 1
    complete, _ = verdicts.held_out_complete(found, ROWS + 1, catalogue["groups"])
    assert complete.stops


def test_no_score_is_a_warning_for_seeded_weights_and_stops_others(report: ValidationReport) -> None:
    honest = report.honest
    scores = {
        **honest.scores,
        "weighted_f1": replace(honest.scores["weighted_f1"], value=0.1, low=0.05, high=0.2),
    }
    poor = replace(
        report,
        evaluations={
            **report.evaluations,
            GROUPED: replace(
                honest, rows=100, scores=scores, baseline=replace(honest.baseline, weighted_f1=0.15)
            ),
        },
    )
    assert verdicts.above_majority(poor).stops
    few = replace(poor, evaluations={**poor.evaluations, GROUPED: replace(poor.honest, rows=99)})
    assert not verdicts.above_majority(few).passed
    assert not verdicts.above_majority(few).stops
    seeded = verdicts.above_majority(replace(poor, seeded=True))
    assert not seeded.passed
    assert not seeded.stops
    assert "mean nothing" in seeded.summary


def test_splits_and_predictions_are_held_to_what_they_promise() -> None:
    groups = np.array(["a", "a", "b", "c"])
    assert verdicts.no_group_spans(groups, [True, True, False, False]).passed
    assert verdicts.no_group_spans(groups, [True, False, False, False]).stops
    head = Head(
        "logistic",
        Standardisation(np.zeros(2, np.float32), np.ones(2, np.float32)),
        ((np.eye(2, 3, dtype=np.float32), np.zeros(3, np.float32)),),
        CODES,
        np.array([0.5, 0.3, 0.2]),
    )
    index = np.array([84916, 84917])
    made = predict_test(head, np.ones((2, 2), np.float32), index, [True, False])
    assert made.quarantined.tolist() == [84917]
    assert all(one.passed for one in verdicts.predictions_complete(made, index))
    lacking, _ = verdicts.predictions_complete(made, np.array([84916, 84917, 84918]))
    assert lacking.stops
    _, sums = verdicts.predictions_complete(replace(made, probabilities=made.probabilities * 1.1), index)
    assert sums.stops


def test_many_suspects_warn_and_stop_nothing() -> None:
    suspects = pd.DataFrame({"known_conflict": [True] * 30})
    verdict = verdicts.suspect_share(suspects, 100, 0.25)
    assert (verdict.passed, verdict.stops) == (False, False)
    assert verdicts.suspect_share(suspects, 1000, 0.25).passed


def test_the_page_is_whole_without_a_network_and_says_both_scores(report: ValidationReport) -> None:
    tile = Tile("a.jpg", "10, called 40 <script>", "train 3", "data:image/jpeg;base64,AA==")
    page = report_html(report, Sheet("mistakes", "most confident mistakes", 1, ((tile,),)))
    assert "default-src 'none'" in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert "<script" not in page and "<b>stand-in" not in page
    assert f"{report.honest.scores['weighted_f1'].value:.3f}" in page
    assert f"{report.evaluations[RANDOM].scores['weighted_f1'].value:.3f}" in page
    assert report_html(report, None) == report_html(report, None)
    assert "have a duplicate in train" in headline(report)


def test_seeded_weights_are_told_at_the_top(report: ValidationReport) -> None:
    assert "mean nothing" in headline(replace(report, seeded=True))
    assert "mean nothing" not in headline(report)


def test_the_summary_is_json_with_the_pages_figures(report: ValidationReport) -> None:
    document = json.loads(json.dumps(summary(report), allow_nan=False))
    grouped = document["evaluations"][GROUPED]
    assert grouped["scores"]["weighted_f1"]["value"] == report.honest.scores["weighted_f1"].value
    assert np.sum(grouped["confusion"]) == grouped["rows"] == report.honest.rows
