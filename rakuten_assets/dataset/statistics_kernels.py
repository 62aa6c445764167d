"""The loop of `statistics`, compiled when this module is imported. It releases the GIL."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_PIXELS = numba.types.Array(numba.uint8, 1, "C", readonly=True)
# Of a byte's squares, 2^32 / 255^2 fit into 32 bits.
_PIXELS_IN_32_BITS = 65536


@numba.njit(numba.void(_PIXELS, numba.int64[::1]), nogil=True)
def channel_sums(values: Any, found: Any) -> None:
    """Add to `found`, int64 (6,): sums of red, green, blue, then of their squares, of flat RGB bytes."""
    pixels = values.size // 3
    for start in range(0, pixels, _PIXELS_IN_32_BITS):
        red = green = blue = np.uint32(0)
        reds = greens = blues = np.uint32(0)
        for i in range(start, min(start + _PIXELS_IN_32_BITS, pixels)):
            r, g, b = np.uint32(values[3 * i]), np.uint32(values[3 * i + 1]), np.uint32(values[3 * i + 2])
            red, green, blue = np.uint32(red + r), np.uint32(green + g), np.uint32(blue + b)
            reds, greens, blues = np.uint32(reds + r * r), np.uint32(greens + g * g), np.uint32(blues + b * b)
        found[0] += red
        found[1] += green
        found[2] += blue
        found[3] += reds
        found[4] += greens
        found[5] += blues
