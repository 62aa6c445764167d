"""Which extractor to take: the front, paired differences, and what is said where little is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.evaluation.backbone_comparison import (
    Candidate,
    compare,
    comparison_document,
    comparison_rows,
)
from rakuten_assets.evaluation.bootstrap import Interval
from rakuten_assets.evaluation.held_out import HeldOut

NOBODY = (np.zeros(1, np.int64), np.zeros(1, np.int64))
CLASSES, ROWS = 3, 240
LABELS, GROUPS = np.arange(ROWS) % CLASSES, np.arange(ROWS) // 2


def candidate(name: str, score: float | None, speed: float | None = 100.0, seeded: bool = False) -> Candidate:
    interval = None if score is None else Interval(score, score - 0.02, score + 0.02)
    measured = "openvino f32" if speed else ""
    machine = "a processor, 2 threads" if speed else ""
    return Candidate(name, seeded, True, interval, speed, measured, machine, 5_288_548, 1280, 4_000_000)


def predicting(name: str, wrong: int, speed: float, first: int = 0) -> Candidate:
    """A candidate whose predictions err in so many rows, from row `first` on."""
    said = LABELS.copy()
    said[first : first + wrong] = (said[first : first + wrong] + 1) % CLASSES
    probabilities = np.full((ROWS, CLASSES), 0.1)
    probabilities[np.arange(ROWS), said] = 0.8
    rows = np.arange(ROWS)
    found = HeldOut(rows, np.zeros(ROWS, np.int64), np.ones(ROWS, bool), probabilities, 1.0, 1.0)
    return replace(candidate(name, 1 - wrong / ROWS, speed), held_out=found)


def test_one_that_is_better_in_both_is_the_one_to_take() -> None:
    found = compare([candidate("slow", 0.3, 50.0), candidate("good", 0.5, 190.0)], *NOBODY)
    assert found.front == ("good",)
    assert found.advice.startswith("Take good: the best score, and the fastest that was measured")
    assert "0.500 (0.480 to 0.520) at 190 images/s" in found.advice
    assert [row["backbone"] for row in comparison_rows(found)] == ["good", "slow"]


def test_where_score_and_speed_disagree_both_are_named() -> None:
    found = compare([predicting("fast", 90, 190.0), predicting("exact", 20, 50.0)], LABELS, GROUPS)
    assert found.front == ("exact", "fast")
    assert found.advice.startswith("Take exact for its score")
    assert "where speed counts more: fast" in found.advice
    assert found.differences["fast"].high < 0


def test_a_difference_that_may_be_chance_is_not_worth_the_time() -> None:
    """Both err in as many rows as makes no matter; the intervals of the scores alone would say as much of any pair."""
    slow, fast = predicting("slow", 20, 50.0), predicting("fast", 22, 150.0, first=100)
    found = compare([slow, fast], LABELS, GROUPS)
    assert found.front == ("slow", "fast")
    difference = found.differences["fast"]
    assert difference.low < 0 < difference.high
    assert found.advice.startswith("Take fast:")
    assert "3.0 times as fast as slow" in found.advice
    assert "may be chance" in found.advice


def test_differences_are_paired() -> None:
    """The faster one errs in the same rows and a few more: certain, though both scores' intervals overlap."""
    slow, fast = predicting("slow", 60, 50.0), predicting("fast", 72, 150.0)
    found = compare([slow, fast], LABELS, GROUPS)
    assert found.differences["fast"].high < 0
    assert found.advice.startswith("Take slow for its score")
    assert found.differences["fast"].value == pytest.approx(-12 / ROWS, abs=0.01)


def test_predictions_of_other_rows_are_not_compared() -> None:
    slow, fast = predicting("slow", 20, 50.0), predicting("fast", 22, 150.0)
    assert fast.held_out is not None
    fewer = np.ones(ROWS, bool)
    fewer[7] = False
    fast = replace(fast, held_out=replace(fast.held_out, valid=fewer))
    found = compare([slow, fast], LABELS, GROUPS)
    assert found.differences == {}
    assert found.advice.startswith("Take slow for its score")


@pytest.mark.parametrize("others", [[], [candidate("other", None)]])
def test_one_score_has_nothing_to_be_compared_with(others: list[Candidate]) -> None:
    found = compare([candidate("lone", 0.4), *others], *NOBODY)
    assert found.front == ("lone",)
    assert found.advice.startswith("Only lone has a score: weighted F1 0.400")
    assert "RAKUTEN_EVALUATE" in found.advice


def test_a_seeded_extractor_is_never_the_one_to_take() -> None:
    found = compare([candidate("trained", 0.2), candidate("seeded", 0.6, 900.0, seeded=True)], *NOBODY)
    assert found.front == ("trained",)
    assert found.advice.startswith("Only trained has a score that means something")
    assert comparison_rows(found)[0]["remarks"] == "SEEDED: its features mean nothing"
    all_seeded = compare([candidate("a", 0.1, seeded=True), candidate("b", 0.2, seeded=True)], *NOBODY)
    assert "the scores mean nothing" in all_seeded.advice


def test_a_speed_that_nobody_measured_is_not_made_up() -> None:
    found = compare([candidate("timed", 0.3), candidate("untimed", 0.5, None)], *NOBODY)
    assert found.front == ("timed",)
    assert "Take untimed for its score" in found.advice
    assert "The speed of untimed was not measured." in found.advice
    assert [row["images/s"] for row in comparison_rows(found)] == ["not measured", "100"]
    document = json.loads(json.dumps(comparison_document(found)))
    assert document["backbones"][0]["images_per_second"] is None
    alone = compare([candidate("untimed", 0.5, None)], *NOBODY)
    assert (alone.front, "speed not measured" in alone.advice) == ((), True)


def test_speeds_of_two_machines_are_not_compared() -> None:
    gpu = replace(predicting("fast", 22, 9000.0, first=100), machine="a GPU, 16 threads")
    found = compare([predicting("slow", 20, 50.0), gpu, predicting("slower", 90, 40.0)], LABELS, GROUPS)
    assert found.front == ("slow",)
    assert found.advice.startswith("Take slow: the best score, and the fastest that was measured")
    assert found.advice.endswith(
        "The speed of slow was measured on a processor, 2 threads, that of fast on a GPU, 16 threads: they are not "
        "compared."
    )
    turned = compare([replace(predicting("slow", 20, 50.0), images_per_second=None), gpu], LABELS, GROUPS)
    assert turned.front == ("fast",)
    assert "not compared" not in turned.advice


def test_without_a_score_there_is_no_advice() -> None:
    for candidates in ([], [candidate("a", None)]):
        found = compare(candidates, *NOBODY)
        assert found.front == ()
        assert "No extractor has a score yet" in found.advice
    assert comparison_rows(found)[0]["weighted F1"] == "not scored"


POINTS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.4]), st.sampled_from([50.0, 60.0, 70.0])), min_size=2
)


@given(POINTS)
def test_the_front_is_what_no_other_one_beats(points: list[tuple[float, float]]) -> None:
    candidates = [candidate(f"c{n}", *point) for n, point in enumerate(points)]
    front = compare(candidates, *NOBODY).front
    for n, (score, speed) in enumerate(points):
        beaten = any(s >= score and v >= speed and (s, v) != (score, speed) for s, v in points)
        assert (f"c{n}" in front) == (not beaten)
