"""Speed against score: which of a storage's extractors to take.

Scores are those of the grouped split, weighted F1. Differences are paired: the same draws of the same rows, scored with
each extractor's predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.bootstrap import Interval, group_bootstrap, interval
from rakuten_assets.evaluation.held_out import HeldOut
from rakuten_assets.evaluation.inputs import Doubles, Ints
from rakuten_assets.units import human_bytes, human_count

NOT_MEASURED, NOT_SCORED = "not measured", "not scored"


@dataclass(frozen=True)
class Candidate:
    """One extractor and what is known of it.

    Attributes:
        name: of the backbone.
        seeded: whether its weights are random, so that its score means nothing.
        configured: whether the settings name it now.
        score: weighted F1 on the grouped split, with its interval; None: it has none.
        images_per_second: from files to stored rows; None: it was not measured.
        measured: how and on what machine that was measured, "" for not.
        machine: the processor or GPU, and the number of threads; speeds of two machines are not compared.
        parameters: of the whole network; 0: unknown.
        dimension: length of a feature row.
        array_bytes: size of all its feature rows, train and test.
        held_out: its predictions of the grouped split's validation rows, to compare with another's.
    """

    name: str
    seeded: bool
    configured: bool
    score: Interval | None
    images_per_second: float | None
    measured: str
    machine: str
    parameters: int
    dimension: int
    array_bytes: int
    held_out: HeldOut | None = None


@dataclass(frozen=True)
class Comparison:
    """What is to be said of some extractors.

    Attributes:
        candidates: the best score first, those without one last.
        front: names of those that no other one beats in both score and speed (the Pareto front), the best score first;
            of those whose speed was measured on the machine of the best.
        differences: by name, weighted F1 minus that of the best, with the interval of the paired draws; of those whose
            predictions are of the same rows.
        advice: which one to take, in a sentence or two.
    """

    candidates: tuple[Candidate, ...]
    front: tuple[str, ...]
    differences: dict[str, Interval]
    advice: str


def compare(candidates: Sequence[Candidate], labels: npt.ArrayLike, groups: npt.ArrayLike) -> Comparison:
    """Put extractors side by side.

    Args:
        candidates: in any order.
        labels: whole numbers (n,) of all train rows.
        groups: group of duplicates of each train row (n,).
    """
    ordered = sorted(candidates, key=lambda one: (one.score is None, -_value(one), one.name))
    worth = _worth_taking(ordered)
    differences = _differences(worth, np.asarray(labels, np.int64), np.asarray(groups))
    timed = _timed(worth)
    front = tuple(one.name for one in timed if not any(_beats(other, one) for other in timed))
    return Comparison(tuple(ordered), front, differences, _advice(ordered, worth, front, differences))


def comparison_rows(comparison: Comparison) -> list[dict[str, str]]:
    """One row an extractor, in words, for a table."""
    rows = []
    for one in comparison.candidates:
        notes = [
            *(["on the Pareto front"] if one.name in comparison.front else []),
            *(["SEEDED: its features mean nothing"] if one.seeded else []),
            *([] if one.configured else ["no longer configured"]),
        ]
        difference = comparison.differences.get(one.name)
        rows.append(
            {
                "backbone": one.name,
                "weighted F1": _interval(one.score) if one.score else NOT_SCORED,
                "minus the best": f"{_interval(difference, '+.3f')}" if difference else "",
                "images/s": _speed(one),
                "parameters": f"{one.parameters / 1e6:.1f} M" if one.parameters else "unknown",
                "dimension": human_count(one.dimension),
                "arrays": human_bytes(one.array_bytes),
                "remarks": "; ".join(notes),
            }
        )
    return rows


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The figures, ready for JSON; what is unknown is null."""
    return {
        "advice": comparison.advice,
        "front": list(comparison.front),
        "backbones": [
            {
                "backbone": one.name,
                "seeded": one.seeded,
                "configured": one.configured,
                "weighted_f1": asdict(one.score) if one.score else None,
                "minus_the_best": asdict(comparison.differences[one.name])
                if one.name in comparison.differences
                else None,
                "images_per_second": one.images_per_second,
                "measured": one.measured or None,
                "parameters": one.parameters or None,
                "dimension": one.dimension,
                "array_bytes": one.array_bytes,
            }
            for one in comparison.candidates
        ],
    }


def _value(one: Candidate) -> float:
    return one.score.value if one.score else 0.0


def _worth_taking(ordered: Sequence[Candidate]) -> list[Candidate]:
    """Those with a score; of random weights only where there are no others."""
    scored = [one for one in ordered if one.score]
    return [one for one in scored if not one.seeded] or scored


def _timed(worth: Sequence[Candidate]) -> list[Candidate]:
    """Those whose speed was measured on the machine on which that of the best was, or of the best that has one."""
    timed = [one for one in worth if one.images_per_second]
    return [one for one in timed if one.machine == timed[0].machine]


def _beats(first: Candidate, second: Candidate) -> bool:
    """Whether the first is better in score or speed, and at least as good in the other."""
    speed, other = first.images_per_second or 0.0, second.images_per_second or 0.0
    better = _value(first) > _value(second) or speed > other
    return better and _value(first) >= _value(second) and speed >= other


def _differences(
    worth: Sequence[Candidate], labels: Ints, groups: npt.NDArray[np.generic]
) -> dict[str, Interval]:
    if len(worth) < 2 or (best := worth[0].held_out) is None:
        return {}
    reference = _draws(best, labels, groups)
    return {
        one.name: interval(_draws(one.held_out, labels, groups) - reference)
        for one in worth[1:]
        if one.held_out is not None and _same_rows(one.held_out, best)
    }


def _same_rows(first: HeldOut, second: HeldOut) -> bool:
    return np.array_equal(first.rows, second.rows) and np.array_equal(first.valid, second.valid)


def _draws(found: HeldOut, labels: Ints, groups: npt.NDArray[np.generic]) -> Doubles:
    rows = found.rows[found.valid]
    return group_bootstrap(found.probabilities[found.valid], labels[rows], groups[rows])["weighted_f1"]


def _advice(
    ordered: Sequence[Candidate],
    worth: Sequence[Candidate],
    front: Sequence[str],
    differences: dict[str, Interval],
) -> str:
    if not worth:
        return "No extractor has a score yet: RAKUTEN_EVALUATE says whose features are scored."
    best = worth[0]
    if len(worth) == 1:
        seeded = sum(one.score is not None for one in ordered) > 1
        return (
            f"Only {best.name} has a score{' that means something' if seeded else ''}: {_told(best)}. Name several in "
            "RAKUTEN_BACKBONE and RAKUTEN_EVALUATE to compare them here."
        )
    timed = sorted(_timed(worth), key=lambda one: -(one.images_per_second or 0.0))
    unknown = [one.name for one in worth if not one.images_per_second]
    elsewhere = [one for one in worth if one.images_per_second and one.machine != timed[0].machine]
    said = [_choice(best, timed, front, differences)]
    if unknown:
        said.append(f"The speed of {', '.join(unknown)} was not measured.")
    if elsewhere:
        others = ", ".join(f"{one.name} on {one.machine}" for one in elsewhere)
        said.append(
            f"The speed of {timed[0].name} was measured on {timed[0].machine}, that of {others}: they are not compared."
        )
    if all(one.seeded for one in worth):
        said.append("All weights are SEEDED: the scores mean nothing.")
    return " ".join(said)


def _choice(
    best: Candidate, timed: Sequence[Candidate], front: Sequence[str], differences: dict[str, Interval]
) -> str:
    if not best.images_per_second:
        return f"Take {best.name} for its score, {_told(best)}; whether another one is worth its speed is not known."
    # The fastest whose score is not certain to be another one than the best.
    for one in timed:
        if one is best:
            break
        difference = differences.get(one.name)
        if difference is not None and difference.low <= 0.0 <= difference.high:
            times = (one.images_per_second or 0.0) / best.images_per_second
            return (
                f"Take {one.name}: {_told(one)}, {times:.1f} times as fast as {best.name} ({_told(best)}), and the "
                f"difference of their scores, {_interval(difference, '+.3f')}, may be chance."
            )
    if timed[0] is best:
        return f"Take {best.name}: the best score, and the fastest that was measured, {_told(best)}."
    others = "; ".join(_named(one) for one in timed if one.name in front and one is not best)
    return f"Take {best.name} for its score, {_told(best)}; where speed counts more: {others}."


def _named(one: Candidate) -> str:
    return f"{one.name}, {_told(one)}"


def _told(one: Candidate) -> str:
    assert one.score is not None  # only those with a score are told of
    speed = f" at {_speed(one)} images/s" if one.images_per_second else ", speed not measured"
    return f"weighted F1 {_interval(one.score)}{speed}"


def _speed(one: Candidate) -> str:
    if not one.images_per_second:
        return NOT_MEASURED
    return f"{one.images_per_second:,.0f}" if one.images_per_second >= 100 else f"{one.images_per_second:.1f}"


def _interval(score: Interval, form: str = ".3f") -> str:
    return f"{score.value:{form}} ({score.low:{form}} to {score.high:{form}})"
