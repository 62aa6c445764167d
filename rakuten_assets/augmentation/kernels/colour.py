"""Tables, luma, and hue, saturation and value, a pixel at a time."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from rakuten_assets.augmentation.kernels.signatures import (
    FLOATS,
    OPTIONS,
    REAL_OPTIONS,
    TABLE,
)


@numba.njit(numba.void(numba.uint8[::1], TABLE), **OPTIONS)
def look_up(values: Any, table: Any) -> None:
    """values[i] = table[values[i]], in place; `table` is uint8 (256,)."""
    for i in range(values.size):
        values[i] = table[values[i]]


@numba.njit(numba.void(numba.uint8[::1]), **OPTIONS)
def grey(values: Any) -> None:
    """Each pixel of flat RGB becomes its luma (ITU-R BT.601, in 1/65536, rounded), in place."""
    for i in range(values.size // 3):
        at = 3 * i
        luma = (
            np.uint32(19595) * np.uint32(values[at])
            + np.uint32(38470) * np.uint32(values[at + 1])
            + np.uint32(7471) * np.uint32(values[at + 2])
            + np.uint32(32768)
        ) >> np.uint32(16)
        values[at] = values[at + 1] = values[at + 2] = np.uint8(luma)


@numba.njit(inline="always")
def _channel(sector: Any, value: Any, chroma: Any) -> Any:
    """A channel of a hexcone colour, where `sector` is (n + hue / 60 degrees), n = 5 for red, 3 green, 1 blue."""
    six = np.float32(6.0)
    sector = sector - six if sector >= six else sector
    rise = min(max(min(sector, np.float32(4.0) - sector), np.float32(0.0)), np.float32(1.0))
    return np.uint8(np.int32(value - chroma * rise + np.float32(0.5)))


@numba.njit(
    numba.void(numba.uint8[::1], numba.float32, numba.float32, numba.float32, FLOATS, FLOATS, FLOATS),
    **REAL_OPTIONS,
)
def shifted_hexcone(
    values: Any, hue: Any, saturation: Any, value: Any, sectors: Any, levels: Any, chromas: Any
) -> None:
    """Hue, value and chroma of flat RGB, n pixels, after a shift.

    A function of its own, with flat arrays, so that the compiler makes vector instructions of it: ten times as fast.

    Args:
        hue: in sixths of a circle, 0 <= hue < 6.
        saturation: added, within 0 to 1; at most as much as there is, so that grey stays grey.
        value: in grey levels, added, within 0 to 255.
        sectors: float32 (n,), becomes the hue in sixths of a circle; levels, chromas: float32 (n,), grey levels.
    """
    zero, one, two = np.float32(0.0), np.float32(1.0), np.float32(2.0)
    four, six, most = np.float32(4.0), np.float32(6.0), np.float32(255.0)
    for i in range(sectors.size):
        red, green, blue = (
            np.float32(values[3 * i]), np.float32(values[3 * i + 1]), np.float32(values[3 * i + 2]),
        )  # fmt: skip
        high = max(red, max(green, blue))
        chroma = high - min(red, min(green, blue))
        divisor = chroma if chroma > zero else one
        from_red, from_green = (green - blue) / divisor, (blue - red) / divisor
        sector = four + (red - green) / divisor
        sector = two + from_green if high == green else sector
        sector = from_red if high == red else sector
        sector = sector + hue
        sector = sector + six if sector < zero else sector
        sector = sector - six if sector >= six else sector
        brightest = high if high > zero else one
        old = chroma / brightest
        new = min(max(old + min(max(saturation, -old), old), zero), one)
        level = min(max(high + value, zero), most)
        sectors[i], levels[i], chromas[i] = sector, level, level * new


@numba.njit(numba.void(FLOATS, FLOATS, FLOATS, numba.uint8[::1]), **REAL_OPTIONS)
def from_hexcone(sectors: Any, levels: Any, chromas: Any, values: Any) -> None:
    """Flat RGB, rounded, of hue, value and chroma as from `shifted_hexcone`."""
    for i in range(sectors.size):
        sector, level, chroma = sectors[i], levels[i], chromas[i]
        values[3 * i] = _channel(sector + np.float32(5.0), level, chroma)
        values[3 * i + 1] = _channel(sector + np.float32(3.0), level, chroma)
        values[3 * i + 2] = _channel(sector + np.float32(1.0), level, chroma)
