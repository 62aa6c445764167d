"""Rows whose label their picture contradicts.

Confident learning: a class is confidently predicted where its probability reaches the mean that it has among rows
with that label; a row is suspect where the most probable of its confident classes is not its label. The probabilities
must come out of grouped folds, so that no duplicate vouches for its twin.

Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.inputs import Mask, checked_groups, checked_labels

COLUMNS = ("row", "label", "suggested", "label_probability", "suggested_probability", "known_conflict")


def suspect_labels(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Rank suspect rows: known conflicts first, then by how much the suggestion is more probable than the label.

    A known conflict is a row of a group whose rows have different labels: one of them is wrong, whatever a head says.
    Its suggestion is the most probable label among the group's.

    Args:
        probabilities: calibrated out-of-fold probabilities (n, C).
        labels: whole numbers (n,), 0 to C-1.
        groups: group of duplicates of each row (n,); None: no row has a duplicate.
        valid: bool (n,); invalid rows have no picture to contradict their label, but may be known conflicts.

    Returns:
        a row each, with `COLUMNS`.

    Raises:
        CatalogError: for arrays that do not fit together.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 2:
        raise CatalogError(f"probabilities are a table (rows, classes); given are {values.shape}")
    count, num_classes = values.shape
    classes = checked_labels(labels, count, num_classes)
    members = checked_groups(groups, count)
    mask = np.ones(count, dtype=bool) if valid is None else np.asarray(valid, dtype=bool)

    known = conflicting_rows(classes, members)
    confident = values >= _thresholds(values[mask], classes[mask], num_classes)
    likely = np.where(confident, values, -1.0)
    suggested = likely.argmax(axis=1)
    contradicted = mask & (likely.max(axis=1) >= 0) & (suggested != classes)
    suggested = np.where(contradicted, suggested, values.argmax(axis=1))
    if known.any():
        suggested[known] = _likeliest_of_group(values, classes, members, known)

    rows = np.flatnonzero(known | contradicted)
    margin = values[rows, suggested[rows]] - values[rows, classes[rows]]
    rows = rows[np.lexsort((rows, -margin, ~known[rows]))]
    return pd.DataFrame(
        {
            "row": rows,
            "label": classes[rows],
            "suggested": suggested[rows],
            "label_probability": values[rows, classes[rows]],
            "suggested_probability": values[rows, suggested[rows]],
            "known_conflict": known[rows],
        },
        columns=list(COLUMNS),
    )


def conflicting_rows(labels: npt.ArrayLike, groups: npt.ArrayLike) -> Mask:
    """Rows of a group whose rows have different labels (or folds): bool (n,)."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    pairs = np.unique(np.stack([group_of.reshape(-1), np.asarray(labels, dtype=np.int64)], axis=1), axis=0)
    several: Mask = np.bincount(pairs[:, 0])[group_of.reshape(-1)] > 1
    return several


def _thresholds(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], num_classes: int
) -> npt.NDArray[np.float64]:
    """Mean probability of each class among the rows with that label; a class without rows is never confident."""
    rows = np.bincount(labels, minlength=num_classes)
    own = np.bincount(labels, probabilities[np.arange(len(labels)), labels], minlength=num_classes)
    mean: npt.NDArray[np.float64] = np.divide(own, rows, out=np.full(num_classes, np.inf), where=rows > 0)
    return mean


def _likeliest_of_group(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    groups: npt.NDArray[np.generic],
    known: Mask,
) -> npt.NDArray[np.int64]:
    """For each known conflict, the most probable by the group's mean of the labels that its group has."""
    _, group_of = np.unique(groups[known], return_inverse=True)
    group_of = group_of.reshape(-1)
    several, num_classes = int(group_of.max()) + 1, probabilities.shape[1]
    mean = np.zeros((several, num_classes))
    np.add.at(mean, group_of, probabilities[known])
    has = np.zeros((several, num_classes), dtype=bool)
    has[group_of, labels[known]] = True
    likeliest: npt.NDArray[np.int64] = np.where(has, mean, -1.0).argmax(axis=1)[group_of]
    return likeliest
