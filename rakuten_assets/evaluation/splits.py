"""Splits into train and validation: the customary one, and one that no duplicate leaks through.

- `random_split` draws what everybody draws: stratified 80/20, seed 42, the rows of scikit-learn's `train_test_split`;
- `grouped_split` is as large and keeps each group of duplicates on one side;
- `grouped_folds` is its k-fold form, for out-of-fold predictions;
- `describe_split` counts what leaks and how far a split is from perfect stratification.

scikit-learn's `StratifiedGroupKFold` was nearly random with shuffle before 1.8 and still makes empty folds, so the
grouped splits are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.assignment import Ints, apportion, assign_groups, hashed
from rakuten_assets.evaluation.leakage import (
    SEED,
    VALIDATION_SHARE,
    Mask,
    check_share,
    leakage,
    leaking_rows,
)


@dataclass(frozen=True)
class SplitDescription:
    """What a split is worth.

    Attributes:
        train_rows, validation_rows: how many there are.
        leaking_rows: validation rows with a member of their group in train.
        leakage: their share of the validation rows, 0 to 1.
        largest_deviation: most rows by which a class's number in validation differs from its even share.
        mean_deviation: mean of that over the classes, in rows.
        missing_in_train, missing_in_validation: classes with no row there, as given.
    """

    train_rows: int
    validation_rows: int
    leaking_rows: int
    leakage: float
    largest_deviation: float
    mean_deviation: float
    missing_in_train: tuple[int | str, ...]
    missing_in_validation: tuple[int | str, ...]


def random_split(codes: npt.ArrayLike, share: float = VALIDATION_SHARE, seed: int = SEED) -> Mask:
    """The validation rows of the customary stratified split, which parts duplicates.

    The same rows as scikit-learn's `train_test_split(..., test_size=share, stratify=codes, random_state=seed)`, which
    public notebooks use, without its 1.5 s of import; unlike there, a class may have a single row.

    Args:
        codes: class of each row (n,), numbers or text.

    Returns:
        bool (n,), True for validation.

    Raises:
        ValueError: if `share` is not between 0 and 1.
    """
    check_share(share)
    _, classes = np.unique(np.asarray(codes), return_inverse=True)
    classes = classes.reshape(-1)
    # The legacy generator is frozen by NumPy's policy, which is why scikit-learn's splits are reproducible.
    random = np.random.RandomState(seed)
    counts = np.bincount(classes)
    for_train = _drawn(counts, floor((1 - share) * len(classes)), random)
    for_validation = _drawn(counts - for_train, ceil(share * len(classes)), random)
    validation = np.zeros(len(classes), dtype=bool)
    by_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1]) if len(counts) else []
    for rows, train, chosen in zip(by_class, for_train, for_validation, strict=True):
        validation[rows[random.permutation(len(rows))][train : train + chosen]] = True
    return validation


def grouped_split(
    codes: npt.ArrayLike, groups: npt.ArrayLike, share: float = VALIDATION_SHARE, seed: int = SEED
) -> Mask:
    """The validation rows of a stratified split that keeps every group of duplicates on one side.

    As large as `random_split`, and each class has its share of rows in validation to the row, as far as whole groups
    allow. A class whose rows lie in several groups has at least one row on both sides.

    Args:
        codes: class of each row (n,), numbers or text.
        groups: group of each row (n,), whole numbers or text; a row without duplicates has a group of its own. Ids
            that stand for a picture's content make the split independent of the rows' order.
        share: share of the rows for validation.
        seed: other seeds give other rows.

    Returns:
        bool (n,), True for validation.

    Raises:
        ValueError: if `share` is not between 0 and 1.
        CatalogError: if `groups` does not have a whole number or text for each row.
    """
    check_share(share)
    _, classes = np.unique(np.asarray(codes), return_inverse=True)
    classes = classes.reshape(-1)
    if not len(classes):
        return np.zeros(0, dtype=bool)
    counts = np.bincount(classes)
    wanted = _at_least_one(apportion(counts, ceil(share * len(classes))), counts, share)
    quotas = np.stack([counts - wanted, wanted])
    part = assign_groups(classes, groups, quotas, seed)
    validation: Mask = _cover(part, classes, groups, seed, parts=2) == 1
    return validation


def grouped_folds(codes: npt.ArrayLike, groups: npt.ArrayLike, folds: int = 5, seed: int = SEED) -> Ints:
    """The fold of each row, stratified, with every group of duplicates in one fold.

    A class whose rows lie in at least `folds` groups has a row in every fold.

    Args:
        codes: class of each row (n,), numbers or text.
        groups: group of each row (n,), as for `grouped_split`.
        folds: how many, at least 2.

    Returns:
        int64 (n,), 0 to folds-1.

    Raises:
        CatalogError: for fewer than two folds, or fewer groups than folds.
    """
    _, classes = np.unique(np.asarray(codes), return_inverse=True)
    classes = classes.reshape(-1)
    several = len(np.unique(np.asarray(groups)))
    if not 2 <= folds <= several:
        raise CatalogError(
            f"{folds} folds cannot be made of {several:,} groups of duplicates; ask for 2 to {several:,} folds"
        )
    quotas = _fold_quotas(np.bincount(classes), folds)
    return _cover(assign_groups(classes, groups, quotas, seed), classes, groups, seed, parts=folds)


def describe_split(
    codes: npt.ArrayLike, groups: npt.ArrayLike, validation: npt.ArrayLike
) -> SplitDescription:
    """Leakage of a split and its deviation from perfect stratification.

    Args:
        codes: class of each row (n,).
        groups: group of each row (n,).
        validation: bool (n,), True for validation.
    """
    names, classes = np.unique(np.asarray(codes), return_inverse=True)
    mask = np.asarray(validation, dtype=bool)
    counts = np.bincount(classes.reshape(-1), minlength=len(names))
    chosen = np.bincount(classes.reshape(-1)[mask], minlength=len(names))
    deviation = np.abs(chosen - counts * (mask.mean() if len(mask) else 0.0))
    return SplitDescription(
        train_rows=int((~mask).sum()),
        validation_rows=int(mask.sum()),
        leaking_rows=int(leaking_rows(groups, mask).sum()),
        leakage=leakage(groups, mask),
        largest_deviation=float(deviation.max(initial=0.0)),
        mean_deviation=float(deviation.mean()) if len(deviation) else 0.0,
        missing_in_train=tuple(names[chosen == counts].tolist()),
        missing_in_validation=tuple(names[chosen == 0].tolist()),
    )


def _at_least_one(wanted: Ints, counts: Ints, share: float) -> Ints:
    """Give each class of several rows one row on both sides, at the cost of those that got more than their share."""
    several = counts > 1
    bounded = np.where(several, np.clip(wanted, 1, counts - 1), wanted)
    for _ in range(int(bounded.sum() - wanted.sum())):
        above = np.where(bounded > 1, bounded - counts * share, -np.inf)
        if np.isinf(above.max()):
            break
        bounded[np.argmax(above)] -= 1
    return bounded


def _drawn(counts: npt.NDArray[np.int64], total: int, random: np.random.RandomState) -> npt.NDArray[np.int64]:
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


def _fold_quotas(counts: Ints, folds: int) -> Ints:
    """Rows of each class in each fold (folds, C): classes differ by one row at most, and so do the folds."""
    quotas = np.tile(counts // folds, (folds, 1))
    first = 0
    for code, extra in enumerate(counts % folds):
        quotas[(first + np.arange(extra)) % folds, code] += 1
        first = (first + int(extra)) % folds
    return quotas


def _cover(part: Ints, classes: Ints, groups: npt.ArrayLike, seed: int, parts: int) -> Ints:
    """Move a group into each part that lacks a class, where another part keeps one of that class.

    Only small or heavily duplicated classes need it. The smallest group that leaves no hole behind moves. No part is
    empty where there are as many groups as parts.
    """
    ids, group_of = np.unique(np.asarray(groups), return_inverse=True)
    group_of = group_of.reshape(-1)
    pairs = np.unique(np.stack([group_of, classes], axis=1), axis=0)  # Which group holds which class.
    part_of_group = np.zeros(len(ids), dtype=np.int64)
    part_of_group[group_of] = part
    held = np.zeros((parts, int(classes.max()) + 1), dtype=np.int64)
    np.add.at(held, (part_of_group[pairs[:, 0]], pairs[:, 1]), 1)
    if held.all():
        return part
    sizes, keys = np.bincount(group_of), hashed(ids.astype(str) if ids.dtype == object else ids, seed)
    for place in np.flatnonzero(~held.any(axis=1)):
        # A part of nothing is worse than one that lacks a class: the part with the most groups gives one away.
        own_groups = np.bincount(part_of_group, minlength=parts)
        if own_groups.max() < 2:
            break
        rich = np.flatnonzero(part_of_group == np.argmax(own_groups))
        group = rich[np.lexsort((keys[rich], sizes[rich]))[0]]
        own = pairs[pairs[:, 0] == group, 1]
        held[part_of_group[group], own] -= 1
        held[place, own] += 1
        part_of_group[group] = place
    for place, code in np.argwhere(held == 0):
        having = pairs[pairs[:, 1] == code, 0]
        for group in having[np.lexsort((keys[having], sizes[having]))]:
            source = part_of_group[group]
            own = pairs[pairs[:, 0] == group, 1]
            if source != place and held[place, code] == 0 and (held[source, own] > 1).all():
                held[source, own] -= 1
                held[place, own] += 1
                part_of_group[group] = place
                break
    return part_of_group[group_of]
