"""`feature_quality`: everything that is asked of features before a head is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.inputs import Floats, Ints, checked_features, checked_groups, checked_labels
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.evaluation.quality.drift import Drift, drift
from rakuten_assets.evaluation.quality.neighbours import near_identical_pairs, neighbour_agreement
from rakuten_assets.evaluation.quality.statistics import (
    FeatureStatistics,
    feature_statistics,
    principal_scores,
)

COMPONENTS = 10


@dataclass(frozen=True)
class FeatureQuality:
    """What is known of the features of train and test.

    Attributes:
        train, test: their statistics; test is None where no valid row was given.
        agreement: mean share of a train row's nearest rows that have its label.
        chance_agreement: what it would be if labels were dealt at random.
        near_identical: int64 (pairs, 2): train rows of different pictures with the same features.
        drift: of test against train; None where one of them has fewer than two groups of valid rows.
    """

    train: FeatureStatistics
    test: FeatureStatistics | None
    agreement: float
    chance_agreement: float
    near_identical: Ints
    drift: Drift | None


def feature_quality(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
    *,
    test_features: npt.ArrayLike | None = None,
    test_groups: npt.ArrayLike | None = None,
    test_valid: npt.ArrayLike | None = None,
    head: Head | None = None,
    seed: int = SEED,
    log: Callable[[str], None] | None = None,
) -> FeatureQuality:
    """Judge the features of train, and of test beside them.

    Args:
        features: float32 (n, d) of train; may be memory-mapped: rows are read in blocks.
        labels: whole numbers (n,).
        groups: group of duplicates of each row (n,); None: no row has a duplicate.
        valid: bool (n,); None: all.
        test_features, test_groups, test_valid: of test; groups numbered as in train, or None.
        head: its outputs on both are compared too.
        log: told of each step in a line.

    Returns:
        pairs and telling rows are row numbers of `features` and `test_features`.

    Raises:
        CatalogError: for arrays that do not fit together, or without a valid row of train.
    """
    say = log or (lambda _: None)
    values, mask = checked_features(features, valid)
    classes, members = checked_labels(labels, len(values)), checked_groups(groups, len(values))
    rows = np.flatnonzero(mask)
    say("feature quality: spectrum of train")
    train = feature_statistics(values, rows)
    say("feature quality: neighbours")
    agreement = neighbour_agreement(values, rows, classes, members, seed=seed)
    share = np.bincount(classes[rows]) / len(rows)
    pairs = near_identical_pairs(values, rows, members, seed=seed)
    test, moved = None, None
    if test_features is not None:
        say("feature quality: test against train")
        others, other_mask = checked_features(test_features, test_valid)
        other_rows = np.flatnonzero(other_mask)
        test = feature_statistics(others, other_rows) if len(other_rows) else None
        other_members = (
            # Without groups, a test row is a duplicate of nothing in train.
            np.char.add("test ", np.arange(len(others)).astype(str))
            if test_groups is None
            else checked_groups(test_groups, len(others)).astype(str)
        )
        # Each fold of the domain classifier is trained on rows of both splits: that takes two groups of each.
        if min(len(np.unique(members[rows])), len(np.unique(other_members[other_rows]))) > 1:
            compared, columns = _compared(values, rows, train, head)
            other_compared, _ = _compared(others, other_rows, train, head)
            found = drift(
                values[rows],
                others[other_rows],
                members[rows].astype(str),
                other_members[other_rows],
                compared,
                other_compared,
                columns,
                seed=seed,
            )
            moved = _with_rows(found, rows, other_rows)
    return FeatureQuality(train, test, agreement, float(np.square(share).sum()), pairs, moved)


def _compared(
    values: Floats, rows: Ints, train: FeatureStatistics, head: Head | None
) -> tuple[Floats, tuple[str, ...]]:
    """Leading principal components of train, and the head's probabilities, of `rows`."""
    count = min(COMPONENTS, train.dimensions)
    scores = principal_scores(values, rows, train, count)
    columns = tuple(f"component {number + 1}" for number in range(count))
    if head is None:
        return scores, columns
    outputs = head.probabilities(values[rows]).astype(np.float32)
    return np.concatenate([scores, outputs], axis=1), columns + tuple(f"class {code}" for code in head.codes)


def _with_rows(found: Drift, rows: Ints, other_rows: Ints) -> Drift:
    return replace(
        found, telling_train=rows[found.telling_train], telling_test=other_rows[found.telling_test]
    )
