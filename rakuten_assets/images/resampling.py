"""Pillow's resize, bit for bit, at a quarter of its cost: coefficients here, loops in `resampling_kernels`.

The algorithm is that of Pillow's `Resample.c` for 8-bit channels: a horizontal and then a vertical pass, each a
weighted sum of the pixels under the stretched filter, in 22-bit fixed point, rounded and clipped to a byte.
Both ways below give the same bytes, so which one runs is a matter of cost alone.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rakuten_assets.runtime.compilation import CompiledKernels

Interpolation = Literal["bilinear", "bicubic"]
PassOrder = Literal["across, down", "down, across"]

_FRACTION_BITS = 22
KERNELS = CompiledKernels("rakuten_assets.images.resampling_kernels", worth_from=900)
"""Compiling takes about 1.1 s, and saves about 1.2 ms on each image."""

# Larger images go through Pillow, which needs less memory beside the decoded image.
_MAX_PIXELS_OF_KERNELS = 4_000_000

# A geometry is tried against Pillow before kernels serve it: too dear for one that does not come again.
_IMAGES_BEFORE_TRYING = 8
_TRIES = 8
_MAX_GEOMETRIES_COUNTED = 4096

_PILLOW_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class Window(NamedTuple):
    """A part of a resized image: `size` pixels from (`left`, `top`)."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Taps:
    """One pass of a resize: output i is the sum of `weights[i, t] * input[start[i] + t]`.

    Attributes:
        start: int64 (n_out,)
        weights: int32 (n_out, taps), 22-bit fixed point
    """

    start: NDArray[np.int64]
    weights: NDArray[np.int32]

    @property
    def span(self) -> slice:
        """The inputs that any output needs."""
        return slice(int(self.start.min()), int(self.start.max()) + self.weights.shape[1])


@dataclass(frozen=True)
class Geometry:
    """A resize without its pixels: (height_in, width_in) to (height, width), of which `window` is wanted."""

    width_in: int
    height_in: int
    width: int
    height: int
    interpolation: Interpolation
    window: Window


def resize(image: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """Resize as `PIL.Image.resize` does and return the pixels of the window.

    Args:
        image: uint8 (height_in, width_in, 3), C order.

    Returns:
        uint8 (window.height, window.width, 3).
    """
    if not _is_worth_kernels(geometry):
        return resize_with_pillow(image, geometry)
    kernels = KERNELS.compiled()
    order = pass_order(geometry)
    return (
        resize_with_kernels(image, geometry, kernels, order) if order else resize_with_pillow(image, geometry)
    )


def resize_with_pillow(image: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """`resize` by Pillow itself."""
    resized = Image.fromarray(image).resize(
        (geometry.width, geometry.height), _PILLOW_FILTERS[geometry.interpolation]
    )
    left, top, width, height = geometry.window
    return np.asarray(resized)[top : top + height, left : left + width]


def resize_with_kernels(
    image: NDArray[np.uint8], geometry: Geometry, kernels: ModuleType, order: PassOrder
) -> NDArray[np.uint8]:
    """`resize` by compiled kernels, with the two passes in the given order."""
    window, interpolation = geometry.window, geometry.interpolation
    across = taps(geometry.width_in, geometry.width, interpolation, window.left, window.width)
    down = taps(geometry.height_in, geometry.height, interpolation, window.top, window.height)
    needed = down.span
    run = kernels.across_then_down if order == "across, down" else kernels.down_then_across
    resized: NDArray[np.uint8] = run(
        _scratch(kernels),
        image[needed],
        across.start,
        across.weights,
        down.start - needed.start,
        down.weights,
    )
    return resized


@functools.lru_cache(maxsize=1024)
def pass_order(geometry: Geometry) -> PassOrder | None:
    """The order in which the installed Pillow makes the passes of this resize, found by trying.

    Pillow 13 began to go down first where an image's height shrinks much more than its width, and each pass
    rounds. Asking Pillow on noise of the same geometry is right for every version and needs no copy of its rule.

    Returns:
        None where neither order gives Pillow's bytes, or where noise does not tell them apart.
    """
    sizes = ((geometry.width_in, geometry.width), (geometry.height_in, geometry.height))
    if any(size_in in (1, size_out) for size_in, size_out in sizes):
        return "across, down"  # a pass that copies may come first or last
    whole = replace(geometry, window=Window(0, 0, geometry.width, geometry.height))
    shape = (geometry.height_in, geometry.width_in, 3)
    kernels = KERNELS.compiled()
    random = np.random.default_rng(0)
    left: list[PassOrder] = ["across, down", "down, across"]
    for _ in range(_TRIES):
        noise = random.integers(0, 256, shape, dtype=np.uint8)
        expected = resize_with_pillow(noise, whole)
        left = [
            order
            for order in left
            if np.array_equal(resize_with_kernels(noise, whole, kernels, order), expected)
        ]
        if len(left) < 2:
            break
    return left[0] if len(left) == 1 else None


@functools.lru_cache(maxsize=256)
def taps(size_in: int, size_out: int, interpolation: Interpolation, first: int, count: int) -> Taps:
    """The weights of outputs `first` to `first + count` of a pass from `size_in` to `size_out` pixels.

    Source: `precompute_coeffs` and `normalize_coeffs_8bpc` in Pillow's `Resample.c`.
    """
    scale = size_in / size_out
    stretch = max(scale, 1.0)
    support = {"bilinear": 1.0, "bicubic": 2.0}[interpolation] * stretch
    center = (np.arange(first, first + count) + 0.5) * scale
    start = np.maximum((center - support + 0.5).astype(np.int64), 0)
    stop = np.minimum((center + support + 0.5).astype(np.int64), size_in)
    width = int((stop - start).max())

    position = np.arange(width)
    distance = np.abs((position + start[:, None] - center[:, None] + 0.5) * (1.0 / stretch))
    weights = _triangle(distance) if interpolation == "bilinear" else _cubic(distance)
    weights[position >= (stop - start)[:, None]] = 0.0
    weights /= _sum_in_order(weights)[:, None]
    fixed = np.trunc(weights * (1 << _FRACTION_BITS) + np.where(weights < 0, -0.5, 0.5)).astype(np.int32)
    # Every output gets the same number of taps (a loop of fixed length runs faster); those near the end of the
    # line move their start back so that all taps stay inside the image.
    moved = np.minimum(start, size_in - width)
    aligned = np.zeros_like(fixed)
    for row, shift in enumerate(start - moved):
        aligned[row, shift:] = fixed[row, : width - shift]
    return Taps(moved, aligned)


def _triangle(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(distance < 1.0, 1.0 - distance, 0.0)


def _cubic(distance: NDArray[np.float64], a: float = -0.5) -> NDArray[np.float64]:
    near = ((a + 2.0) * distance - (a + 3.0)) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * a
    return np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))


def _sum_in_order(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row sums, added from left to right as Pillow does: `np.sum` adds pairwise, which may round otherwise."""
    return np.cumsum(weights, axis=1)[:, -1]


_resized_of: dict[Geometry, int] = {}
_thread = threading.local()


def _is_worth_kernels(geometry: Geometry) -> bool:
    """Whether kernels pay off: enough images are resized in this process, and enough of this geometry.

    A count lost between threads only moves that moment.
    """
    if geometry.height_in * geometry.width_in > _MAX_PIXELS_OF_KERNELS:
        return False
    if len(_resized_of) >= _MAX_GEOMETRIES_COUNTED:
        _resized_of.clear()
    _resized_of[geometry] = seen = _resized_of.get(geometry, 0) + 1
    return KERNELS.count() and seen >= _IMAGES_BEFORE_TRYING


def _scratch(kernels: ModuleType) -> object:
    """This thread's working memory: fresh pages for each image would cost more than the arithmetic."""
    if not hasattr(_thread, "scratch"):
        _thread.scratch = kernels.Scratch()
    return _thread.scratch
