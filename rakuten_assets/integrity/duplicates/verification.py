"""Are two images the same picture? The test that a perceptual hash cannot make.

A 64-bit hash of a small product on white is mostly a hash of the white: 3,927 groups of equal hashes in the real
train set hold unrelated pictures together. So each candidate pair is compared on pixels, without what is white in
both: first on outlines of 16 x 16 cells, which are small enough to be kept for every image, and then, where these are
possible, on 32 x 32 cells at several zooms (a cropped copy is a zoomed one).

Measured on 594 real images: of 176,000 pairs of different products none correlates above 0.94 where it is not
white, and the nearest (one apron with two prints, one sheet of stamps and another) differ by 19 grey levels and
more in their worst block. Copies of each, found through hash, measures and pixels: JPEG quality 62, 99.7 %; quality
30, 99.5 %; 4 % brighter, 99.8 %; 10 %, 99 %; half the size, 99.5 %; 1 % cut off each edge, 99 %; 2 %, 97 %; 3 %,
90 %; and in no case was a copy joined with another image. What is missed is mostly a few grey strokes on white.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

VERIFICATION_VERSION = "1"
"""Changes whenever `versions`, `outline` or `compare` may give other numbers: outcomes of another version are not
remembered."""

SIDE = 32
OUTLINE_SIDE = 16
ZOOMS = (0.0, 0.005, 0.012, 0.022, 0.035)
"""Shares of the width and height that are cut off at each edge."""

_BLOCKS = 8  # a residual is averaged over each of 8 x 8 blocks
_WHITE = 240  # a bit under the scan's threshold: small versions mix white with its neighbourhood
_LEAST_CONTENT = 1 / 64  # with less of the cells than this there is nothing to compare
_PAIRS_AT_ONCE = 256

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
# Of outlines: 99 % of copies with 2 % cut off each edge pass, all that are cropped less, and one in five of the
# pairs that hash and measures let through.
_POSSIBLE = Thresholds(correlation=0.75, residual=54.0)


def versions(picture: Image.Image) -> Pictures:
    """Small versions of an RGB picture, one a zoom: uint8 (5, 32, 32, 3)."""
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


def outline(versions_: Pictures) -> Pictures:
    """The first of an image's `versions`, smaller: uint8 (16, 16, 3)."""
    fold = SIDE // OUTLINE_SIDE
    cells = versions_[0].reshape(OUTLINE_SIDE, fold, OUTLINE_SIDE, fold, 3)
    smaller: Pictures = np.rint(cells.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
    return smaller


def possible_pairs(left: Pictures, right: Pictures) -> npt.NDArray[np.bool_]:
    """Whether outlines, uint8 (n, 16, 16, 3), leave it possible that two images show the same picture: bool (n,)."""
    return _in_parts(lambda part: _within(*compare(left[part], right[part]), _POSSIBLE), len(left))


def same_pictures(
    left: Pictures, right: Pictures, thresholds: Thresholds = THRESHOLDS
) -> npt.NDArray[np.bool_]:
    """Whether the two images of each pair show the same picture.

    Args:
        left, right: uint8 (n, 5, 32, 32, 3), the `versions` of each pair's images.

    Returns:
        bool (n,); symmetric in left and right.
    """
    return _in_parts(lambda part: _same(left[part], right[part], thresholds), len(left))


def verification_basis() -> dict[str, Any]:
    """All that an outcome on two small pictures depends on, JSON-able."""
    return {
        "version": VERIFICATION_VERSION,
        "same": asdict(THRESHOLDS),
        "possible": asdict(_POSSIBLE),
        "sides": [SIDE, OUTLINE_SIDE],
        "zooms": ZOOMS,
        "blocks": _BLOCKS,
        "white": _WHITE,
        "least_content": _LEAST_CONTENT,
    }


def compare(left: Pictures, right: Pictures) -> tuple[Reals, Reals]:
    """Compare pairs as they lie, without zoom.

    What is white in both is left out: it would make any two small products on white alike.

    Args:
        left, right: uint8 (n, side, side, 3), where side is a multiple of 8.

    Returns:
        correlation float32 (n,), -1 to 1, and residual float32 (n,), the mean difference in grey levels of the
        worst block after equalising brightness and contrast. Without content to compare: -1 and 255.
    """
    count, side = left.shape[:2]
    x = left.reshape(count, side * side, 3).astype(np.float32)
    y = right.reshape(count, side * side, 3).astype(np.float32)
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
    fold = side // _BLOCKS
    residual = np.abs(x - y).mean(axis=2).reshape(count, _BLOCKS, fold, _BLOCKS, fold).mean(axis=(2, 4))
    worst = residual.reshape(count, _BLOCKS * _BLOCKS).max(axis=1)
    comparable = cells >= _LEAST_CONTENT * side * side
    return (
        np.where(comparable, correlation, np.float32(-1)).astype(np.float32),
        np.where(comparable, worst, np.float32(255)).astype(np.float32),
    )


def _same(left: Pictures, right: Pictures, thresholds: Thresholds) -> npt.NDArray[np.bool_]:
    same = _within(*compare(left[:, 0], right[:, 0]), thresholds)
    for zoom in range(1, len(ZOOMS)):
        for one, other in ((left, right), (right, left)):
            open_ = np.flatnonzero(~same)
            same[open_] = _within(*compare(one[open_, 0], other[open_, zoom]), thresholds)
    return same


def _in_parts(judge: Callable[[slice], npt.NDArray[np.bool_]], count: int) -> npt.NDArray[np.bool_]:
    """`judge` of `count` pairs, a few hundred at a time: their floats stay in a core's cache."""
    parts = [judge(slice(start, start + _PAIRS_AT_ONCE)) for start in range(0, count, _PAIRS_AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def _within(correlation: Reals, residual: Reals, thresholds: Thresholds) -> npt.NDArray[np.bool_]:
    within: npt.NDArray[np.bool_] = (correlation >= thresholds.correlation) & (
        residual <= thresholds.residual
    )
    return within
