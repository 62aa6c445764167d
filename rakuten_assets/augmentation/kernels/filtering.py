"""Noise, and convolutions of pixels and of planes of reals."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from rakuten_assets.augmentation.kernels.signatures import (
    BYTES,
    OPTIONS,
    PIXELS,
    PLACES,
    READ_FLOATS,
    SHORTS,
    WEIGHTS,
    read_only,
)

_int = np.int32


@numba.njit(numba.void(numba.uint8[::1], SHORTS, read_only(numba.int16, 1)), **OPTIONS)
def add_noise(values: Any, draws: Any, levels: Any) -> None:
    """values[i] += levels[draws[i]], clipped, in place.

    Args:
        draws: uint16, at least as many as values.
        levels: int16 (65536,), grey levels.
    """
    for i in range(values.size):
        changed: Any = _int(values[i]) + _int(levels[draws[i]])
        values[i] = np.uint8(_int(min(max(changed, 0), 255)))


@numba.njit(numba.void(PIXELS, WEIGHTS, PLACES, PLACES, BYTES), **OPTIONS)
def blur(image: Any, weights: Any, rows: Any, columns: Any, out: Any) -> None:
    """Convolve with `weights` down and across.

    Args:
        image, out: uint8 (h, w, 3).
        weights: int32 (2r + 1,), their sum is 2^14.
        rows, columns: int64 (h + 2r,) and (w + 2r,), the row or column that each place of a padded picture shows.
    """
    height, width = image.shape[0], image.shape[1]
    stride = 3 * width
    lines, result = image.reshape(height, stride), out.reshape(height, stride)
    total, padded = np.empty(stride, np.int32), np.empty(3 * columns.size, np.int32)
    for y in range(height):
        # Six bits below the byte stay until the end.
        for j in range(stride):
            total[j] = 1 << 7
        for tap in range(weights.size):
            weight, line = weights[tap], lines[rows[y + tap]]
            for j in range(stride):
                total[j] += weight * np.int32(line[j])
        for x in range(columns.size):
            for channel in range(3):
                padded[3 * x + channel] = total[3 * columns[x] + channel] >> 8
        for j in range(stride):
            total[j] = 1 << 19
        for tap in range(weights.size):
            weight, shifted = weights[tap], padded[3 * tap : 3 * tap + stride]
            for j in range(stride):
                total[j] += weight * shifted[j]
        for j in range(stride):
            result[y, j] = np.uint8(min(total[j] >> 20, 255))


@numba.njit(numba.void(numba.float32[:, ::1], READ_FLOATS, PLACES, PLACES, numba.float32[:, ::1]), **OPTIONS)
def smooth(plane: Any, weights: Any, rows: Any, columns: Any, out: Any) -> None:
    """`blur` of a plane of reals, float32 (h, w)."""
    height, width = plane.shape
    padded, total = np.empty(columns.size, np.float32), np.empty(width, np.float32)
    for y in range(height):
        for x in range(width):
            total[x] = 0.0
        for tap in range(weights.size):
            weight, line = weights[tap], plane[rows[y + tap]]
            for x in range(width):
                total[x] += weight * line[x]
        for x in range(columns.size):
            padded[x] = total[columns[x]]
        row = out[y]
        for x in range(width):
            row[x] = 0.0
        for tap in range(weights.size):
            weight, shifted = weights[tap], padded[tap : tap + width]
            for x in range(width):
                row[x] += weight * shifted[x]
