"""Exact search for all pairs of 64-bit hashes that differ in few bits.

Every hash is compared with every other, in tiles that fit a core's cache: about 1.3 ns a comparison in NumPy, and a
tenth of that in compiled kernels, which take over once a search is long enough to pay for the compiler. Both release
the GIL, so threads share the tiles. An index by parts of the hash (pigeonhole) saves nothing at the
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

from rakuten_assets.runtime.compilation import CompiledKernels

_TILE_ROWS = 64
_TILE_COLUMNS = 4096  # 64 x 4096 x 8 bytes = 2 MiB of differences: half the time of smaller or larger tiles.
_TILES_A_JOB = 4
_JOBS_A_TASK = 2  # about 1 ms
_LEAVES_A_GROUP = 64
HASH_BITS = 64

# Counts tiles: 4 s of NumPy on one thread. The full catalogue's 98,728 images take fewer, and are searched as ever.
KERNELS = CompiledKernels("rakuten_assets.integrity.duplicates.hash_kernels", worth_from=12_000)

Positions = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


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
    hashes: npt.ArrayLike,
    distance: int,
    workers: int = 1,
    nearness: Nearness | None = None,
    kernels: CompiledKernels = KERNELS,
) -> Iterator[HashPairs]:
    """All pairs of `hashes` within `distance` bits, in blocks, so that memory stays bounded whatever is found.

    Args:
        hashes: uint64 (n,).
        distance: most bits in which a pair may differ, 0 to 64.
        workers: number of threads.
        nearness: what else is asked of a pair; without it, nothing.
        kernels: the compiled comparison, and from how many tiles on it is worth compiling.

    Yields:
        Blocks of at most 524,288 pairs, none empty; each pair once. Neither pairs nor order depend on the number
        of threads, or on the kernels.

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
    leaves = -(-len(values) // _TILE_ROWS)
    by_leaf = np.resize(values[order], (leaves, _TILE_ROWS))
    near = Nearness(np.ascontiguousarray(near.measures[order], np.float64), near.limits)
    search = _Search(by_leaf, order, near, distance, kernels)
    jobs = _jobs(near)
    with ThreadPoolExecutor(workers, thread_name_prefix="hash-search") as pool:
        # A few blocks ahead of the reader and no more: what is found and not yet read is all the memory used.
        tasks = iter(lambda: list(islice(jobs, _JOBS_A_TASK)), [])
        pending = [pool.submit(search.pairs, task) for task in islice(tasks, 2 * workers)]
        while pending:
            blocks = pending.pop(0).result()
            pending.extend(pool.submit(search.pairs, task) for task in islice(tasks, 1))
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


def _jobs(nearness: Nearness) -> Iterator[tuple[int, Positions]]:
    """Each leaf, and the leaves from it on that lie near it: at most those of `_TILES_A_JOB` tiles at a time."""
    measures, limits = nearness.measures, np.array(nearness.limits)
    starts = np.arange(0, len(measures), _TILE_ROWS)
    bounds = np.minimum, np.maximum
    low, high = (bound.reduceat(measures, starts) if len(starts) else measures for bound in bounds)
    # Of neighbours, most are passed over together: without that, the time of this grows with the square of the leaves.
    groups = np.arange(0, len(starts), _LEAVES_A_GROUP)
    lowest, highest = (
        bound.reduceat(edges, groups) if len(groups) else edges
        for bound, edges in zip(bounds, (low, high), strict=True)
    )
    of_a_group = np.arange(_LEAVES_A_GROUP)
    most = _TILES_A_JOB * (_TILE_COLUMNS // _TILE_ROWS)
    for leaf in range(len(starts)):
        first = leaf // _LEAVES_A_GROUP
        near = first + _near(low[leaf], high[leaf], lowest[first:], highest[first:], limits)
        leaves = (groups[near][:, None] + of_a_group).reshape(-1)
        leaves = leaves[np.searchsorted(leaves, leaf) : np.searchsorted(leaves, len(starts))]
        leaves = leaves[_near(low[leaf], high[leaf], low[leaves], high[leaves], limits)]
        for begin in range(0, len(leaves), most):
            yield leaf, leaves[begin : begin + most]


def _near(
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    lows: npt.NDArray[np.float64],
    highs: npt.NDArray[np.float64],
    limits: npt.NDArray[np.float64],
) -> Positions:
    """Which of the boxes `lows` to `highs` lie within the limits of one box."""
    apart = np.maximum(lows - high, low - highs)
    return np.flatnonzero((apart <= limits).all(axis=1))


class _Search(threading.local):
    """Hashes by leaf (the last one filled up with any), with their measures, and the `order` that leads back to the
    given positions.

    Each thread has its own room for a tile: fresh memory for every tile takes three times as long as the comparison.
    """

    def __init__(
        self,
        by_leaf: Hashes,
        order: Positions,
        nearness: Nearness,
        distance: int,
        kernels: CompiledKernels,
    ) -> None:
        self._kernels = kernels
        self._by_leaf, self._hashes = by_leaf, by_leaf.reshape(-1)[: len(order)]
        self._order, self._nearness, self._distance = order, nearness, distance
        self._leaves_a_tile = _TILE_COLUMNS // _TILE_ROWS
        self._compiled: _Compiled | None = None
        self._differing = np.empty(_TILE_ROWS * _TILE_COLUMNS, dtype=np.uint64)
        self._bits = np.empty(_TILE_ROWS * _TILE_COLUMNS, dtype=np.uint8)

    def pairs(self, jobs: Sequence[tuple[int, Positions]]) -> list[HashPairs]:
        """Blocks of pairs, none empty, of a few jobs."""
        return [block for leaf, leaves in jobs for block in self._job(leaf, leaves) if len(block)]

    def _job(self, leaf: int, leaves: Positions) -> Iterator[HashPairs]:
        reached = np.zeros(1, np.int64)  # of `leaves`
        while reached[0] < len(leaves):
            if self._kernels.count():
                yield self._by_kernels(leaf, leaves, reached)
            else:
                first = int(reached[0])
                reached += self._leaves_a_tile
                yield self._tile(leaf * _TILE_ROWS, leaves[first : first + self._leaves_a_tile])

    def _by_kernels(self, leaf: int, leaves: Positions, reached: Positions) -> HashPairs:
        """Pairs of `leaf` with as many of `leaves`, from the one that is reached on, as there is room for."""
        if self._compiled is None:
            self._compiled = _Compiled.of(self._nearness.limits, 2 * len(self._bits))
        own = self._compiled
        found = self._kernels.compiled().near(
            self._hashes, self._nearness.measures, own.limits, self._distance, _TILE_ROWS, self._leaves_a_tile,
            leaf, leaves, reached, self._differing, own.left, own.right, own.bits,
        )  # fmt: skip
        return self._given(own.left[:found], own.right[:found], own.bits[:found].copy())

    def _tile(self, start: int, leaves: Positions) -> HashPairs:
        """Pairs of one of the `_TILE_ROWS` hashes from `start` on with one of `leaves` that comes after it."""
        rows = self._hashes[start : start + _TILE_ROWS, None]
        columns = self._by_leaf[leaves].reshape(-1)
        if leaves[-1] == len(self._by_leaf) - 1:  # the last leaf may be smaller
            columns = columns[: len(columns) - self._by_leaf.size + len(self._hashes)]
        size = len(rows) * len(columns)
        differing, bits = self._differing[:size], self._bits[:size]
        np.bitwise_xor(rows, columns[None], out=differing.reshape(len(rows), len(columns)))
        np.bitwise_count(differing, out=bits)
        # A scan for the least value is three times as fast as listing the matches of a tile that has none.
        if bits.min() > self._distance:
            return _no_pairs()
        at = np.flatnonzero(bits <= self._distance)
        row, place = np.divmod(at, len(columns))
        row += start
        column = leaves[place // _TILE_ROWS] * _TILE_ROWS + place % _TILE_ROWS
        near = row < column
        near &= self._nearness.between(row, column)
        return self._given(row[near], column[near], bits[at[near]])

    def _given(self, row: Positions, column: Positions, bits: npt.NDArray[np.uint8]) -> HashPairs:
        """Pairs in the positions that the caller knows."""
        one, other = self._order[row], self._order[column]
        return HashPairs(np.minimum(one, other), np.maximum(one, other), bits)


@dataclass(frozen=True)
class _Compiled:
    """What a thread hands to the kernels: limits, and room for the pairs of two tiles."""

    limits: npt.NDArray[np.float64]
    left: Positions
    right: Positions
    bits: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, limits: Sequence[float], pairs: int) -> _Compiled:
        left, right = np.empty((2, pairs), np.int64)
        return cls(np.array(limits, np.float64), left, right, np.empty(pairs, np.uint8))


def _no_pairs() -> HashPairs:
    return HashPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
