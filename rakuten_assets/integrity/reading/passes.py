"""The pixel passes behind the measures, in NumPy: integers in, integers out.

Everything is exact integer arithmetic, so results are the same to the bit on any machine and with any number of
threads. `kernels` has the same passes compiled, a fifth of the cost an image and two seconds of compiling; which of
the two serves an image is a matter of cost alone.

    every pixel     32x32 and 9x8 cells for the hashes, brightness, boxes
    content box     white share
    sampled rows    histogram of luma, saturation, blur
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rakuten_assets.images.borders import WHITE_THRESHOLD, Box, box_under
from rakuten_assets.integrity.reading.hashes import (
    CELLS,
    DHASH_COLUMNS,
    DHASH_ROWS,
    dhash_of_cells,
    phash_of_cells,
)

Pixels = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

RED, GREEN, BLUE = 19595, 38470, 7471
"""Luma weights of ITU-R BT.601 in 1/65536, as Pillow's conversion to mode L has them."""

ROWS_IN_16_BITS = 257  # 257 x 255 is 65535
_WORD = np.dtype("<u4")
_BYTES_AT_ONCE = 1 << 16  # fits a core's cache, and the allocator's own pages
_EVERY_OTHER_BYTE = np.uint32(0x00FF00FF)


class PixelSums(NamedTuple):
    """What the passes find in a picture.

    Attributes:
        luma: sum over all pixels, in units of 1/65536 grey level and 1/32 pixel.
        phash, dhash: 64 bits each.
        content: smallest box of all pixels with a channel under the white threshold.
        drawn: smallest box of all values but 255.
        white: how many pixels of the content box are white.
        histogram: int64 (256,), counts of luma on the sampled rows, as Pillow computes it.
        saturation: sum of 255 (max - min) / max rounded down on the sampled rows, as Pillow's HSV has it.
        edges: of the values of a 4-neighbour Laplacian of each channel, along inner pixels of the sampled rows: how
            many, their sum, and the sum of their squares.
    """

    luma: int
    phash: int
    dhash: int
    content: Box
    drawn: Box
    white: int
    histogram: Integers
    saturation: int
    edges: tuple[int, int, int]


def pixel_sums(rgb: Pixels, first: int, step: int) -> PixelSums:
    """All passes over a picture.

    Args:
        rgb: uint8 (height, width, 3), C order, neither side above 65535.
        first, step: sampled are the rows first, first + step, first + 2 step...
    """
    height, width = rgb.shape[:2]
    rows = rgb.reshape(height, 3 * width)
    cells, coarse, luma = _cell_sums(rows)
    lowest_columns, lowest_rows = rows.min(axis=0), rows.min(axis=1)
    content, drawn = (
        box_under(lowest_columns, lowest_rows, threshold) for threshold in (WHITE_THRESHOLD, 255)
    )
    histogram, saturation = _statistics(rgb, first, step)
    return PixelSums(
        luma=luma,
        phash=phash_of_cells(cells, height * width),
        dhash=dhash_of_cells(coarse),
        content=content,
        drawn=drawn,
        white=_white_pixels(rgb, content),
        histogram=histogram,
        saturation=saturation,
        edges=_laplacian(rows, max(first, 1), step),
    )


def _cell_sums(rows: Pixels) -> tuple[Integers, Integers, int]:
    """Sums of luma over cells of equal area, which cut pixels where need be.

    Returns:
        int64 (32, 32), in units of 1/65536 grey level and 1/1024 pixel; int64 (8, 9), in units of 1/65536 grey level
        and 1/288 pixel; the sum over all pixels as in `PixelSums`.
    """
    bands = _band_sums(rows)
    luma = RED * bands[:, 0::3].astype(np.int64)
    luma += GREEN * bands[:, 1::3].astype(np.int64)
    luma += BLUE * bands[:, 2::3].astype(np.int64)
    width = luma.shape[1]
    cumulative = np.zeros((CELLS, width + 1), np.int64)
    np.cumsum(luma, axis=1, out=cumulative[:, 1:])
    coarse_bands = cumulative.reshape(DHASH_ROWS, CELLS // DHASH_ROWS, width + 1).sum(axis=1)
    return _cells(cumulative, CELLS), _cells(coarse_bands, DHASH_COLUMNS), int(cumulative[:, -1].sum())


def _white_pixels(rgb: Pixels, box: Box) -> int:
    """How many pixels of a box are white: no channel under the threshold."""
    left, top, right, bottom = box
    if left == right:
        return 0
    total = 0
    rows_at_once = max(1, _BYTES_AT_ONCE // (3 * (right - left)))
    for start in range(top, bottom, rows_at_once):
        part = rgb[start : min(start + rows_at_once, bottom), left:right]
        bright = part.reshape(-1) >= WHITE_THRESHOLD
        # Three neighbours at a time: NumPy reduces an axis of three values twenty times slower.
        white = bright[:-2] & bright[1:-1]
        white &= bright[2:]
        total += int(np.count_nonzero(white[::3]))
    return total


def _statistics(rgb: Pixels, first: int, step: int) -> tuple[Integers, int]:
    """Histogram of luma, and saturation, of the sampled rows."""
    red, green, blue = (rgb[first::step, :, channel].astype(np.int32) for channel in range(3))
    luma = (RED * red + GREEN * green + BLUE * blue + 32768) >> 16
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    saturation = (high - low) * 255 // np.maximum(high, 1)
    histogram = np.bincount(luma.reshape(-1), minlength=256).astype(np.int64)
    return histogram, int(saturation.sum(dtype=np.int64))


def _laplacian(rows: Pixels, first: int, step: int) -> tuple[int, int, int]:
    """As `PixelSums.edges`; `first` is 1 or more."""
    height = len(rows)
    here = rows[first : height - 1 : step].astype(np.int16)
    above, below = (rows[first + way : height - 1 + way : step, 3:-3] for way in (-1, 1))
    value = here[:, :-6] + here[:, 6:] - 4 * here[:, 3:-3]  # at most 4 x 255 in size
    value += above
    value += below
    wide = value.astype(np.int32)
    return value.size, int(wide.sum(dtype=np.int64)), int((wide * wide).sum(dtype=np.int64))


def _band_sums(rows: Pixels) -> npt.NDArray[np.int32]:
    """Column sums over 32 bands of equal height, in 1/32 row: int32 (32, stride), from uint8 (height, stride)."""
    height = len(rows)
    edges = np.arange(CELLS + 1) * height  # in 1/32 row
    top, bottom = edges[:-1], edges[1:]
    first_whole, after_whole = -(-top // CELLS), bottom // CELLS
    sums = np.int32(CELLS) * _sums_of_whole_rows(rows, first_whole, after_whole)
    # A band that lies inside one row has no first part: all of it is the last part.
    last_part = np.minimum(bottom - CELLS * after_whole, height)
    first_part = height - CELLS * np.maximum(after_whole - first_whole, 0) - last_part
    sums += rows[first_whole - 1] * first_part.astype(np.int32)[:, None]
    sums += rows[np.minimum(after_whole, height - 1)] * last_part.astype(np.int32)[:, None]
    return sums


def _sums_of_whole_rows(rows: Pixels, first: Integers, after: Integers) -> npt.NDArray[np.int32]:
    """Column sums of rows first[i] up to after[i], int32 (bands, stride).

    Four bytes are added at a time: two sums of 16 bits in each of two words. NumPy's own sum of bytes, which
    widens each of them first, takes four times as long.
    """
    height, stride = rows.shape
    ends = zip(first.tolist(), after.tolist(), strict=True)
    if height > CELLS * (ROWS_IN_16_BITS - 1):
        return np.stack([rows[start:stop].sum(axis=0, dtype=np.int32) for start, stop in ends])
    even, odd = np.zeros((2, len(first), -(-stride // 4)), np.uint32)
    for band, (start, stop) in enumerate(ends):
        words = _words(rows[start:stop])
        np.add.reduce(words & _EVERY_OTHER_BYTE, axis=0, out=even[band])
        np.add.reduce((words >> np.uint32(8)) & _EVERY_OTHER_BYTE, axis=0, out=odd[band])
    sums = np.empty((*even.shape, 4), np.int32)
    for byte, (pairs, shift) in enumerate(((even, 0), (odd, 0), (even, 16), (odd, 16))):
        sums[:, :, byte] = (pairs >> np.uint32(shift)) & np.uint32(0xFFFF)
    return sums.reshape(len(first), -1)[:, :stride]


def _words(rows: Pixels) -> npt.NDArray[np.uint32]:
    """Rows of bytes as rows of little-endian words, filled up with zeros where the last word is not full."""
    count, stride = rows.shape
    if stride % 4:
        filled = np.zeros((count, stride + -stride % 4), np.uint8)
        filled[:, :stride] = rows
        rows = filled
    return rows.view(_WORD)


def _cells(cumulative: Integers, count: int) -> Integers:
    """Sums over `count` cells of equal width of each row, times `count`.

    Args:
        cumulative: int64 (n, width + 1), sums of the row's first 0, 1, 2... values.
    """
    width = cumulative.shape[1] - 1
    whole, part = np.divmod(np.arange(count + 1) * width, count)
    following = cumulative[:, np.minimum(whole + 1, width)]
    up_to = count * cumulative[:, whole] + part * (following - cumulative[:, whole])
    cells: Integers = np.diff(up_to, axis=1)
    return cells
