"""What is measured on an image's pixels: one definition each, exact, for any size of image.

Luma is Pillow's (ITU-R BT.601). Every pixel counts for brightness, white share, border box, blankness and
both hashes. Contrast, entropy, saturation and blur are statistics, taken from 32 to 63 evenly spaced rows
(from all rows of a lower image): a sixteenth of the work on 500x500 pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rakuten_assets.integrity.reading import passes
from rakuten_assets.integrity.reading.hashes import CELLS, pixel_sha256
from rakuten_assets.integrity.reading.schema import NEAR_BLANK_RANGE
from rakuten_assets.runtime.compilation import CompiledKernels

_LEAST_SAMPLED_ROWS = 32

KERNELS = CompiledKernels("rakuten_assets.integrity.reading.kernels", worth_from=4000)
"""Compiling takes 2.2 s and saves 0.7 ms on an image of 500x500 pixels."""


@dataclass(frozen=True)
class Measures:
    """Pixel measures of one image; `schema.SCAN_SCHEMA` describes each."""

    pixel_sha256: str
    phash: int
    dhash: int
    brightness: float
    contrast: float
    entropy: float
    blur: float
    saturation: float
    white_share: float
    box_left: int
    box_top: int
    box_right: int
    box_bottom: int
    removable_share: float
    blank: bool
    near_blank: bool


def measure_pixels(rgb: npt.NDArray[np.uint8]) -> Measures:
    """Measure an image.

    Thread-safe; the GIL is released for most of the work.

    Args:
        rgb: uint8 (height, width, 3), C order, not empty, neither side above 65535.
    """
    work = KERNELS.compiled() if KERNELS.count() else passes
    height, width = rgb.shape[:2]
    pixels = height * width
    step = max(1, height // _LEAST_SAMPLED_ROWS)
    first = step // 2
    sums: passes.PixelSums = work.pixel_sums(rgb, first, step)
    luma = _Distribution(sums.histogram)
    outside = pixels - sums.content.area  # all white
    blank, near_blank = _blankness(rgb, luma.range)
    return Measures(
        pixel_sha256=pixel_sha256(rgb, sums.drawn),
        phash=sums.phash,
        dhash=sums.dhash,
        brightness=sums.luma / (65536 * CELLS * pixels),
        contrast=math.sqrt(luma.variance),
        entropy=luma.entropy,
        blur=_variance(*sums.edges),
        saturation=sums.saturation / luma.count,
        white_share=(outside + sums.white) / pixels,
        box_left=sums.content.left,
        box_top=sums.content.top,
        box_right=sums.content.right,
        box_bottom=sums.content.bottom,
        removable_share=outside / pixels,
        blank=blank,
        near_blank=near_blank,
    )


class _Distribution:
    """Moments and entropy of counts by level, int64 (256,)."""

    def __init__(self, histogram: npt.NDArray[np.int64]) -> None:
        levels = np.flatnonzero(histogram)
        counts = histogram[levels]
        self.count = int(counts.sum())
        self.range = int(levels[-1] - levels[0])
        self.variance = _variance(self.count, int(levels @ counts), int((levels * levels) @ counts))
        logarithms = float((counts * np.log2(counts)).sum())
        # Nine decimals: the last bits of a logarithm differ from one mathematics library to another.
        self.entropy = max(round(math.log2(self.count) - logarithms / self.count, 9), 0.0)


def _blankness(rgb: npt.NDArray[np.uint8], luma_range: int) -> tuple[bool, bool]:
    """Whether the image is one colour exactly, and whether it is nearly; every pixel counts."""
    if luma_range > NEAR_BLANK_RANGE + 1:  # on the sampled rows, and luma is rounded
        return False, False
    spread = int((rgb.max(axis=(0, 1)).astype(np.int64) - rgb.min(axis=(0, 1))).max())
    return spread == 0, spread <= NEAR_BLANK_RANGE


def _variance(count: int, total: int, squares: int) -> float:
    return (count * squares - total * total) / count**2 if count else 0.0
