"""Predictions of every row by a head that saw neither the row nor a duplicate of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.head import Head, softmax
from rakuten_assets.evaluation.heads.temperature import fit_temperature
from rakuten_assets.evaluation.inputs import (
    Doubles,
    Floats,
    Ints,
    Mask,
    checked_features,
    checked_groups,
    checked_labels,
)
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.evaluation.splits import grouped_folds

FOLDS = 5
# fit(features, labels, groups, valid) of training rows gives a head.
Fit = Callable[[Floats, Ints, npt.NDArray[np.generic], Mask], Head]


@dataclass(frozen=True)
class OutOfFold:
    """Predictions out of fold.

    Attributes:
        logits: float32 (n, C); for invalid rows, those whose calibrated probabilities are the fold's prior.
        folds: int64 (n,).
        temperature: that calibrates the valid rows' logits.
    """

    logits: Floats
    folds: Ints
    temperature: float

    @property
    def probabilities(self) -> Doubles:
        """Calibrated, float64 (n, C)."""
        return softmax(self.logits.astype(np.float64) / self.temperature)


def out_of_fold(
    fit: Fit,
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
    *,
    folds: int = FOLDS,
    seed: int = SEED,
    log: Callable[[str], None] | None = None,
) -> OutOfFold:
    """Predict each row by a head trained on the other folds.

    Args:
        fit: trains a head; it is given the rows of the other folds and no other row.
        features: float32 (n, d).
        labels: whole numbers (n,), 0 to C-1.
        groups: group of duplicates of each row (n,); None: no row has a duplicate.
        valid: bool (n,); None: all.
        log: told of each fold in a line.

    Raises:
        CatalogError: for arrays that do not fit together, or too few groups.
    """
    values, mask = checked_features(features, valid)
    classes, members = checked_labels(labels, len(values)), checked_groups(groups, len(values))
    if not mask.any():
        raise CatalogError(f"none of the {len(values):,} rows is valid; there is nothing to train on")
    fold = grouped_folds(classes, members, folds, seed)
    logits: Floats | None = None
    for number in range(folds):
        rows, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        head = fit(values[others], classes[others], members[others], mask[others])
        if logits is None:
            logits = np.empty((len(values), len(head.codes)), dtype=np.float32)
        logits[rows] = head.logits(values[rows], mask[rows])
        if log:
            log(f"out-of-fold predictions: fold {number + 1} of {folds}")
    assert logits is not None  # There are at least two folds.
    temperature = fit_temperature(logits[mask], classes[mask])
    # The prior is a share and not a guess: no temperature changes it.
    logits[~mask] *= temperature
    return OutOfFold(logits, fold, temperature)
