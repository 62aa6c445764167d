"""Where pixels come from, and what lies between them: homographies, displacements, mirrors."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from rakuten_assets.augmentation.kernels.signatures import (
    BYTES,
    COLOUR,
    FIELD,
    INT_LINE,
    OPTIONS,
    PIXELS,
    REAL_LINE,
    REAL_OPTIONS,
    REALS,
    WORDS,
)

# Parts of a pixel that bilinear weights are counted in: two of them and a byte fill 30 bits.
_PARTS = 2048
_SQUARE_BITS = 22
_int = np.int32


@numba.njit(numba.void(PIXELS, COLOUR, numba.uint32[:, ::1]), **OPTIONS)
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


@numba.njit(numba.void(REALS, FIELD, numba.int64, numba.int64, REAL_LINE, REAL_LINE), **REAL_OPTIONS)
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
    numba.void(REAL_LINE, REAL_LINE, numba.int32, numba.int32, INT_LINE, INT_LINE, INT_LINE),
    **REAL_OPTIONS,
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
    numba.void(WORDS, numba.int32, INT_LINE, INT_LINE, INT_LINE, INT_LINE, INT_LINE, INT_LINE),
    **OPTIONS,
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


@numba.njit(numba.void(INT_LINE, INT_LINE, INT_LINE, numba.uint8[::1]), **OPTIONS)
def store(red: Any, green: Any, blue: Any, out: Any) -> None:
    """Sums as from `blend` as flat RGB."""
    for x in range(red.size):
        out[3 * x] = np.uint8(red[x] >> _SQUARE_BITS)
        out[3 * x + 1] = np.uint8(green[x] >> _SQUARE_BITS)
        out[3 * x + 2] = np.uint8(blue[x] >> _SQUARE_BITS)


@numba.njit(numba.void(PIXELS, numba.boolean, BYTES), **OPTIONS)
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
