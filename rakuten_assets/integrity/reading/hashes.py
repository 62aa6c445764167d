"""Hashes of pictures: one that equal pixels share, and two that similar pictures nearly share.

The perceptual hashes are the usual ones (pHash: DCT of a 32x32 gray image; dHash: differences of a 9x8 gray
image), computed in whole numbers: area means of luma instead of a filtered resize, cosines in 1/8192. So they
are the same on every machine. Hashes made by other programs differ from these in a few bits.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from rakuten_assets.images.borders import Box

CELLS = 32
"""Rows and columns of the gray image behind the pHash."""

DHASH_ROWS, DHASH_COLUMNS = 8, 9
"""Of the gray image behind the dHash."""

PHASH_UNIT = 65536 // 256
"""The pHash sees its cells in 1/256 of a grey level, where a cell's sum is in 1/65536 of one and one pixel. Rounding
to it keeps the transform in 64 bits."""

LOW_FREQUENCIES = 8
"""Rows and columns of DCT coefficients that the pHash keeps."""

COSINES = np.rint(
    8192 * np.cos(np.pi / (2 * CELLS) * np.outer(np.arange(LOW_FREQUENCIES), 2 * np.arange(CELLS) + 1))
).astype(np.int64)
"""int64 (8, 32): the DCT-II's basis in 1/8192."""


def pixel_sha256(rgb: npt.NDArray[np.uint8], drawn: Box) -> str:
    """Hexadecimal sha256 of a picture. Equal for equal pixels only.

    Hashed are "<height>x<width>+<left>+<top>:" and the RGB bytes of the smallest box that holds every value but 255
    (of a white picture: "<height>x<width>+0+0:"). In product photos on white the rest is a third of the bytes, and
    hashing is a fifth of a scan's time.

    Args:
        rgb: uint8 (height, width, 3), C order.
        drawn: that box.
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = drawn
    digest = hashlib.sha256(f"{height}x{width}+{left}+{top}:".encode())
    digest.update(np.ascontiguousarray(rgb[top:bottom, left:right]).data)
    return digest.hexdigest()


def phash_of_cells(cells: npt.NDArray[np.int64], pixels: int) -> int:
    """64-bit pHash from the sums of 32x32 cells of a picture of so many pixels.

    Bits are the 8x8 lowest coefficients of the DCT-II, DC first, row by row: 1 where one exceeds their median.
    """
    unit = PHASH_UNIT * pixels
    low = (COSINES @ ((cells + unit // 2) // unit) @ COSINES.T).ravel()
    # A value exceeds the median of an even number of values when at least half of them are below it.
    return _packed(low > np.sort(low)[low.size // 2 - 1])


def dhash_of_cells(cells: npt.NDArray[np.int64]) -> int:
    """64-bit dHash from the sums of 8x9 cells of a picture: which are brighter than their left neighbour."""
    return _packed(cells[:, 1:] > cells[:, :-1])


def _packed(bits: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes())
