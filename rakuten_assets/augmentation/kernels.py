"""The pixel loops of `rendering`, compiled when this module is imported. All of them release the GIL.

Integers wherever a result is a byte, so that every machine gives the same ones. Compiling takes a few seconds, once a
process; a forked worker inherits what its parent compiled.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_OPTIONS: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
# No NaN, infinity or signed zero comes up: without this the compiler makes no vector minimum. It changes no result.
_REAL_OPTIONS: dict[str, Any] = {**_OPTIONS, "fastmath": {"nnan", "ninf", "nsz"}}


def _read(kind: Any, dimensions: int) -> Any:
    """An array in C order that may be read-only."""
    return numba.types.Array(kind, dimensions, "C", readonly=True)


_PIXELS, _BYTES = _read(numba.uint8, 3), numba.uint8[:, :, ::1]
_TABLE = _COLOUR = _read(numba.uint8, 1)
_REALS, _FIELD = _read(numba.float64, 1), _read(numba.float32, 3)
_SHORTS, _WEIGHTS, _PLACES = _read(numba.uint16, 1), _read(numba.int32, 1), _read(numba.int64, 1)
_REAL_LINE, _INT_LINE, _WORDS, _FLOATS = (
    numba.float64[::1],
    numba.int32[::1],
    numba.uint32[::1],
    numba.float32[::1],
)
_READ_FLOATS = _read(numba.float32, 1)

# Parts of a pixel that bilinear weights are counted in: two of them and a byte fill 30 bits.
_PARTS = 2048
_SQUARE_BITS = 22
_int = np.int32


@numba.njit(numba.void(numba.uint32[::1], numba.uint32, numba.uint32[::1]), **_OPTIONS)
def philox(key: Any, lane: Any, out: Any) -> None:
    """Fill `out`, uint32 (4n,), with Philox4x32-10: block i is the one of the counter (i, lane, key[2], key[3]).

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    first, second = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    low, by = np.uint64(0xFFFFFFFF), np.uint64(32)
    for block in range(out.size // 4):
        a, b, c, d = np.uint64(block) & low, np.uint64(lane), np.uint64(key[2]), np.uint64(key[3])
        k, m = np.uint64(key[0]), np.uint64(key[1])
        for _ in range(10):
            x, y = first * a, second * c
            a, c = (y >> by) ^ b ^ k, (x >> by) ^ d ^ m
            b, d = y & low, x & low
            k, m = (k + np.uint64(0x9E3779B9)) & low, (m + np.uint64(0xBB67AE85)) & low
        at = 4 * block
        out[at], out[at + 1], out[at + 2], out[at + 3] = (
            np.uint32(a),
            np.uint32(b),
            np.uint32(c),
            np.uint32(d),
        )


@numba.njit(numba.void(_PIXELS, _COLOUR, numba.uint32[:, ::1]), **_OPTIONS)
def pack(image: Any, fill: Any, out: Any) -> None:
    """Pixels as 32-bit words, red lowest, in a frame of `fill`: uint8 (h, w, 3) to uint32 (h + 4, w + 4)."""
    height, width = image.shape[0], image.shape[1]
    flat = image.reshape(-1)
    edge = np.uint32(fill[0]) | np.uint32(fill[1]) << np.uint32(8) | np.uint32(fill[2]) << np.uint32(16)
    for y in range(height + 4):
        row = out[y]
        if y < 2 or y >= height + 2:
            for x in range(width + 4):
                row[x] = edge
            continue
        row[0] = row[1] = row[width + 2] = row[width + 3] = edge
        line = flat[(y - 2) * 3 * width : (y - 1) * 3 * width]
        for x in range(width):
            row[x + 2] = (
                np.uint32(line[3 * x])
                | np.uint32(line[3 * x + 1]) << np.uint32(8)
                | np.uint32(line[3 * x + 2]) << np.uint32(16)
            )


@numba.njit(numba.void(_REALS, _FIELD, numba.int64, numba.int64, _REAL_LINE, _REAL_LINE), **_REAL_OPTIONS)
def locate(matrix: Any, field: Any, first: Any, width: Any, across: Any, down: Any) -> None:
    """Where the pixels of a band of rows come from.

    Args:
        matrix: float64 (9,), a homography row by row, from points of the output to points of the input.
        field: float32 (2, h, width), added to the output's points before; (2, 0, 0) for none.
        first: the band's first row.
        across, down: float64 (rows * width,), become x and y in the input; pixel centres lie at halves.
    """
    moved = field.shape[1] > 0
    for y in range(across.size // width):
        start = y * width
        row, line = across[start : start + width], down[start : start + width]
        for x in range(width):
            row[x], line[x] = x + 0.5, first + y + 0.5
        if moved:
            for x in range(width):
                row[x] += np.float64(field[0, first + y, x])
                line[x] += np.float64(field[1, first + y, x])
    bent = matrix[6] != 0.0 or matrix[7] != 0.0
    for i in range(across.size):
        u, v = across[i], down[i]
        scale = matrix[6] * u + matrix[7] * v + matrix[8] if bent else 1.0
        across[i] = (matrix[0] * u + matrix[1] * v + matrix[2]) / scale
        down[i] = (matrix[3] * u + matrix[4] * v + matrix[5]) / scale


@numba.njit(
    numba.void(_REAL_LINE, _REAL_LINE, numba.int32, numba.int32, _INT_LINE, _INT_LINE, _INT_LINE),
    **_REAL_OPTIONS,
)
def quantise(across: Any, down: Any, width: Any, height: Any, at: Any, right: Any, lower: Any) -> None:
    """Points in a packed picture: index of the upper left of four words, and shares of the right and lower ones."""
    stride = _int(width + _int(4))
    last_column, last_row = width + 2.0, height + 2.0
    for x in range(across.size):
        # Counted from the centre of the frame's first pixel, and so never negative: the conversion is a floor.
        u = min(max(across[x] + 1.5, 0.0), last_column)
        v = min(max(down[x] + 1.5, 0.0), last_row)
        left, top = _int(u), _int(v)
        at[x] = top * stride + left
        right[x] = _int((u - left) * _PARTS + 0.5)
        lower[x] = _int((v - top) * _PARTS + 0.5)


@numba.njit(
    numba.void(_WORDS, numba.int32, _INT_LINE, _INT_LINE, _INT_LINE, _INT_LINE, _INT_LINE, _INT_LINE),
    **_OPTIONS,
)
def blend(words: Any, stride: Any, at: Any, right: Any, lower: Any, red: Any, green: Any, blue: Any) -> None:
    """The weighted sums of four words, by channel, in units of 2^-22 grey levels.

    Numba widens sums of 32-bit integers, which would halve the speed: hence all the narrowing.
    """
    byte, half, one = _int(255), _int(1 << (_SQUARE_BITS - 1)), np.uint32(1)
    for x in range(at.size):
        after, under = right[x], lower[x]
        before, over = _int(_PARTS - after), _int(_PARTS - under)
        a, b, c, d = _int(before * over), _int(after * over), _int(before * under), _int(after * under)
        i = np.uint32(at[x])
        j = np.uint32(i + np.uint32(stride))
        p, q, r, s = _int(words[i]), _int(words[i + one]), _int(words[j]), _int(words[j + one])
        red[x] = _int(
            _int(a * _int(p & byte))
            + _int(b * _int(q & byte))
            + _int(c * _int(r & byte))
            + _int(d * _int(s & byte))
            + half
        )
        green[x] = _int(
            _int(a * _int((p >> 8) & byte))
            + _int(b * _int((q >> 8) & byte))
            + _int(c * _int((r >> 8) & byte))
            + _int(d * _int((s >> 8) & byte))
            + half
        )
        blue[x] = _int(
            _int(a * _int(p >> 16))
            + _int(b * _int(q >> 16))
            + _int(c * _int(r >> 16))
            + _int(d * _int(s >> 16))
            + half
        )


@numba.njit(numba.void(_INT_LINE, _INT_LINE, _INT_LINE, numba.uint8[::1]), **_OPTIONS)
def store(red: Any, green: Any, blue: Any, out: Any) -> None:
    """Sums as from `blend` as flat RGB."""
    for x in range(red.size):
        out[3 * x] = np.uint8(red[x] >> _SQUARE_BITS)
        out[3 * x + 1] = np.uint8(green[x] >> _SQUARE_BITS)
        out[3 * x + 2] = np.uint8(blue[x] >> _SQUARE_BITS)


@numba.njit(numba.void(_PIXELS, numba.boolean, _BYTES), **_OPTIONS)
def mirror(image: Any, upside_down: Any, out: Any) -> None:
    """Left becomes right, and top bottom where asked: uint8 (h, w, 3). A tenth of what numpy takes for its view."""
    height, width = image.shape[0], image.shape[1]
    flat, result = image.reshape(-1), out.reshape(-1)
    for y in range(height):
        line = flat[3 * y * width : 3 * (y + 1) * width]
        place = height - 1 - y if upside_down else y
        row = result[3 * place * width : 3 * (place + 1) * width]
        for x in range(width):
            at = 3 * (width - 1 - x)
            row[3 * x], row[3 * x + 1], row[3 * x + 2] = line[at], line[at + 1], line[at + 2]


@numba.njit(numba.void(numba.uint8[::1], _TABLE), **_OPTIONS)
def look_up(values: Any, table: Any) -> None:
    """values[i] = table[values[i]], in place; `table` is uint8 (256,)."""
    for i in range(values.size):
        values[i] = table[values[i]]


@numba.njit(numba.void(numba.uint8[::1]), **_OPTIONS)
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
    numba.void(numba.uint8[::1], numba.float32, numba.float32, numba.float32, _FLOATS, _FLOATS, _FLOATS),
    **_REAL_OPTIONS,
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


@numba.njit(numba.void(_FLOATS, _FLOATS, _FLOATS, numba.uint8[::1]), **_REAL_OPTIONS)
def from_hexcone(sectors: Any, levels: Any, chromas: Any, values: Any) -> None:
    """Flat RGB, rounded, of hue, value and chroma as from `shifted_hexcone`."""
    for i in range(sectors.size):
        sector, level, chroma = sectors[i], levels[i], chromas[i]
        values[3 * i] = _channel(sector + np.float32(5.0), level, chroma)
        values[3 * i + 1] = _channel(sector + np.float32(3.0), level, chroma)
        values[3 * i + 2] = _channel(sector + np.float32(1.0), level, chroma)


@numba.njit(numba.void(numba.uint8[::1], _SHORTS, _read(numba.int16, 1)), **_OPTIONS)
def add_noise(values: Any, draws: Any, levels: Any) -> None:
    """values[i] += levels[draws[i]], clipped, in place.

    Args:
        draws: uint16, at least as many as values.
        levels: int16 (65536,), grey levels.
    """
    for i in range(values.size):
        changed: Any = _int(values[i]) + _int(levels[draws[i]])
        values[i] = np.uint8(_int(min(max(changed, 0), 255)))


@numba.njit(numba.void(_PIXELS, _WEIGHTS, _PLACES, _PLACES, _BYTES), **_OPTIONS)
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


@numba.njit(
    numba.void(numba.float32[:, ::1], _READ_FLOATS, _PLACES, _PLACES, numba.float32[:, ::1]), **_OPTIONS
)
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


@numba.njit(
    numba.void(_PIXELS, _read(numba.float32, 2), numba.float32[:, :, ::1]),
    **_OPTIONS,
)
def to_planes(image: Any, table: Any, out: Any) -> None:
    """out[c, y, x] = table[c, image[y, x, c]]: uint8 (h, w, 3) to float32 (3, h, w)."""
    for y in range(image.shape[0]):
        line = image[y]
        for channel in range(3):
            values = table[channel]
            row = out[channel, y]
            for x in range(line.shape[0]):
                row[x] = values[line[x, channel]]
