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

from rakuten_assets.integrity import kernels
from rakuten_assets.integrity.hashes import dhash_of_cells, phash_of_cells
from rakuten_assets.integrity.schema import NEAR_BLANK_RANGE, WHITE_THRESHOLD

_LEAST_SAMPLED_ROWS = 32


@dataclass(frozen=True)
class Measures:
    """Pixel measures of one image; `schema.SCAN_SCHEMA` describes each."""

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

    Thread-safe; the GIL is released for the pixel passes. The first call in a process compiles them, which
    takes about two seconds.

    Args:
        rgb: uint8 (height, width, 3), C order, not empty, neither side above 65535.
    """
    height, width = rgb.shape[:2]
    stride, pixels = 3 * width, height * width
    flat = rgb.reshape(-1)
    step = max(1, height // _LEAST_SAMPLED_ROWS)
    first = step // 2

    lowest = np.full(stride, 255, np.uint8)
    cells = np.zeros((kernels.CELLS, kernels.CELLS), np.int64)
    coarse = np.zeros((kernels.DHASH_ROWS, kernels.DHASH_COLUMNS), np.int64)
    row16, row32 = np.empty(stride, np.uint16), np.empty(stride, np.int32)
    cumulative = np.empty(width + 1, np.int64)
    brightness = kernels.area_sums(flat, height, lowest, row16, row32, cumulative, cells, coarse)

    planes, histogram = np.empty((4, width), np.uint8), np.zeros(256, np.int64)
    saturation = kernels.statistics(flat, first, step, planes, histogram)
    sampled, luma, luma_squares, low, high, logarithms = kernels.moments(histogram)
    left, top, right, bottom = _content_box(flat, height, lowest)
    outside = pixels - (right - left) * (bottom - top)  # all white
    white_inside = kernels.white_pixels(flat, stride, left, top, bottom, planes[0, : right - left])
    blank, near_blank = _blankness(rgb, high - low)
    return Measures(
        phash=phash_of_cells(cells, pixels),
        dhash=dhash_of_cells(coarse),
        brightness=brightness / (65536 * kernels.CELLS * pixels),
        contrast=math.sqrt(_variance(sampled, luma, luma_squares)),
        entropy=_entropy(sampled, logarithms),
        blur=_variance(*kernels.laplacian(flat, stride, max(first, 1), step)),
        saturation=saturation / sampled,
        white_share=(outside + white_inside) / pixels,
        box_left=left,
        box_top=top,
        box_right=right,
        box_bottom=bottom,
        removable_share=outside / pixels,
        blank=blank,
        near_blank=near_blank,
    )


def _content_box(
    flat: npt.NDArray[np.uint8], height: int, lowest: npt.NDArray[np.uint8]
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the box of all pixels that are not white; zeros where there is none."""
    columns = np.flatnonzero(lowest < WHITE_THRESHOLD) // 3
    if columns.size == 0:
        return 0, 0, 0, 0
    top = kernels.bright_rows(flat, lowest.size, 0, 1, WHITE_THRESHOLD)
    bottom = height - kernels.bright_rows(flat, lowest.size, height - 1, -1, WHITE_THRESHOLD)
    return int(columns[0]), top, int(columns[-1]) + 1, bottom


def _blankness(rgb: npt.NDArray[np.uint8], luma_range: int) -> tuple[bool, bool]:
    """Whether the image is one colour exactly, and whether it is nearly; every pixel counts."""
    if luma_range > NEAR_BLANK_RANGE + 1:  # on the sampled rows, and luma is rounded
        return False, False
    spread = int((rgb.max(axis=(0, 1)).astype(np.int64) - rgb.min(axis=(0, 1))).max())
    return spread == 0, spread <= NEAR_BLANK_RANGE


def _variance(count: int, total: int, squares: int) -> float:
    return (count * squares - total * total) / count**2 if count else 0.0


def _entropy(count: int, logarithms: float) -> float:
    # Nine decimals: the last bits of a logarithm differ from one mathematics library to another.
    return max(round(math.log2(count) - logarithms / count, 9), 0.0)
