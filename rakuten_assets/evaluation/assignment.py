"""Which part of a split each group of duplicates goes to: whole groups first, then single rows fill each class up.

- quotas say how many rows of each class a part should get;
- groups of several rows are placed largest first, each where the most of its classes' room is left;
- single rows then fill what is left, so that classes with enough of them meet their quotas to the row.

Ties are broken by a hash of (seed, group), so that the result depends on the groups' ids and not on the rows' order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError

Ints = npt.NDArray[np.int64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def assign_groups(
    classes: Ints, groups: npt.ArrayLike, quotas: Ints, seed: int, spill: int | None = None
) -> Ints:
    """The part of each row, such that no group is parted.

    Args:
        classes: int64 (n,), 0 to C-1.
        groups: id of each row's group (n,), whole numbers or text; a row without duplicates has one of its own.
        quotas: int64 (parts, C): rows wanted; the sum over the parts is each class's number of rows.
        seed: changes the ties, and with them the rows.
        spill: part that takes a group which fits nowhere; without it, the part that overflows least takes it.

    Returns:
        int64 (n,), 0 to parts-1.
    """
    ids, group_of = np.unique(_as_ids(groups, len(classes)), return_inverse=True)
    group_of = group_of.reshape(-1)
    keys = hashed(ids, seed)
    parts, num_classes = quotas.shape
    part_of_group = np.zeros(len(ids), dtype=np.int64)
    room = quotas.astype(np.int64).copy()
    scale = np.maximum(quotas, 1).astype(np.float64)

    sizes = np.bincount(group_of, minlength=len(ids))
    for group, codes, counts in _several(classes, group_of, sizes, keys):
        after = room[:, codes] - counts
        fits = (after >= 0).all(axis=1)
        turn = (np.arange(parts) + int(keys[group] % np.uint64(parts))) % parts
        if fits.any():
            left = np.where(fits, (after / scale[:, codes]).min(axis=1), -np.inf)
            chosen = int(turn[np.argmax(left[turn])])
        elif spill is not None:
            chosen = spill
        else:
            overflow = np.square(np.minimum(after, 0)).sum(axis=1)
            chosen = int(turn[np.argmin(overflow[turn])])
        part_of_group[group] = chosen
        room[chosen, codes] -= counts

    single = np.flatnonzero(sizes[group_of] == 1)
    single = single[np.argsort(keys[group_of[single]], kind="stable")]
    for code in range(num_classes):
        rows = single[classes[single] == code]
        takes = apportion(np.maximum(room[:, code], 0), len(rows))
        # Classes without a group begin with part 0; the hash of the rows has already mixed them.
        part_of_group[group_of[rows]] = np.repeat(np.arange(parts), takes)
    return part_of_group[group_of]


def apportion(weights: npt.ArrayLike, total: int) -> Ints:
    """Share `total` by `weights` in whole numbers; the largest remainders round up, ties go to the first.

    All weights zero share evenly.

    >>> apportion([3, 3, 1], 5).tolist()
    [2, 2, 1]
    """
    values = np.asarray(weights, dtype=np.float64)
    if not values.sum():
        values = np.ones_like(values)
    exact = values / values.sum() * total
    shares: Ints = np.floor(exact + 1e-9).astype(np.int64)
    left = total - int(shares.sum())
    shares[np.argsort(-(exact - shares), kind="stable")[:left]] += 1
    return shares


def hashed(ids: npt.NDArray[np.generic], seed: int) -> npt.NDArray[np.uint64]:
    """A hash of each id and the seed, uint64 (n,): the same on every machine and in every run."""
    if ids.dtype.kind in "iub":
        numbers = ids.astype(np.int64).view(np.uint64)
    else:
        numbers = np.fromiter(
            (int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:8], "little") for name in ids),
            dtype=np.uint64,
            count=len(ids),
        )
    with np.errstate(over="ignore"):
        return _mixed(_mixed(numbers + _GOLDEN) ^ _mixed(np.full(1, seed & (2**64 - 1), np.uint64)))


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _several(
    classes: Ints, group_of: Ints, sizes: Ints, keys: npt.NDArray[np.uint64]
) -> Iterator[tuple[int, Ints, Ints]]:
    """Groups of several rows, largest first, ties by hash: the group, its classes and their counts."""
    rows = np.flatnonzero(sizes[group_of] > 1)
    rows = rows[np.argsort(group_of[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(group_of[rows], prepend=-1))
    several = group_of[rows[starts]]
    ends = np.append(starts[1:], len(rows))
    for place in np.lexsort((keys[several], -sizes[several])):
        codes, counts = np.unique(classes[rows[starts[place] : ends[place]]], return_counts=True)
        yield int(several[place]), codes, counts


def _as_ids(groups: npt.ArrayLike, count: int) -> npt.NDArray[np.generic]:
    ids = np.asarray(groups)
    if ids.dtype == object:
        ids = ids.astype(str)
    if ids.ndim == 1 and not ids.size:
        ids = ids.astype(np.int64)
    if ids.shape != (count,):
        raise CatalogError(
            f"there are {count:,} rows and groups of shape {ids.shape}; give each row the id of its group, "
            "a row without duplicates one of its own"
        )
    if ids.dtype.kind == "f":
        if not np.array_equal(ids, np.trunc(ids)):
            row = int(np.flatnonzero(~(ids == np.trunc(ids)))[0])
            raise CatalogError(f"row {row}: group {ids[row]} is no id; give whole numbers or text")
        ids = ids.astype(np.int64)
    return ids
