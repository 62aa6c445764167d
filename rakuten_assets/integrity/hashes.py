"""Hashes of pictures: one that equal pixels share, and two that similar pictures nearly share.

The perceptual hashes are the usual ones (pHash: DCT of a 32x32 gray image; dHash: differences of a 9x8 gray
image), computed in whole numbers: area means of luma instead of a filtered resize, cosines in 1/8192. So they
are the same on every machine. Hashes made by other programs differ from these in a few bits.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from rakuten_assets.integrity import kernels

# The pHash sees its cells in 1/256 of a grey level, where a cell's sum is in 1/65536 of one and one pixel.
_PHASH_UNIT = 65536 // 256


def pixel_sha256(rgb: npt.NDArray[np.uint8]) -> str:
    """Hexadecimal sha256 of a picture: uint8 (height, width, 3), C order. Equal for equal pixels only.

    Hashed are "<height>x<width>+<top>:" and the RGB bytes without the `top` first rows and the last rows that
    are nothing but 255. In product photos on white that is a fifth of the bytes, and hashing is a fifth of a
    scan's time.
    """
    height, width = rgb.shape[:2]
    top = kernels.bright_rows(rgb.reshape(-1), 3 * width, 0, 1, 255)
    bottom = height - kernels.bright_rows(rgb.reshape(-1), 3 * width, height - 1, -1, 255)
    digest = hashlib.sha256(f"{height}x{width}+{top}:".encode())
    digest.update(rgb[top:bottom].data)
    return digest.hexdigest()


def phash_of_cells(cells: npt.NDArray[np.int64], pixels: int) -> int:
    """64-bit pHash from the sums of 32x32 cells (`kernels.area_sums`; overwritten) of so many pixels."""
    half = np.zeros((kernels.LOW_FREQUENCIES, kernels.CELLS), np.int64)
    coefficients = np.zeros((kernels.LOW_FREQUENCIES, kernels.LOW_FREQUENCIES), np.int64)
    return int(kernels.phash(cells, _PHASH_UNIT * pixels, kernels.COSINES, half, coefficients))


def dhash_of_cells(cells: npt.NDArray[np.int64]) -> int:
    """64-bit dHash from the sums of 8x9 cells (`kernels.area_sums`)."""
    return int(kernels.dhash(cells))
