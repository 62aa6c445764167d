"""Pairs of images that may be near-duplicates, from the scan's measures alone: what is left for a look at pixels.

The hash search finds too much: mostly white pictures have few hashes. Cheap measures of the same scan (brightness,
contrast, colour, shape, difference hash) rule out most of it before any file is read again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.integrity.near_duplicates import iter_near_pairs

DEFAULT_DISTANCE = 10
"""Bits of the perceptual hash: re-saved and slightly brightened copies of real images lie within 8, copies with
1 to 2 % cut off each edge within 10; beyond, pairs of unrelated pictures double with every two bits."""

Positions = npt.NDArray[np.int64]

_PAIRS_AT_ONCE = 1 << 18
_LARGEST_CELL = 64

# What re-saved, up to 10 % brighter, and up to 2 % cropped copies of 594 real images differ by, and some room.
_MOST_DHASH_BITS = 20
_MOST = {"brightness": 20.0, "contrast": 10.0, "saturation": 15.0, "entropy": 2.0}
_MOST_SHAPE = 0.05  # of log(width / height)


def candidate_pairs(
    images: pd.DataFrame, distance: int = DEFAULT_DISTANCE, workers: int = 1
) -> Iterator[tuple[Positions, Positions]]:
    """Positions of pairs worth a look, in blocks of bounded size: each pair once, the smaller position first.

    Args:
        images: columns of the scan, one row an image that decodes whole; blank ones do not belong here: a
            constant picture resembles every other one.
        distance: most bits in which perceptual hashes may differ.
        workers: threads of the hash search.
    """
    cells = _Cells(images["phash"].to_numpy(dtype=np.uint64))
    measures = _Measures(images)
    for left, right in cells.pairs(distance, workers):
        plausible = measures.plausible(left, right)
        if plausible.any():
            yield left[plausible], right[plausible]


class _Cells:
    """Positions of equal hashes put together, and cut where more than `_LARGEST_CELL` are equal.

    One comparison then serves all pairs of members, and no pair of cells has more than 4,096 of them.
    """

    def __init__(self, hashes: npt.NDArray[np.uint64]) -> None:
        self._order = np.argsort(hashes, kind="stable")
        in_order = hashes[self._order]
        first = (
            np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
            if len(hashes)
            else np.empty(0, np.int64)
        )
        counts = np.diff(np.r_[first, len(hashes)])
        cuts = [
            np.arange(start, start + count, _LARGEST_CELL) for start, count in zip(first, counts, strict=True)
        ]
        self._start = np.concatenate(cuts) if cuts else first
        self._size = np.diff(np.r_[self._start, len(hashes)])
        self._hashes = in_order[self._start]

    def pairs(self, distance: int, workers: int) -> Iterator[tuple[Positions, Positions]]:
        every = np.flatnonzero(self._size > 1)
        for left, right in self._members(every, every):
            yield from _ordered(left[left < right], right[left < right])
        for near in iter_near_pairs(self._hashes, distance, workers):
            for left, right in self._members(near.left, near.right):
                yield from _ordered(left, right)

    def _members(self, one: Positions, other: Positions) -> Iterator[tuple[Positions, Positions]]:
        """Every member of a cell with every member of the other, `_PAIRS_AT_ONCE` or a few more at once."""
        totals = self._size[one] * self._size[other]
        if not len(totals):
            return
        parts = np.flatnonzero(np.diff(np.cumsum(totals) // _PAIRS_AT_ONCE)) + 1
        for left, right, count in zip(
            np.split(one, parts), np.split(other, parts), np.split(totals, parts), strict=True
        ):
            number = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
            across = np.repeat(self._size[right], count)
            yield (
                self._order[np.repeat(self._start[left], count) + number // across],
                self._order[np.repeat(self._start[right], count) + number % across],
            )


class _Measures:
    """The columns of a scan that tell pictures apart, as arrays."""

    def __init__(self, images: pd.DataFrame) -> None:
        self._dhash = images["dhash"].to_numpy(dtype=np.uint64)
        size = images[["width", "height"]].to_numpy(dtype=np.float64)
        self._limited = [(images[name].to_numpy(dtype=np.float64), most) for name, most in _MOST.items()]
        self._limited.append((np.log(size[:, 0] / size[:, 1]), _MOST_SHAPE))

    def plausible(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        near: npt.NDArray[np.bool_] = (
            np.bitwise_count(self._dhash[left] ^ self._dhash[right]) <= _MOST_DHASH_BITS
        )
        for values, most in self._limited:
            near &= np.abs(values[left] - values[right]) <= most
        return near


def _ordered(left: Positions, right: Positions) -> Iterator[tuple[Positions, Positions]]:
    if len(left):
        yield np.minimum(left, right), np.maximum(left, right)
