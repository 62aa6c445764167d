"""Odds by which rows are drawn so that every class comes up equally often."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.inputs import checked_labels


def sample_weights(labels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Weight of each row for torch's `WeightedRandomSampler(weights, len(labels), replacement=True)`.

    Args:
        labels: whole numbers (n,), of training rows.

    Returns:
        float64 (n,): 1 / rows of the row's class. Each class has the same sum.

    Raises:
        CatalogError: for a negative label.
    """
    values = checked_labels(labels, len(np.asarray(labels)))
    weights: npt.NDArray[np.float64] = 1.0 / np.bincount(values)[values]
    return weights
