"""Pairs of images that may be near-duplicates, from the scan's measures alone: what is left for a look at pixels.

The hash search finds too much: mostly white pictures have few hashes. Cheap measures of the same scan (brightness,
contrast, colour, shape, difference hash) rule out most of it before any file is read again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.integrity.duplicates.near_duplicates import KERNELS, Nearness, Positions, iter_near_pairs
from rakuten_assets.runtime.compilation import CompiledKernels

DEFAULT_DISTANCE = 10
"""Bits of the perceptual hash: re-saved and slightly brightened copies of real images lie within 8, copies with
1 to 2 % cut off each edge within 10; beyond, pairs of unrelated pictures double with every two bits."""

CANDIDATE_COLUMNS = (
    "phash",
    "dhash",
    "brightness",
    "contrast",
    "saturation",
    "entropy",
    "width",
    "height",
)

# What re-saved, up to 10 % brighter, and up to 2 % cropped copies of 594 real images differ by, and some room.
_MOST_DHASH_BITS = 20
_MOST = {"brightness": 20.0, "contrast": 10.0, "saturation": 15.0, "entropy": 2.0}
_MOST_SHAPE = 0.05  # of log(width / height)


class Candidates:
    """Which pairs of images are candidates: `pairs()` finds all of them, `among()` judges given ones alike.

    Args:
        images: `CANDIDATE_COLUMNS` of the scan, one row an image that decodes whole; blank ones do not belong
            here: a constant picture resembles every other one.
        distance: most bits in which perceptual hashes may differ.
    """

    def __init__(self, images: pd.DataFrame, distance: int = DEFAULT_DISTANCE) -> None:
        self._distance = distance
        self._phash, self._dhash = (images[name].to_numpy(dtype=np.uint64) for name in ("phash", "dhash"))
        size = images[["width", "height"]].to_numpy(dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            shape = np.log(size[:, 0] / size[:, 1])
        measures = np.column_stack([*(images[name].to_numpy(dtype=np.float64) for name in _MOST), shape])
        # What was not measured is near nothing.
        self._measured = np.flatnonzero(np.isfinite(measures).all(axis=1))
        self._nearness = Nearness(measures, (*_MOST.values(), _MOST_SHAPE))

    def pairs(
        self, workers: int = 1, kernels: CompiledKernels = KERNELS
    ) -> Iterator[tuple[Positions, Positions]]:
        """All candidates in blocks of bounded size, none empty: positions, each pair once, the smaller one first.

        `workers`: threads of the hash search; `kernels`: its compiled comparison.
        """
        measured = self._measured
        nearness = Nearness(self._nearness.measures[measured], self._nearness.limits)
        for found in iter_near_pairs(self._phash[measured], self._distance, workers, nearness, kernels):
            left, right = measured[found.left], measured[found.right]
            alike = self._alike(left, right)
            if alike.any():
                yield left[alike], right[alike]

    def among(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        """Whether each of these pairs is a candidate, bool (n,)."""
        near: npt.NDArray[np.bool_] = (
            np.bitwise_count(self._phash[left] ^ self._phash[right]) <= self._distance
        )
        with np.errstate(invalid="ignore"):  # of two that were not measured
            return near & self._alike(left, right) & self._nearness.between(left, right)

    def _alike(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        alike: npt.NDArray[np.bool_] = (
            np.bitwise_count(self._dhash[left] ^ self._dhash[right]) <= _MOST_DHASH_BITS
        )
        return alike
