"""Weights that make every class count the same in a loss."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError


def balanced_class_weights(labels: npt.ArrayLike, num_classes: int) -> npt.NDArray[np.float64]:
    """Weight of each class: n / (num_classes * rows of the class), as scikit-learn's "balanced".

    The weights of all rows sum to n. Source: King and Zeng, "Logistic regression in rare events data", 2001.

    Args:
        labels: whole numbers (n,) from 0 to num_classes - 1, each at least once.

    Returns:
        float64 (num_classes,), positive.

    Raises:
        CatalogError: for a label outside that range, or a class without a row.
    """
    values = np.asarray(labels, dtype=np.int64)
    outside = np.flatnonzero((values < 0) | (values >= num_classes))
    if outside.size:
        raise CatalogError(
            f"row {outside[0]}: label {values[outside[0]]} is outside 0 to {num_classes - 1}; make the "
            "labels with the label encoder of the same catalogue"
        )
    counts = np.bincount(values, minlength=num_classes)
    empty = np.flatnonzero(counts == 0)
    if empty.size or num_classes < 1:
        which = ", ".join(map(str, empty[:10])) or "none given"
        raise CatalogError(
            f"a weight needs at least one row of each of the {num_classes} classes; without a row: {which}. "
            "Fit the label encoder on these labels"
        )
    return np.asarray(values.size / (num_classes * counts), dtype=np.float64)
