"""Exact search for all pairs of 64-bit hashes that differ in few bits.

Every hash is compared with every other, in tiles that fit a core's cache: about 1.3 ns a comparison in NumPy,
which releases the GIL, so threads share them. An index by parts of the hash (pigeonhole) saves nothing at the
distances that matter here: perceptual hashes of product photos on white crowd in few places.

What saves is what else is known of the items: where a pair must also lie near in some measures, items are put
in order so that each tile's rows lie near each other in these (the leaves of a k-d tree), and a tile whose rows
and columns lie too far apart is passed over. With the four measures and the shape of the 98,728 images of the
full catalogue a sixth of the 4.9 billion comparisons is left. No pair is lost: rounding is monotone, so where the
nearest edges of two boxes differ by more than the limit, so do any two items in them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

_TILE_ROWS = 64
_TILE_COLUMNS = 4096  # 64 x 4096 x 8 bytes = 2 MiB of differences: half the time of smaller or larger tiles.
_TILES_A_TASK = 4  # about 1 ms
HASH_BITS = 64

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HashPairs:
    """Pairs of positions in an array of hashes.

    Attributes:
        left, right: int64 (p,), left < right.
        distance: uint8 (p,), number of bits in which the two hashes differ.
    """

    left: Positions
    right: Positions
    distance: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True)
class Nearness:
    """In what else a pair must lie near.

    Attributes:
        measures: float64 (n, k), finite: k measures of each item.
        limits: k numbers above 0: most by which a pair may differ in each.
    """

    measures: npt.NDArray[np.float64]
    limits: Sequence[float]

    def between(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        """Whether each pair lies within all limits, bool (p,)."""
        near = np.ones(len(left), dtype=bool)
        for values, most in zip(self.measures.T, self.limits, strict=True):
            near &= np.abs(values[left] - values[right]) <= most
        return near


def iter_near_pairs(
    hashes: npt.ArrayLike, distance: int, workers: int = 1, nearness: Nearness | None = None
) -> Iterator[HashPairs]:
    """All pairs of `hashes` within `distance` bits, in blocks, so that memory stays bounded whatever is found.

    Args:
        hashes: uint64 (n,).
        distance: most bits in which a pair may differ, 0 to 64.
        workers: number of threads.
        nearness: what else is asked of a pair; without it, nothing.

    Yields:
        Blocks of at most 262,144 pairs, none empty; each pair once. Neither pairs nor order depend on the number
        of threads.

    Raises:
        ValueError: if `distance` or `workers` is out of range, or a measure or limit is not as described.
    """
    if not 0 <= distance <= HASH_BITS:
        raise ValueError(f"a distance between 64-bit hashes is 0 to 64, not {distance}")
    if workers < 1:
        raise ValueError(f"the search needs at least one thread, not {workers}")
    values = np.ascontiguousarray(hashes, dtype=np.uint64)
    near = Nearness(np.empty((len(values), 0)), ()) if nearness is None else nearness
    _check(near, len(values))
    order = _leaf_order(near)
    search = _Search(values[order], order, near, distance)
    tiles = _tiles(near, order)
    with ThreadPoolExecutor(workers, thread_name_prefix="hash-search") as pool:
        # A few blocks ahead of the reader and no more: what is found and not yet read is all the memory used.
        tasks = iter(lambda: list(islice(tiles, _TILES_A_TASK)), [])
        pending = [pool.submit(search.tiles, task) for task in islice(tasks, 2 * workers)]
        while pending:
            blocks = pending.pop(0).result()
            pending.extend(pool.submit(search.tiles, task) for task in islice(tasks, 1))
            yield from blocks


def _check(nearness: Nearness, count: int) -> None:
    shape = (count, len(nearness.limits))
    if nearness.measures.shape != shape:
        raise ValueError(f"measures of {count} hashes with {shape[1]} limits are {shape}, not "
                         f"{nearness.measures.shape}")  # fmt: skip
    if not np.isfinite(nearness.measures).all() or not all(limit > 0 for limit in nearness.limits):
        raise ValueError("measures must be finite and limits above 0; leave out what was not measured")


def _leaf_order(nearness: Nearness) -> Positions:
    """Positions in an order in which each `_TILE_ROWS` are a leaf of a k-d tree over the measures."""
    measures, limits = nearness.measures, np.array(nearness.limits)
    order = np.arange(len(measures))
    if not len(limits):
        return order
    open_ = [(0, len(order))]
    while open_:
        start, stop = open_.pop()
        leaves = -(-(stop - start) // _TILE_ROWS)
        if leaves < 2:
            continue
        part = measures[order[start:stop]]
        widest = int(np.argmax(np.ptp(part, axis=0) / limits))
        half = leaves // 2 * _TILE_ROWS
        order[start:stop] = order[start:stop][np.argpartition(part[:, widest], half)]
        open_ += [(start, start + half), (start + half, stop)]
    return order


def _tiles(nearness: Nearness, order: Positions) -> Iterator[tuple[int, Positions]]:
    """First row of each tile, and its columns (places in `order`, none in an earlier leaf than the rows)."""
    starts = np.arange(0, len(order), _TILE_ROWS)
    measures, limits = nearness.measures[order], np.array(nearness.limits)
    low, high = (bound.reduceat(measures, starts) if len(starts) else measures
                 for bound in (np.minimum, np.maximum))  # fmt: skip
    within = np.arange(_TILE_ROWS)
    for leaf, start in enumerate(starts.tolist()):
        apart = np.maximum(low[leaf:] - high[leaf], low[leaf] - high[leaf:])
        near = starts[leaf:][(apart <= limits).all(axis=1)]
        columns = (near[:, None] + within).reshape(-1)
        columns = columns[: np.searchsorted(columns, len(order))]  # the last leaf may be smaller
        for first in range(0, len(columns), _TILE_COLUMNS):
            yield start, columns[first : first + _TILE_COLUMNS]


class _Search(threading.local):
    """`hashes` in the order of the leaves, and the `order` that leads back to the given positions.

    Each thread has its own room for a tile: fresh memory for every tile takes three times as long as the comparison.
    """

    def __init__(
        self, hashes: npt.NDArray[np.uint64], order: Positions, nearness: Nearness, distance: int
    ) -> None:
        self._hashes, self._order, self._nearness, self._distance = hashes, order, nearness, distance
        self._differing = np.empty(_TILE_ROWS * _TILE_COLUMNS, dtype=np.uint64)
        self._bits = np.empty(_TILE_ROWS * _TILE_COLUMNS, dtype=np.uint8)

    def tiles(self, tiles: Sequence[tuple[int, Positions]]) -> list[HashPairs]:
        """Blocks of pairs, none empty, of a few tiles."""
        return [found for tile in tiles if len(found := self._tile(*tile))]

    def _tile(self, start: int, columns: Positions) -> HashPairs:
        """Pairs of one of the `_TILE_ROWS` hashes from `start` on with one of `columns` that comes after it."""
        rows = self._hashes[start : start + _TILE_ROWS, None]
        size = len(rows) * len(columns)
        differing, bits = self._differing[:size], self._bits[:size]
        np.bitwise_xor(rows, self._hashes[None, columns], out=differing.reshape(len(rows), len(columns)))
        np.bitwise_count(differing, out=bits)
        # A scan for the least value is three times as fast as listing the matches of a tile that has none.
        if bits.min() > self._distance:
            return _no_pairs()
        at = np.flatnonzero(bits <= self._distance)
        row, column = at // len(columns) + start, columns[at % len(columns)]
        one, other = self._order[row], self._order[column]
        near = (row < column) & self._nearness.between(one, other)
        one, other = one[near], other[near]
        return HashPairs(np.minimum(one, other), np.maximum(one, other), bits[at[near]])


def _no_pairs() -> HashPairs:
    return HashPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
