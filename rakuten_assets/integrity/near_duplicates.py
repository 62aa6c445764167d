"""Exact search for all pairs of 64-bit hashes that differ in few bits.

Equal hashes are collapsed first, so that thousands of blank images cost one comparison and not millions; then
every distinct hash is compared with every other, in tiles that fit a core's cache. 98,728 hashes are 4.9
billion comparisons: about 1.3 ns each in NumPy, which releases the GIL, so threads share them. An index by
parts of the hash (pigeonhole) saves nothing at the distances that matter here: perceptual hashes of product
photos on white crowd in few places.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

_TILE_ROWS = 64
_TILE_COLUMNS = 4096  # 64 x 4096 x 8 bytes = 2 MiB of differences: half the time of smaller or larger tiles.
HASH_BITS = 64


@dataclass(frozen=True)
class HashPairs:
    """Pairs of positions in an array of hashes.

    Attributes:
        left, right: int64 (p,), left < right, in ascending order of (left, right).
        distance: uint8 (p,), number of bits in which the two hashes differ.
    """

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    distance: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True)
class HashCells:
    """Equal hashes put together.

    Attributes:
        hashes: uint64 (m,), the distinct hashes, ascending.
        cell: int64 (n,), for each given hash its position in `hashes`.
    """

    hashes: npt.NDArray[np.uint64]
    cell: npt.NDArray[np.int64]


def hash_cells(hashes: npt.ArrayLike) -> HashCells:
    """Collapse equal hashes, uint64 (n,)."""
    distinct, cell = np.unique(np.asarray(hashes, dtype=np.uint64), return_inverse=True)
    return HashCells(distinct, cell.reshape(-1).astype(np.int64))


def near_pairs(hashes: npt.ArrayLike, distance: int, workers: int = 1) -> HashPairs:
    """All pairs of `hashes` within `distance` bits; see `iter_near_pairs`. Collapse equal hashes before."""
    blocks = list(iter_near_pairs(hashes, distance, workers))
    if not blocks:
        return _no_pairs()
    return HashPairs(
        np.concatenate([block.left for block in blocks]),
        np.concatenate([block.right for block in blocks]),
        np.concatenate([block.distance for block in blocks]),
    )


def iter_near_pairs(hashes: npt.ArrayLike, distance: int, workers: int = 1) -> Iterator[HashPairs]:
    """All pairs of `hashes` within `distance` bits, in blocks, so that memory stays bounded whatever is found.

    Args:
        hashes: uint64 (n,).
        distance: most bits in which a pair may differ, 0 to 64.
        workers: number of threads.

    Yields:
        Blocks of pairs, none empty; together in ascending order of (left, right). The result does not depend
        on the number of threads.

    Raises:
        ValueError: if `distance` or `workers` is out of range.
    """
    if not 0 <= distance <= HASH_BITS:
        raise ValueError(f"a distance between 64-bit hashes is 0 to 64, not {distance}")
    if workers < 1:
        raise ValueError(f"the search needs at least one thread, not {workers}")
    values = np.ascontiguousarray(hashes, dtype=np.uint64)
    starts = iter(range(0, len(values), _TILE_ROWS))
    with ThreadPoolExecutor(workers, thread_name_prefix="hash-search") as pool:
        # A few blocks ahead of the reader and no more: what is found and not yet read is all the memory used.
        pending = [pool.submit(_search, values, start, distance) for start in islice(starts, 2 * workers)]
        while pending:
            found = pending.pop(0).result()
            pending.extend(pool.submit(_search, values, start, distance) for start in islice(starts, 1))
            if len(found):
                yield found


def _search(values: npt.NDArray[np.uint64], start: int, distance: int) -> HashPairs:
    """Pairs whose left member is one of the `_TILE_ROWS` hashes from `start` on."""
    rows = values[start : start + _TILE_ROWS, None]
    differing = np.empty((len(rows), _TILE_COLUMNS), dtype=np.uint64)
    counts = np.empty((len(rows), _TILE_COLUMNS), dtype=np.uint8)
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]] = []
    for first in range(start, len(values), _TILE_COLUMNS):
        columns = values[None, first : first + _TILE_COLUMNS]
        bits, tile = differing[:, : columns.shape[1]], counts[:, : columns.shape[1]]
        np.bitwise_xor(rows, columns, out=bits)
        np.bitwise_count(bits, out=tile)
        # A scan for the least value is three times as fast as listing the matches of a tile that has none.
        if first > start + _TILE_ROWS and tile.min() > distance:
            continue
        left, right = np.nonzero(tile <= distance)
        near = tile[left, right]
        left, right = left + start, right + first
        ordered = left < right
        found.append((left[ordered], right[ordered], near[ordered]))
    if not found:
        return _no_pairs()
    left, right, near = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(left, kind="stable")  # right ascends already within each left
    return HashPairs(left[order], right[order], near[order])


def _no_pairs() -> HashPairs:
    return HashPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
