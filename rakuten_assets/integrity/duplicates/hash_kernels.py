"""The comparison of `near_duplicates`, compiled when this module is imported (about 1 s): same pairs, same order.

Differences never leave the processor's registers, and the bits of several are counted by one instruction where the
processor has it: a tenth of the time of NumPy's comparison, which goes through memory twice.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_HASHES = numba.types.Array(numba.uint64, 1, "C", readonly=True)
_MEASURES = numba.types.Array(numba.float64, 2, "C", readonly=True)
_LIMITS = numba.types.Array(numba.float64, 1, "C", readonly=True)
_LEAVES = numba.types.Array(numba.int64, 1, "C", readonly=True)
_COUNT, _WORDS, _PLACES, _BYTES = numba.int64, numba.uint64[::1], numba.int64[::1], numba.uint8[::1]
_OPTIONS: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_55, _33, _0F, _01 = (np.uint64(int(digits * 8, 16)) for digits in ("55", "33", "0f", "01"))

# Columns that are looked at one by one where there is a hit among them.
_BLOCK = 128


@numba.njit(inline="always")
def _ones(word: Any) -> Any:
    """Number of ones; the compiler knows these lines, and puts the processor's instruction in their place."""
    word = word - ((word >> _1) & _55)
    word = (word & _33) + ((word >> _2) & _33)
    word = (word + (word >> _4)) & _0F
    return (word * _01) >> _56


@numba.njit(numba.int64(numba.uint64, _WORDS, numba.uint64), **_OPTIONS)
def _hits(own: Any, block: Any, distance: Any) -> Any:
    """How many of a block lie within the distance. Counted from 0 to the block's own size: of a part of a larger array
    the compiler makes no vectors, because an index could be below zero."""
    hits = 0
    for at in range(block.size):
        hits += _ones(own ^ block[at]) <= distance
    return hits


@numba.njit(inline="always")
def _within(measures: Any, limits: Any, one: Any, other: Any) -> Any:
    for measure in range(limits.size):
        if abs(measures[one, measure] - measures[other, measure]) > limits[measure]:
            return False
    return True


@numba.njit(
    numba.int64(
        _HASHES, _MEASURES, _LIMITS, numba.uint64, _COUNT, _COUNT, _COUNT, _LEAVES, _PLACES, _WORDS, _PLACES,
        _PLACES, _BYTES,
    ),
    **_OPTIONS,
)  # fmt: skip
def near(
    hashes: Any,
    measures: Any,
    limits: Any,
    distance: Any,
    rows_a_leaf: Any,
    leaves_a_tile: Any,
    leaf: Any,
    leaves: Any,
    reached: Any,
    tile: Any,
    left: Any,
    right: Any,
    bits: Any,
) -> Any:
    """Pairs of a row of `leaf` with a later one of `leaves`, a tile of them after the other.

    `tile` is room for a tile's hashes. Begins with `leaves[reached[0]]`, and ends early where `left`, `right` and
    `bits` may not hold another tile's pairs: `reached[0]` is then the one to go on with.

    Returns:
        How many pairs were written.
    """
    found, first = 0, reached[0]
    start = leaf * rows_a_leaf
    after = min(start + rows_a_leaf, hashes.size)
    while first < leaves.size and found + leaves_a_tile * rows_a_leaf * rows_a_leaf <= left.size:
        last = min(first + leaves_a_tile, leaves.size)
        size = 0
        for place in range(first, last):
            begin = leaves[place] * rows_a_leaf
            for column in range(
                begin, min(begin + rows_a_leaf, hashes.size)
            ):  # only the last leaf may be smaller
                tile[size] = hashes[column]
                size += 1
        for row in range(start, after):
            own = hashes[row]
            for begin in range(0, size, _BLOCK):
                block = tile[begin : min(begin + _BLOCK, size)]
                if not _hits(own, block, distance):
                    continue
                for within in range(block.size):
                    ones = _ones(own ^ block[within])
                    if ones > distance:
                        continue
                    at = begin + within
                    column = leaves[first + at // rows_a_leaf] * rows_a_leaf + at % rows_a_leaf
                    if row < column and _within(measures, limits, row, column):
                        left[found], right[found], bits[found] = row, column, ones
                        found += 1
        first = last
    reached[0] = first
    return found
