"""What is to be done to a picture, drawn but not yet computed: small values, one kind an operation.

A transform draws operations; `fused` brings them into as few passes over the pixels as exactness allows;
`rendering.render` computes them. Points are (x, y) in pixels; the centre of the first pixel is (1/2, 1/2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.augmentation.randomness import Key

Matrix = tuple[float, float, float, float, float, float, float, float, float]
Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Elastic:
    """A random displacement of every pixel: even noise, blurred.

    Attributes:
        key, lane: of the noise.
        reach: pixels that noise of 1 moves a pixel by.
        sigma: of the blur, in pixels.
    """

    key: Key
    lane: int
    reach: float
    sigma: float


@dataclass(frozen=True)
class Warp:
    """A bilinear resample.

    Attributes:
        matrix: homography from points of the result to points of the picture, row by row.
        fill: colour of what lies outside of the picture.
        elastic: displaces the result's points before.
    """

    matrix: Matrix
    fill: Colour = WHITE
    elastic: Elastic | None = None


@dataclass(frozen=True)
class LookUp:
    """The same table of 256 bytes for every value of every channel."""

    table: bytes


@dataclass(frozen=True)
class ShiftHsv:
    """Shifts of hue (turns), saturation (0 to 1) and value (grey levels)."""

    hue: float
    saturation: float
    value: float


@dataclass(frozen=True)
class Grey:
    """Every channel becomes the luma."""


@dataclass(frozen=True)
class AddNoise:
    """Gaussian noise of standard deviation `sigma` grey levels, each channel by itself."""

    sigma: float
    key: Key
    lane: int


@dataclass(frozen=True)
class Blur:
    """Gaussian blur: a kernel of `size` pixels and standard deviation `sigma` pixels."""

    size: int
    sigma: float


@dataclass(frozen=True)
class Recompress:
    """Through a JPEG of this quality, 4:2:0."""

    quality: int


@dataclass(frozen=True)
class Holes:
    """Rectangles (left, top, right, bottom), in pixels, of one colour."""

    boxes: tuple[tuple[int, int, int, int], ...]
    fill: Colour


Operation = Warp | LookUp | ShiftHsv | Grey | AddNoise | Blur | Recompress | Holes


def fused(operations: Iterable[Operation]) -> list[Operation]:
    """The same result in fewer passes: neighbouring warps of one fill become one resample, neighbouring tables one.

    A table of tables is exact. One resample is better than two: it blurs once, and what the first one moved out of
    the picture the second one can bring back.
    """
    passes: list[Operation] = []
    for operation in operations:
        before = passes[-1] if passes else None
        if isinstance(operation, LookUp) and isinstance(before, LookUp):
            passes[-1] = LookUp(before.table.translate(operation.table))
        elif isinstance(operation, Warp) and isinstance(before, Warp) and _one_resample(before, operation):
            passes[-1] = replace(operation, matrix=product(before.matrix, operation.matrix))
        else:
            passes.append(operation)
    return [one for one in passes if one != Warp(IDENTITY, fill=getattr(one, "fill", WHITE))]


def product(first: Matrix, second: Matrix) -> Matrix:
    """The homography that goes through `second`, then through `first`."""
    return as_matrix(np.reshape(first, (3, 3)) @ np.reshape(second, (3, 3)))


def as_matrix(values: NDArray[np.float64]) -> Matrix:
    """A 3x3 array as a tuple of nine."""
    a, b, c, d, e, f, g, h, i = values.reshape(-1).tolist()
    return a, b, c, d, e, f, g, h, i


def _one_resample(first: Warp, second: Warp) -> bool:
    # The first one's displacement belongs to its result's points, which the second one moves.
    return first.fill == second.fill and first.elastic is None
