"""Are two images the same picture? The test that a perceptual hash cannot make.

A 64-bit hash of a small product on white is mostly a hash of the white: 3,927 groups of equal hashes in the real
train set hold unrelated pictures together. So each candidate pair is compared on pixels: small versions of both,
without what is white in both, at several zooms (a cropped copy is a zoomed one).

Measured on 594 real images and 15 ways to re-save them (JPEG quality 30 to 60, 5 and 15 % brighter, 0.5 to 3 %
cropped, half size, several at once): copies correlate above 0.95 with a worst block within 12 grey levels in
97 to 100 % of cases; of 176,000 pairs of different products none reaches 0.95, the nearest (the same apron with
another print) 0.93. See `THRESHOLDS` for what is taken as the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 32
ZOOMS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.045)
"""Shares of the width and height that are cut off at each edge."""

_BLOCK = 4  # a residual is averaged over 4 x 4 of the 32 x 32 cells
_WHITE = 240  # a bit under the scan's threshold: small versions mix white with its neighbourhood
_LEAST_CELLS = 16  # with less content than this there is nothing to compare
_PAIRS_AT_ONCE = 256  # 256 pairs x 12 KiB of float32 twice: stays in a core's cache

Pictures = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Thresholds:
    """What counts as the same picture.

    Attributes:
        correlation: least correlation of the two contents, -1 to 1.
        residual: most difference of a block in grey levels, after equalising brightness and contrast. It sees
            a change in one place (another print on the same shirt) that hardly moves the correlation.
    """

    correlation: float = 0.95
    residual: float = 12.0


THRESHOLDS = Thresholds()
# No zoom mends a pair that is this far apart: saves ten of eleven comparisons for most candidates.
_HOPELESS = Thresholds(correlation=0.5, residual=64.0)


def versions(picture: Image.Image) -> Pictures:
    """Small versions of an RGB picture, one a zoom: uint8 (6, 32, 32, 3)."""
    width, height = picture.size
    return np.stack(
        [
            np.asarray(
                picture.resize(
                    (SIDE, SIDE),
                    Image.Resampling.BILINEAR,
                    box=(width * cut, height * cut, width * (1 - cut), height * (1 - cut)),
                )
            )
            for cut in ZOOMS
        ]
    )


def same_pictures(
    left: Pictures, right: Pictures, thresholds: Thresholds = THRESHOLDS
) -> npt.NDArray[np.bool_]:
    """Whether the two images of each pair show the same picture.

    Args:
        left, right: uint8 (n, 6, 32, 32, 3), the `versions` of each pair's images.

    Returns:
        bool (n,); symmetric in left and right.
    """
    same = np.zeros(len(left), dtype=bool)
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        same[part] = _same(left[part], right[part], thresholds)
    return same


def compare(left: Pictures, right: Pictures) -> tuple[Reals, Reals]:
    """Compare pairs as they lie, without zoom.

    What is white in both is left out: it would make any two small products on white alike.

    Args:
        left, right: uint8 (n, 32, 32, 3).

    Returns:
        correlation float32 (n,), -1 to 1, and residual float32 (n,), the mean difference in grey levels of the
        worst block after equalising brightness and contrast. Without content to compare: -1 and 255.
    """
    count = len(left)
    x = left.reshape(count, SIDE * SIDE, 3).astype(np.float32)
    y = right.reshape(count, SIDE * SIDE, 3).astype(np.float32)
    content = np.minimum(x.min(axis=2), y.min(axis=2)) < _WHITE
    cells = content.sum(axis=1)
    weight = content[:, :, None].astype(np.float32)
    values = np.maximum(cells * 3, 1).astype(np.float32)[:, None, None]
    x = (x - (x * weight).sum(axis=(1, 2), keepdims=True) / values) * weight
    y = (y - (y * weight).sum(axis=(1, 2), keepdims=True) / values) * weight
    spread_x = np.sqrt(np.einsum("ncd,ncd->n", x, x))
    spread_y = np.sqrt(np.einsum("ncd,ncd->n", y, y))
    both = np.maximum(spread_x * spread_y, np.float32(1e-6))
    correlation = np.einsum("ncd,ncd->n", x, y) / both
    # Contrast is equalised halfway: the pair in the other order gives the same.
    middle = np.sqrt(both)
    x *= (middle / np.maximum(spread_x, np.float32(1e-6)))[:, None, None]
    y *= (middle / np.maximum(spread_y, np.float32(1e-6)))[:, None, None]
    blocks = SIDE // _BLOCK
    residual = np.abs(x - y).mean(axis=2).reshape(count, blocks, _BLOCK, blocks, _BLOCK).mean(axis=(2, 4))
    worst = residual.reshape(count, -1).max(axis=1) if count else np.empty(0, np.float32)
    comparable = cells >= _LEAST_CELLS
    return (
        np.where(comparable, correlation, np.float32(-1)).astype(np.float32),
        np.where(comparable, worst, np.float32(255)).astype(np.float32),
    )


def _same(left: Pictures, right: Pictures, thresholds: Thresholds) -> npt.NDArray[np.bool_]:
    correlation, residual = compare(left[:, 0], right[:, 0])
    same = _within(correlation, residual, thresholds)
    open_ = np.flatnonzero(~same & _within(correlation, residual, _HOPELESS))
    for zoom in range(1, len(ZOOMS)):
        for one, other in ((left, right), (right, left)):
            if not len(open_):
                return same
            alike = _within(*compare(one[open_, 0], other[open_, zoom]), thresholds)
            same[open_[alike]] = True
            open_ = open_[~alike]
    return same


def _within(correlation: Reals, residual: Reals, thresholds: Thresholds) -> npt.NDArray[np.bool_]:
    within: npt.NDArray[np.bool_] = (correlation >= thresholds.correlation) & (
        residual <= thresholds.residual
    )
    return within
