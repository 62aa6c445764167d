"""Which rows a head is trained on, and which part of them it holds back to choose its settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.inputs import (
    Doubles,
    Floats,
    Ints,
    checked_features,
    checked_groups,
    checked_labels,
)
from rakuten_assets.evaluation.splits import grouped_folds

INNER_FOLDS = 5


@dataclass(frozen=True)
class TrainingRows:
    """Valid rows, checked, with grouped folds among them.

    Attributes:
        features: float32 (n, d), all rows.
        rows: int64 (m,): the valid ones.
        labels: int64 (m,).
        folds: int64 (m,): fold of each; a group is in one fold.
        codes: int64 (C,).
        prior: float64 (C,): shares of the classes.
    """

    features: Floats
    rows: Ints
    labels: Ints
    folds: Ints
    codes: Ints
    prior: Doubles

    @property
    def num_classes(self) -> int:
        return len(self.codes)


def training_rows(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None,
    valid: npt.ArrayLike | None,
    codes: npt.ArrayLike | None,
    seed: int,
) -> TrainingRows:
    """Check what a head is given, leave invalid rows out and make the inner folds.

    Raises:
        CatalogError: for arrays that do not fit together, fewer than two classes, or fewer than two groups.
    """
    values, mask = checked_features(features, valid)
    given = None if codes is None else np.asarray(codes, dtype=np.int64)
    classes = checked_labels(labels, len(values), None if given is None else len(given))
    known = given if given is not None else np.arange(int(classes.max(initial=0)) + 1)
    rows = np.flatnonzero(mask)
    chosen, members = classes[rows], checked_groups(groups, len(values))[rows]
    counts = np.bincount(chosen, minlength=len(known))
    several = len(np.unique(members))
    if (counts > 0).sum() < 2 or several < 2:
        raise CatalogError(
            f"a head needs valid rows of at least two classes and two groups; there are {len(rows):,} valid rows, "
            f"{int((counts > 0).sum())} classes and {several:,} groups"
        )
    folds = grouped_folds(chosen, members, min(INNER_FOLDS, several), seed)
    return TrainingRows(values, rows, chosen, folds, known, counts / counts.sum())
