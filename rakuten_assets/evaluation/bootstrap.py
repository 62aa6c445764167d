"""Intervals by drawing groups of duplicates again: rows of one picture are no independent evidence.

Two sets of predictions of the same rows, with the same seed, are scored on the same draws; their differences are
paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.inputs import Doubles, checked_groups
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.evaluation.metrics import BINS, confidence_bin, confusion_matrix, scores_of_confusion

RESAMPLES = 1000
LEVEL = 0.95
METRICS = ("accuracy", "weighted_f1", "macro_f1", "rare_recall", "calibration_error")


@dataclass(frozen=True)
class Interval:
    """A score with the range in which it lies.

    Attributes:
        value: on all rows.
        low, high: percentiles of the draws.
    """

    value: float
    low: float
    high: float


def group_bootstrap(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    rare: npt.ArrayLike = (),
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Doubles]:
    """Scores of predictions on all rows and on draws of their groups.

    Args:
        probabilities: (n, C).
        labels: whole numbers (n,).
        groups: group of each row (n,); None: each row is one.
        rare: labels whose mean recall is `rare_recall`; none: 0.

    Returns:
        for each of `METRICS`, float64 (1 + resamples,): first on all rows, then on each draw.

    Raises:
        CatalogError: without a row.
    """
    values, classes = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if not len(values):
        raise CatalogError("there is no row to score; every validation row is invalid")
    num_classes = values.shape[1]
    predicted, confidence = values.argmax(axis=1), values.max(axis=1)
    _, group_of = np.unique(checked_groups(groups, len(values)), return_inverse=True)
    group_of = group_of.reshape(-1)
    several = int(group_of.max()) + 1
    chosen = np.asarray(rare, dtype=np.int64)
    bins, gap = confidence_bin(confidence), (predicted == classes) - confidence
    random = np.random.default_rng(seed)
    found = {name: np.zeros(1 + resamples) for name in METRICS}
    for draw in range(1 + resamples):
        times = (
            np.bincount(random.integers(several, size=several), minlength=several)
            if draw
            else np.ones(several, np.int64)
        )
        weights = times[group_of].astype(np.float64)
        confusion = confusion_matrix(classes, predicted, num_classes, weights)
        one = scores_of_confusion(confusion)
        found["accuracy"][draw] = one.accuracy
        found["weighted_f1"][draw] = one.weighted_f1
        found["macro_f1"][draw] = one.macro_f1
        found["rare_recall"][draw] = _recall(confusion, chosen)
        found["calibration_error"][draw] = np.abs(
            np.bincount(bins, weights * gap, minlength=BINS)
        ).sum() / max(weights.sum(), 1.0)
    return found


def interval(draws: Doubles, level: float = LEVEL) -> Interval:
    """The first value of the draws, and the percentiles of the others."""
    outside = (1 - level) / 2
    low, high = np.quantile(draws[1:], [outside, 1 - outside]) if len(draws) > 1 else (draws[0], draws[0])
    return Interval(float(draws[0]), float(low), float(high))


def difference_p_value(first: Doubles, second: Doubles) -> float:
    """Two-sided p-value that paired draws of two scores do not differ; at least 2 / (resamples + 1)."""
    differences = (first - second)[1:]
    count = len(differences) + 1
    below, above = int((differences <= 0).sum()) + 1, int((differences >= 0).sum()) + 1
    return min(1.0, 2 * min(below, above) / count)


def holm(p_values: npt.ArrayLike) -> Doubles:
    """p-values adjusted for their number: any below 0.05 is a finding at a family-wise error of 5 %.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    return adjusted


def _recall(confusion: Doubles, rare: npt.NDArray[np.int64]) -> float:
    """Mean recall of the rare classes that are there."""
    support = confusion.sum(axis=1)[rare]
    hits = np.diagonal(confusion)[rare]
    return float((hits[support > 0] / support[support > 0]).mean()) if (support > 0).any() else 0.0
