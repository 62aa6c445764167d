"""Leakage: validation rows whose picture also stands in train, under a plain split and a duplicate-aware one.

- `stratified_split` draws what everybody draws: 80/20, stratified, seed 42;
- `duplicate_aware_split` draws the same numbers a class, and keeps every group of duplicates on one side;
- `leakage` measures a split, `expected_leakage` averages over all stratified splits, in closed form.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
import numpy.typing as npt

VALIDATION_SHARE = 0.2
SEED = 42

Mask = npt.NDArray[np.bool_]


def stratified_split(codes: npt.ArrayLike, share: float = VALIDATION_SHARE, seed: int = SEED) -> Mask:
    """The validation rows of a plain stratified split.

    The same rows as scikit-learn's `train_test_split(..., test_size=share, stratify=codes,
    random_state=seed)`, which public notebooks use, without its 1.5 s of import; unlike there, a class may
    have a single row.

    Args:
        codes: class of each row (n,), numbers or text.

    Returns:
        bool (n,), True for validation.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """
    _check_share(share)
    _, classes = np.unique(np.asarray(codes), return_inverse=True)
    classes = classes.reshape(-1)
    # The legacy generator is frozen by NumPy's policy, which is why scikit-learn's splits are reproducible.
    random = np.random.RandomState(seed)
    counts = np.bincount(classes)
    for_train = _proportional(counts, floor((1 - share) * len(classes)), random)
    for_validation = _proportional(counts - for_train, ceil(share * len(classes)), random)
    validation = np.zeros(len(classes), dtype=bool)
    by_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1]) if len(counts) else []
    for rows, train, chosen in zip(by_class, for_train, for_validation, strict=True):
        validation[rows[random.permutation(len(rows))][train : train + chosen]] = True
    return validation


def duplicate_aware_split(
    codes: npt.ArrayLike, groups: npt.ArrayLike, share: float = VALIDATION_SHARE, seed: int = SEED
) -> Mask:
    """The validation rows of a stratified split that never parts a group of duplicates.

    Groups are drawn first, largest first (a large one fits only while there is room), then single rows fill
    each class to its number of validation rows: `share` of its rows, rounded. A class made of few large
    groups may get fewer.

    Args:
        codes: class of each row (n,), numbers or text.
        groups: group of each row (n,); a row without duplicates has a group of its own.

    Returns:
        bool (n,), True for validation. It depends on the seed and on the rows' order.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """
    _check_share(share)
    _, classes = np.unique(np.asarray(codes), return_inverse=True)
    classes = classes.reshape(-1)
    duplicates, alone = _duplicates(groups)
    random = np.random.default_rng(seed)
    room = np.rint(np.bincount(classes) * share).astype(np.int64)
    validation = np.zeros(len(classes), dtype=bool)
    sizes = np.array([len(rows) for rows in duplicates], dtype=np.int64)
    shuffled = random.permutation(len(duplicates))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        needed = np.bincount(classes[duplicates[group]], minlength=len(room))
        if random.random() < share and (needed <= room).all():
            validation[duplicates[group]] = True
            room -= needed
    single = random.permutation(alone)
    for code in range(len(room)):
        validation[single[classes[single] == code][: room[code]]] = True
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
    _check_share(share)
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


def _proportional(
    counts: npt.NDArray[np.int64], total: int, random: np.random.RandomState
) -> npt.NDArray[np.int64]:
    """Share `total` draws among classes by `counts`; the largest remainders round up, ties by chance."""
    if not len(counts) or not counts.sum():
        return np.zeros_like(counts)
    exact = counts / counts.sum() * total
    drawn = np.floor(exact)
    left = int(total - drawn.sum())
    remainder = exact - drawn
    for value in np.sort(np.unique(remainder))[::-1]:
        if left <= 0:
            break
        tied = np.flatnonzero(remainder == value)
        chosen = random.choice(tied, size=min(len(tied), left), replace=False)
        drawn[chosen] += 1
        left -= len(chosen)
    whole: npt.NDArray[np.int64] = drawn.astype(np.int64)
    return whole


def _duplicates(groups: npt.ArrayLike) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
    """The rows of each group of several, and the rows that are alone in theirs."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group_of.reshape(-1))[group_of.reshape(-1)]
    rows = np.flatnonzero(sizes > 1)
    rows = rows[np.argsort(group_of.reshape(-1)[rows], kind="stable")]
    parts = np.flatnonzero(np.diff(group_of.reshape(-1)[rows])) + 1
    return (np.split(rows, parts) if len(rows) else []), np.flatnonzero(sizes == 1)


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"the validation share lies between 0 and 1, exclusive; it is {share}")
