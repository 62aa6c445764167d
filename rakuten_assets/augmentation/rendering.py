"""Operations computed: uint8 (height, width, 3) in and out, the same bytes on every machine."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from rakuten_assets.augmentation.kernels import serving
from rakuten_assets.augmentation.operations import (
    AddNoise,
    Blur,
    Elastic,
    Grey,
    Holes,
    LookUp,
    Operation,
    Recompress,
    ShiftHsv,
    Warp,
    fused,
)
from rakuten_assets.augmentation.randomness import normal_quantiles, random_words

Pixels = NDArray[np.uint8]

# A band's points and sums (48 bytes a pixel) stay in the cache between the passes over them.
_PIXELS_A_BAND = 8192
_NO_FIELD = np.empty((2, 0, 0), np.float32)
_BLUR_UNIT = 1 << 14
_SMOOTH_REACH = 4.0


def render(pixels: Pixels, operations: Iterable[Operation]) -> Pixels:
    """Carry out operations in order.

    Args:
        pixels: uint8 (h, w, 3), not changed.

    Returns:
        uint8 (h, w, 3), C order, the caller's own.
    """
    result, own = np.ascontiguousarray(pixels), False
    for operation in fused(operations):
        if isinstance(operation, Warp | Blur | Recompress):
            result = _remade(result, operation)
        else:
            if not own:
                result = result.copy()
            _change(result, operation)
        own = True
    return result if own else result.copy()


def warp(pixels: Pixels, operation: Warp) -> Pixels:
    """Resample as `operation` says; mirror images are copied, which gives the same bytes."""
    height, width = pixels.shape[:2]
    if operation.elastic is None and (mirrored := _mirrored(pixels, operation)) is not None:
        return mirrored
    warping = serving("warping", height * width)
    field = _NO_FIELD if operation.elastic is None else displacement(operation.elastic, height, width)
    matrix = np.array(operation.matrix, np.float64)
    packed = np.empty((height + 4, width + 4), np.uint32)
    warping.pack(pixels, np.array(operation.fill, np.uint8), packed)
    result = np.empty(height * width * 3, np.uint8)
    rows = max(1, _PIXELS_A_BAND // width)
    across, down = np.empty(rows * width), np.empty(rows * width)
    lines = [np.empty(rows * width, np.int32) for _ in range(6)]
    for first in range(0, height, rows):
        count = min(rows, height - first) * width
        points = across[:count], down[:count]
        at, right, lower, red, green, blue = (line[:count] for line in lines)
        warping.locate(matrix, field, first, width, points[0], points[1])
        warping.quantise(points[0], points[1], np.int32(width), np.int32(height), at, right, lower)
        warping.blend(packed.reshape(-1), np.int32(width + 4), at, right, lower, red, green, blue)
        warping.store(red, green, blue, result[3 * first * width : 3 * (first * width + count)])
    return result.reshape(height, width, 3)


def displacement(elastic: Elastic, height: int, width: int) -> NDArray[np.float32]:
    """float32 (2, height, width): how far, in pixels across and down, each point of a result looks aside."""
    count = height * width
    draws = random_words(elastic.key, elastic.lane, count).view(np.uint16)  # two halves a word
    noise = ((draws.astype(np.float32) + 0.5) / 32768.0 - 1.0).reshape(2, height, width)
    radius = int(_SMOOTH_REACH * elastic.sigma + 0.5)
    weights = _gaussian(2 * radius + 1, elastic.sigma)
    field = np.empty((2, height, width), np.float32)
    for plane, smoothed in zip(noise, field, strict=True):
        serving("filtering", count).smooth(
            plane, weights.astype(np.float32), _mirror(height, radius), _mirror(width, radius), smoothed
        )
    field *= np.float32(elastic.reach)
    return field


def _mirrored(pixels: Pixels, operation: Warp) -> Pixels | None:
    height, width = pixels.shape[:2]
    a, b, c, d, e, f, g, h, i = operation.matrix
    if (b, d, g, h, i) != (0.0, 0.0, 0.0, 0.0, 1.0) or (e, f) not in ((1.0, 0.0), (-1.0, height)):
        return None
    if (a, c) == (1.0, 0.0):
        return pixels[:: int(e)].copy(order="C")
    if (a, c) != (-1.0, width):
        return None
    result = np.empty_like(pixels)
    serving("warping", height * width).mirror(pixels, e < 0, result)
    return result


def _remade(pixels: Pixels, operation: Warp | Blur | Recompress) -> Pixels:
    if isinstance(operation, Warp):
        return warp(pixels, operation)
    if isinstance(operation, Recompress):
        content = simplejpeg.encode_jpeg(
            pixels, quality=operation.quality, colorspace="RGB", colorsubsampling="420"
        )
        decoded: Pixels = simplejpeg.decode_jpeg(content, colorspace="RGB")
        return decoded
    radius = operation.size // 2
    result = np.empty_like(pixels)
    height, width = pixels.shape[:2]
    weights = _blur_weights(operation.size, operation.sigma)
    serving("filtering", height * width).blur(
        pixels, weights, _mirror(height, radius), _mirror(width, radius), result
    )
    return result


def _change(pixels: Pixels, operation: LookUp | ShiftHsv | Grey | AddNoise | Holes) -> None:
    if isinstance(operation, Holes):
        for left, top, right, bottom in operation.boxes:
            pixels[top:bottom, left:right] = operation.fill
        return
    values = pixels.reshape(-1)
    count = values.size // 3
    match operation:
        case LookUp():
            serving("colour", count).look_up(values, np.frombuffer(operation.table, np.uint8))
        case Grey():
            serving("colour", count).grey(values)
        case ShiftHsv():
            colour = serving("colour", count)
            sectors, levels, chromas = np.empty((3, count), np.float32)
            hue = np.float32(6.0 * (operation.hue % 1.0)) % np.float32(6.0)
            colour.shifted_hexcone(
                values,
                hue,
                np.float32(operation.saturation),
                np.float32(operation.value),
                sectors,
                levels,
                chromas,
            )
            colour.from_hexcone(sectors, levels, chromas, values)
        case AddNoise():
            noise = np.rint(normal_quantiles() * np.float32(operation.sigma)).astype(np.int16)
            draws = random_words(operation.key, operation.lane, -(-values.size // 2))
            # Rounding the noise is rounding the sum: the pixel is a whole number.
            serving("filtering", count).add_noise(values, draws.view(np.uint16), noise)


@functools.lru_cache(maxsize=64)
def _mirror(size: int, radius: int) -> NDArray[np.int64]:
    """What row each place of a padded picture shows: a mirror at both ends, which are not repeated."""
    period = max(2 * (size - 1), 1)
    places = np.abs(np.arange(-radius, size + radius)) % period
    return np.minimum(places, period - places) if size > 1 else np.zeros_like(places)


@functools.lru_cache(maxsize=64)
def _blur_weights(size: int, sigma: float) -> NDArray[np.int32]:
    """`_gaussian` in fixed point; the rounding's rest goes to the middle."""
    weights = np.rint(_gaussian(size, sigma) * _BLUR_UNIT).astype(np.int32)
    weights[size // 2] += _BLUR_UNIT - weights.sum()
    return weights


def _gaussian(size: int, sigma: float) -> NDArray[np.float64]:
    places = np.arange(size) - size // 2
    weights = np.exp(-0.5 * (places / sigma) ** 2)
    return np.asarray(weights / weights.sum(), np.float64)
