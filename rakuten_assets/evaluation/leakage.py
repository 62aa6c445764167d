"""Leakage: validation rows whose picture also stands in train.

- `leakage` measures a split, `expected_leakage` averages over all stratified splits, in closed form;
- `duplicate_aware_split` shows that a split without leakage is as large.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.assignment import assign_groups

VALIDATION_SHARE = 0.2
SEED = 42

Mask = npt.NDArray[np.bool_]


def duplicate_aware_split(
    codes: npt.ArrayLike, groups: npt.ArrayLike, share: float = VALIDATION_SHARE, seed: int = SEED
) -> Mask:
    """The validation rows of a stratified split that never parts a group of duplicates.

    Each class gets `share` of its rows, rounded, and never more; a class made of few large groups may get fewer.
    `splits.grouped_split` is the one to train with: it is as large as the customary split and leaves no class out.

    Args:
        codes: class of each row (n,), numbers or text.
        groups: group of each row (n,); a row without duplicates has a group of its own.

    Returns:
        bool (n,), True for validation.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """
    check_share(share)
    _, classes = np.unique(np.asarray(codes), return_inverse=True)
    classes = classes.reshape(-1)
    counts = np.bincount(classes)
    wanted = np.rint(counts * share).astype(np.int64)
    part = assign_groups(classes, groups, np.stack([counts - wanted, wanted]), seed, spill=0)
    validation: Mask = part == 1
    return validation


def leaking_rows(groups: npt.ArrayLike, validation: npt.ArrayLike) -> Mask:
    """Validation rows that have a member of their group in train: bool (n,)."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    group_of, mask = group_of.reshape(-1), np.asarray(validation, dtype=bool)
    in_train = np.zeros(int(group_of.max()) + 1 if len(group_of) else 0, dtype=bool)
    in_train[group_of[~mask]] = True
    leaking: Mask = mask & in_train[group_of]
    return leaking


def leakage(groups: npt.ArrayLike, validation: npt.ArrayLike) -> float:
    """Share of the validation rows that have a member of their group in train, 0 to 1."""
    chosen = int(np.count_nonzero(validation))
    return int(leaking_rows(groups, validation).sum()) / chosen if chosen else 0.0


def expected_leakage(codes: npt.ArrayLike, groups: npt.ArrayLike, share: float = VALIDATION_SHARE) -> float:
    """Mean of `leakage` over all stratified splits, exactly.

    A group is without leak where all of its members fall on one side. With v of a class's n rows drawn for
    validation, m given rows are all among them with probability v/n * (v-1)/(n-1) * ... (m factors); classes
    are drawn independently.

    Args:
        codes: class of each row (n,).
        groups: group of each row (n,).
        share: share of each class that is drawn for validation.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """
    check_share(share)
    _, classes = np.unique(np.asarray(codes), return_inverse=True)
    classes = classes.reshape(-1)
    totals = np.bincount(classes).astype(np.float64)
    drawn = totals * share
    duplicates, _ = _duplicates(groups)
    leaking = 0.0
    for rows in duplicates:
        all_in_validation = 1.0
        for code, count in zip(*np.unique(classes[rows], return_counts=True), strict=True):
            steps = np.arange(count)
            all_in_validation *= float(np.prod(np.maximum(drawn[code] - steps, 0) / (totals[code] - steps)))
        leaking += len(rows) * (share - all_in_validation)
    return max(leaking, 0.0) / float(drawn.sum()) if len(classes) else 0.0


def _duplicates(groups: npt.ArrayLike) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
    """The rows of each group of several, and the rows that are alone in theirs."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group_of.reshape(-1))[group_of.reshape(-1)]
    rows = np.flatnonzero(sizes > 1)
    rows = rows[np.argsort(group_of.reshape(-1)[rows], kind="stable")]
    parts = np.flatnonzero(np.diff(group_of.reshape(-1)[rows])) + 1
    return (np.split(rows, parts) if len(rows) else []), np.flatnonzero(sizes == 1)


def check_share(share: float) -> None:
    """Refuse a share that is not between 0 and 1, both exclusive."""
    if not 0 < share < 1:
        raise ValueError(f"the validation share lies between 0 and 1, exclusive; it is {share}")
