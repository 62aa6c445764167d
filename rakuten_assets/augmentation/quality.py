"""Augmentations that take something away from a picture: noise, blur, compression, holes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rakuten_assets.augmentation.geometry import check_colour
from rakuten_assets.augmentation.operations import AddNoise, Blur, Colour, Holes, Recompress
from rakuten_assets.augmentation.randomness import Stream
from rakuten_assets.augmentation.transform import Transform, check_range
from rakuten_assets.errors import AugmentationError

_LARGEST_BLUR = 99
_MOST_HOLES = 10_000


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Transform):
    """Noise of a normal distribution, each channel of each pixel by itself.

    Conversion: `sigma` is v2's, in shares of the full range. The document gives variances in grey levels squared: its
    `var_limit=(10, 50)` is sigma = sqrt(10) / 255 to sqrt(50) / 255 (`noise_of_variance`). The variance is
    drawn evenly, as there. A value is one of 65,536 quantiles, the largest 4.3 standard deviations out.

    Attributes:
        sigma: smallest and largest standard deviation.
    """

    sigma: tuple[float, float] = (math.sqrt(10.0) / 255, math.sqrt(50.0) / 255)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "sigma", self.sigma, 0.0, 1.0)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[AddNoise]:
        low, high = self.sigma
        sigma = 255.0 * math.sqrt(stream.uniform(low * low, high * high))
        return (AddNoise(sigma, stream.key, stream.lane()),)


def noise_of_variance(low: float, high: float, p: float = 0.5) -> GaussianNoise:
    """Gaussian noise whose variance lies between two limits in grey levels squared, as the document states it."""
    return GaussianNoise(sigma=(math.sqrt(low) / 255, math.sqrt(high) / 255), p=p)


@dataclass(frozen=True, kw_only=True)
class GaussianBlur(Transform):
    """Gaussian blur with an odd kernel; the picture is mirrored at its edges.

    Conversion: the document gives sizes of the kernel only, `blur_limit=(3, 5)`, from which OpenCV makes sigma = 0.3
    ((size - 1) / 2 - 1) + 0.8: 0.8 for 3, 1.1 for 5, 1.4 for 7. v2's `GaussianBlur` takes one size and a range of
    sigma.

    Attributes:
        kernel: smallest and largest size in pixels, both odd; every odd size between is as likely.
    """

    kernel: tuple[int, int] = (3, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "kernel", self.kernel, 1, _LARGEST_BLUR)
        if any(not isinstance(size, int) or size % 2 == 0 for size in self.kernel):
            raise AugmentationError(f"GaussianBlur(kernel={self.kernel!r}): sizes are odd whole numbers")

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Blur]:
        size = 2 * stream.integer(self.kernel[0] // 2, self.kernel[1] // 2) + 1
        return (Blur(size, 0.3 * ((size - 1) / 2 - 1) + 0.8),)


@dataclass(frozen=True, kw_only=True)
class JpegCompression(Transform):
    """Through a JPEG file and back (libjpeg-turbo, 4:2:0 as the data set's own files).

    The document's `ImageCompression(quality_lower=70, quality_upper=95)`, v2's `JPEG((70, 95))`.

    Attributes:
        quality: smallest and largest IJG quality, 1 to 100.
    """

    quality: tuple[int, int] = (70, 95)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "quality", self.quality, 1, 100)
        _check_whole(self, "quality", self.quality)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Recompress]:
        return (Recompress(stream.integer(*self.quality)),)


@dataclass(frozen=True, kw_only=True)
class CoarseDropout(Transform):
    """Rectangles of one colour, wholly inside of the picture; they may overlap.

    Conversion: the document names the largest values only (`max_holes=8, max_height=32, max_width=32`); its library
    then takes exactly those: 8 holes of 32 x 32 pixels. Pixels are those of the picture as it comes, 224 x 224 in
    the document. v2's `RandomErasing` makes one hole, by area.

    Attributes:
        holes: smallest and largest number.
        height, width: smallest and largest side in pixels, cut to the picture's.
        fill: the colour.
    """

    holes: tuple[int, int] = (8, 8)
    height: tuple[int, int] = (32, 32)
    width: tuple[int, int] = (32, 32)
    fill: Colour = (0, 0, 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "holes", self.holes, 1, _MOST_HOLES)
        check_range(self, "height", self.height, 1, 65535)
        check_range(self, "width", self.width, 1, 65535)
        for name in ("holes", "height", "width"):
            _check_whole(self, name, getattr(self, name))
        check_colour(self, self.fill)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Holes]:
        boxes = []
        for _ in range(stream.integer(*self.holes)):
            down, across = min(stream.integer(*self.height), height), min(stream.integer(*self.width), width)
            top, left = stream.integer(0, height - down), stream.integer(0, width - across)
            boxes.append((left, top, left + across, top + down))
        return (Holes(tuple(boxes), self.fill),)


def _check_whole(owner: object, name: str, values: tuple[int, int]) -> None:
    if not all(isinstance(value, int) for value in values):
        raise AugmentationError(f"{type(owner).__name__}({name}={values!r}): whole numbers are wanted")
