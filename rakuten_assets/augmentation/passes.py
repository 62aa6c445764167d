"""What `kernels` has compiled, through NumPy: the same names, arguments and bytes, without seconds of compiling.

For a few pictures, as in a notebook or a gallery: a pass takes milliseconds where a kernel takes tenths of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_PARTS, _SQUARE_BITS = 2048, 22
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def philox(key: Any, lane: Any, out: Any) -> None:
    """Philox4x32-10 of all blocks side by side."""
    first, second = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    a: Any = np.arange(out.size // 4, dtype=np.uint64) & _LOW
    b: Any = np.uint64(lane)
    c: Any = np.uint64(key[2])
    d: Any = np.uint64(key[3])
    k, m = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        x, y = first * a, second * c
        a, c = (y >> _WORD) ^ b ^ k, (x >> _WORD) ^ d ^ m
        b, d = y & _LOW, x & _LOW
        k, m = (k + np.uint64(0x9E3779B9)) & _LOW, (m + np.uint64(0xBB67AE85)) & _LOW
    blocks = out.reshape(-1, 4)
    for place, words in enumerate((a, b, c, d)):
        blocks[:, place] = words


def pack(image: Any, fill: Any, out: Any) -> None:
    """Pixels as 32-bit words in a frame of `fill`."""
    out[...] = _words(fill)
    out[2:-2, 2:-2] = _words(image)


def locate(matrix: Any, field: Any, first: Any, width: Any, across: Any, down: Any) -> None:
    """Where the pixels of a band of rows come from."""
    rows = across.size // width
    columns, lines = across.reshape(rows, width), down.reshape(rows, width)
    columns[...] = np.arange(width) + 0.5
    lines[...] = (np.arange(first, first + rows) + 0.5)[:, None]
    if field.shape[1] > 0:
        columns += field[0, first : first + rows]
        lines += field[1, first : first + rows]
    u, v = across.copy(), down.copy()
    across[...] = matrix[0] * u + matrix[1] * v + matrix[2]
    down[...] = matrix[3] * u + matrix[4] * v + matrix[5]
    if matrix[6] != 0.0 or matrix[7] != 0.0:
        scale = matrix[6] * u + matrix[7] * v + matrix[8]
        across /= scale
        down /= scale


def quantise(across: Any, down: Any, width: Any, height: Any, at: Any, right: Any, lower: Any) -> None:
    """Points in a packed picture: index of the upper left word, and shares of the right and lower ones."""
    u = np.minimum(np.maximum(across + 1.5, 0.0), width + 2.0)
    v = np.minimum(np.maximum(down + 1.5, 0.0), height + 2.0)
    left, top = u.astype(np.int32), v.astype(np.int32)
    at[...] = top * np.int32(width + 4) + left
    right[...] = ((u - left) * _PARTS + 0.5).astype(np.int32)
    lower[...] = ((v - top) * _PARTS + 0.5).astype(np.int32)


def blend(words: Any, stride: Any, at: Any, right: Any, lower: Any, red: Any, green: Any, blue: Any) -> None:
    """The weighted sums of four words, by channel, in units of 2^-22 grey levels."""
    left, upper = _PARTS - right, _PARTS - lower
    taps = ((0, left * upper), (1, right * upper), (stride, left * lower), (stride + 1, right * lower))
    for channel, out in enumerate((red, green, blue)):
        out[...] = 1 << (_SQUARE_BITS - 1)
        for step, weight in taps:
            out += weight * (words[at + step] >> (8 * channel) & 255).astype(np.int32)


def store(red: Any, green: Any, blue: Any, out: Any) -> None:
    """Sums as from `blend` as flat RGB."""
    pixels = out.reshape(-1, 3)
    for channel, sums in enumerate((red, green, blue)):
        pixels[:, channel] = sums >> _SQUARE_BITS


def mirror(image: Any, upside_down: Any, out: Any) -> None:
    """Left becomes right, and top bottom where asked."""
    out[...] = image[:: -1 if upside_down else 1, ::-1]


def look_up(values: Any, table: Any) -> None:
    """values[i] = table[values[i]], in place."""
    values[...] = table[values]


def grey(values: Any) -> None:
    """Each pixel of flat RGB becomes its luma, in place."""
    pixels = values.reshape(-1, 3)
    weighed = pixels @ np.array([19595, 38470, 7471], np.uint32)
    pixels[...] = ((weighed + np.uint32(32768)) >> np.uint32(16))[:, None]


def shifted_hexcone(
    values: Any, hue: Any, saturation: Any, value: Any, sectors: Any, levels: Any, chromas: Any
) -> None:
    """Hue, value and chroma of flat RGB, after a shift."""
    zero, one, two = np.float32(0.0), np.float32(1.0), np.float32(2.0)
    four, six, most = np.float32(4.0), np.float32(6.0), np.float32(255.0)
    red, green, blue = values.reshape(-1, 3).T.astype(np.float32)
    high = np.maximum(red, np.maximum(green, blue))
    chroma = high - np.minimum(red, np.minimum(green, blue))
    divisor = np.where(chroma > zero, chroma, one)
    sector = four + (red - green) / divisor
    sector = np.where(high == green, two + (blue - red) / divisor, sector)
    sector = np.where(high == red, (green - blue) / divisor, sector)
    sector = sector + hue
    sector = np.where(sector < zero, sector + six, sector)
    sectors[...] = np.where(sector >= six, sector - six, sector)
    old = chroma / np.where(high > zero, high, one)
    new = np.minimum(np.maximum(old + np.minimum(np.maximum(saturation, -old), old), zero), one)
    levels[...] = np.minimum(np.maximum(high + value, zero), most)
    chromas[...] = levels * new


def from_hexcone(sectors: Any, levels: Any, chromas: Any, values: Any) -> None:
    """Flat RGB, rounded, of hue, value and chroma."""
    six, four, one = np.float32(6.0), np.float32(4.0), np.float32(1.0)
    pixels = values.reshape(-1, 3)
    for channel, turn in enumerate((np.float32(5.0), np.float32(3.0), np.float32(1.0))):
        sector = sectors + turn
        sector = np.where(sector >= six, sector - six, sector)
        rise = np.minimum(np.maximum(np.minimum(sector, four - sector), np.float32(0.0)), one)
        pixels[:, channel] = (levels - chromas * rise + np.float32(0.5)).astype(np.int32)


def add_noise(values: Any, draws: Any, levels: Any) -> None:
    """values[i] += levels[draws[i]], clipped, in place."""
    values[...] = np.clip(values + levels[draws[: values.size]], 0, 255)


def blur(image: Any, weights: Any, rows: Any, columns: Any, out: Any) -> None:
    """Convolve with `weights` down and across."""
    height, stride = image.shape[0], 3 * image.shape[1]
    lines, total = image.reshape(height, stride), np.full((height, stride), 1 << 7, np.int32)
    for tap, weight in enumerate(weights):
        total += weight * lines[rows[tap : tap + height]]
    padded = (total >> 8).reshape(height, -1, 3)[:, columns].reshape(height, -1)
    total[...] = 1 << 19
    for tap, weight in enumerate(weights):
        total += weight * padded[:, 3 * tap : 3 * tap + stride]
    out.reshape(height, stride)[...] = np.minimum(total >> 20, 255)


def smooth(plane: Any, weights: Any, rows: Any, columns: Any, out: Any) -> None:
    """`blur` of a plane of reals."""
    height, width = plane.shape
    total = np.zeros((height, width), np.float32)
    for tap, weight in enumerate(weights):
        total += weight * plane[rows[tap : tap + height]]
    padded = total[:, columns]
    out[...] = 0.0
    for tap, weight in enumerate(weights):
        out += weight * padded[:, tap : tap + width]


def to_planes(image: Any, table: Any, out: Any) -> None:
    """out[c, y, x] = table[c, image[y, x, c]]."""
    for channel, values in enumerate(table):
        np.take(values, image[..., channel], out=out[channel])


def _words(pixels: Any) -> Any:
    """uint8 (..., 3) as uint32 (...), red lowest."""
    red, green, blue = np.moveaxis(pixels, -1, 0).astype(np.uint32)
    return red | green << np.uint32(8) | blue << np.uint32(16)
