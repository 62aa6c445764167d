"""Augmentations that move pixels. Resampling is bilinear, and what was outside of the picture becomes white: product
photographs stand on white (torchvision's own default to nearest and black).

Neighbours in a policy are composed: flip, shift, scale, rotation, perspective and elastic cost one resample together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.augmentation.operations import (
    IDENTITY,
    WHITE,
    Colour,
    Elastic,
    Matrix,
    Warp,
    as_matrix,
)
from rakuten_assets.augmentation.randomness import Stream
from rakuten_assets.augmentation.transform import Transform, check_range, check_share
from rakuten_assets.errors import AugmentationError


@dataclass(frozen=True, kw_only=True)
class HorizontalFlip(Transform):
    """Left becomes right. The document's `HorizontalFlip(p=0.5)`, v2's `RandomHorizontalFlip`."""

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Warp]:
        return (Warp((-1.0, 0.0, float(width), 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),)


@dataclass(frozen=True, kw_only=True)
class VerticalFlip(Transform):
    """Top becomes bottom. The document's `VerticalFlip(p=0.1)`, v2's `RandomVerticalFlip`."""

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Warp]:
        return (Warp((1.0, 0.0, 0.0, 0.0, -1.0, float(height), 0.0, 0.0, 1.0)),)


@dataclass(frozen=True, kw_only=True)
class ShiftScaleRotate(Transform):
    """Turn and scale about the centre, then shift, in one resample.

    Conversion: the document's limits are kept as they are. v2's `RandomAffine(degrees=rotate, translate=(shift,
    shift), scale=(1 - scale, 1 + scale), shear=0)` draws from the same ranges, but rounds a shift to whole pixels.
    The document's library fills with a mirror image, v2 with black.

    Attributes:
        shift: share of the width and of the height that the picture is shifted by at most, each drawn by itself.
        scale: the factor is drawn from 1 - scale to 1 + scale.
        rotate: degrees, to either side.
        fill: colour of what was outside.
    """

    shift: float = 0.1
    scale: float = 0.1
    rotate: float = 15.0
    fill: Colour = WHITE

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "shift", self.shift)
        check_share(self, "scale", self.scale, 0.0, 0.95)
        check_share(self, "rotate", self.rotate, 0.0, 180.0)
        check_colour(self, self.fill)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Warp]:
        angle = stream.uniform(-self.rotate, self.rotate)
        factor = stream.uniform(1.0 - self.scale, 1.0 + self.scale)
        across = stream.uniform(-self.shift, self.shift) * width
        down = stream.uniform(-self.shift, self.shift) * height
        return (Warp(similarity(height, width, angle, factor, across, down), self.fill),)


@dataclass(frozen=True, kw_only=True)
class Rotate(Transform):
    """Turn about the centre; the size stays, corners are cut off.

    The document's `Rotate(limit=15)`, v2's `RandomRotation(15, InterpolationMode.BILINEAR, fill=255)`.

    Attributes:
        degrees: to either side.
        fill: colour of what was outside.
    """

    degrees: float = 15.0
    fill: Colour = WHITE

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "degrees", self.degrees, 0.0, 180.0)
        check_colour(self, self.fill)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Warp]:
        angle = stream.uniform(-self.degrees, self.degrees)
        return (Warp(similarity(height, width, angle), self.fill),)


@dataclass(frozen=True, kw_only=True)
class Perspective(Transform):
    """View the picture from aside: a quadrangle whose corners lie a little inside of the picture fills the result.

    Conversion: as in the document's library, each corner moves inwards by |N(0, s)| of the side, s drawn from
    `scale`. v2's `RandomPerspective` instead shrinks the picture into a quadrangle whose corners move by up to
    half of `distortion_scale`, evenly, and shows the fill around it.

    Attributes:
        scale: smallest and largest standard deviation of a corner's way, as a share of the side.
    """

    scale: tuple[float, float] = (0.02, 0.05)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "scale", self.scale, 0.0, 0.3)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Warp]:
        deviation = stream.uniform(*self.scale)
        # At most a third of the side: the corners keep their order, and the quadrangle stays convex.
        ways = [min(abs(stream.normal()) * deviation, 0.33) for _ in range(8)]
        corners = [
            (width * ways[0], height * ways[1]),
            (width * (1 - ways[2]), height * ways[3]),
            (width * (1 - ways[4]), height * (1 - ways[5])),
            (width * ways[6], height * (1 - ways[7])),
        ]
        return (Warp(homography(height, width, corners)),)


@dataclass(frozen=True, kw_only=True)
class ElasticTransform(Transform):
    """Every pixel looks a little aside, its neighbours nearly as far: even noise in -1 to 1, blurred, times a factor.

    Conversion: `alpha` is in v2's unit, in which the way is alpha / 2 pixels; in the document's unit it is alpha
    pixels, so that its `ElasticTransform(alpha=50, sigma=5)` is alpha=100 here. (Its library also turns and
    shears the picture unless told otherwise; `ShiftScaleRotate` does that here.)

    Attributes:
        alpha: twice the pixels that noise of 1 moves a pixel by.
        sigma: standard deviation of the blur, in pixels.
        fill: colour of what was outside.
    """

    alpha: float = 100.0
    sigma: float = 5.0
    fill: Colour = WHITE

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "alpha", self.alpha, 0.0, 10_000.0)
        check_share(self, "sigma", self.sigma, 0.1, 100.0)
        check_colour(self, self.fill)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Warp]:
        elastic = Elastic(stream.key, stream.lane(), self.alpha / 2.0, self.sigma)
        return (Warp(IDENTITY, self.fill, elastic),)


def similarity(
    height: int, width: int, angle: float, factor: float = 1.0, across: float = 0.0, down: float = 0.0
) -> Matrix:
    """From points of the result to points of the picture, where the picture is turned and scaled about its centre,
    then shifted by (`across`, `down`) pixels.

    Args:
        angle: degrees, clockwise as one sees it.
        factor: above 1 enlarges.
    """
    cosine, sine = math.cos(math.radians(angle)) / factor, math.sin(math.radians(angle)) / factor
    x, y = width / 2.0, height / 2.0
    u, v = x + across, y + down
    return (
        cosine, sine, x - cosine * u - sine * v,
        -sine, cosine, y + sine * u - cosine * v,
        0.0, 0.0, 1.0,
    )  # fmt: skip


def homography(height: int, width: int, corners: list[tuple[float, float]]) -> Matrix:
    """From points of the result to points of the picture, where the result's corners (clockwise from the upper left)
    show these points of the picture.

    Source: Hartley and Zisserman, Multiple View Geometry, 4.1, with the last element 1.
    """
    rows: list[list[float]] = []
    wanted: list[float] = []
    places = [(0, 0), (width, 0), (width, height), (0, height)]
    for (x, y), (u, v) in zip(places, corners, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        wanted += [u, v]
    return as_matrix(np.append(_solved(np.array(rows, np.float64), np.array(wanted)), 1.0))


def _solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gauss with pivots. Not `np.linalg`: its last bits depend on the library that numpy was built with."""
    table = np.column_stack([matrix, right])
    size = len(table)
    for column in range(size):
        pivot = column + int(np.argmax(np.abs(table[column:, column])))
        table[[column, pivot]] = table[[pivot, column]]
        table[column] /= table[column, column]
        for row in range(size):
            if row != column:
                table[row] -= table[row, column] * table[column]
    return np.asarray(table[:, -1])


def check_colour(owner: object, colour: Colour) -> None:
    """Refuse anything but three bytes.

    Raises:
        AugmentationError: naming the transform and the value.
    """
    if (
        not isinstance(colour, tuple)
        or len(colour) != 3
        or not all(isinstance(value, int) and 0 <= value <= 255 for value in colour)
    ):
        raise AugmentationError(
            f"{type(owner).__name__}(fill={colour!r}): a tuple of three whole numbers from 0 to 255 is wanted"
        )
