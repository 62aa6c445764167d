"""Augmentations that change each pixel by itself. Those that treat every channel alike become one table of 256 bytes,
several neighbours too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.augmentation.operations import Grey, LookUp, ShiftHsv
from rakuten_assets.augmentation.randomness import Stream
from rakuten_assets.augmentation.transform import Transform, check_range, check_share

_LEVELS = np.arange(256, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class BrightnessContrast(Transform):
    """contrast * value + 255 * brightness.

    Conversion: as in the document, brightness is added, as a share of the full range, and contrast multiplies about
    black. v2's `ColorJitter` multiplies for brightness, and changes contrast about the picture's mean luma: the
    limits mean something else there.

    Attributes:
        brightness: drawn from -brightness to brightness.
        contrast: the factor is drawn from 1 - contrast to 1 + contrast.
    """

    brightness: float = 0.2
    contrast: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "brightness", self.brightness)
        check_share(self, "contrast", self.contrast)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[LookUp]:
        contrast = stream.uniform(1.0 - self.contrast, 1.0 + self.contrast)
        brightness = stream.uniform(-self.brightness, self.brightness)
        return (LookUp(_table(contrast * _LEVELS + 255.0 * brightness)),)


@dataclass(frozen=True, kw_only=True)
class Gamma(Transform):
    """255 * (value / 255) ^ gamma.

    Conversion: the document counts in hundredths, its `gamma_limit=(80, 120)` is (0.8, 1.2) here.

    Attributes:
        gamma: smallest and largest exponent; below 1 brightens.
    """

    gamma: tuple[float, float] = (0.8, 1.2)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "gamma", self.gamma, 0.01, 100.0)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[LookUp]:
        return (LookUp(_table(255.0 * (_LEVELS / 255.0) ** stream.uniform(*self.gamma))),)


@dataclass(frozen=True, kw_only=True)
class HueSaturationValue(Transform):
    """Shift hue, saturation and value (HSV hexcone).

    Conversion: the document's hue counts to 180 a circle, here 1 is a circle as in v2: 10 becomes 10 / 180. Its
    saturation and value count to 255, here to 1: 20 becomes 20 / 255. All three are added, as there; v2's
    `ColorJitter` multiplies saturation and brightness instead. Two differences: nothing is rounded to
    8-bit HSV in between, and a saturation is at most doubled. Grey has no hue, and adding saturation to it would
    tint every white background red.

    Attributes:
        hue: turns, to either side, at most 0.5.
        saturation, value: shares of the full range, to either side.
    """

    hue: float = 10 / 180
    saturation: float = 20 / 255
    value: float = 20 / 255

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "hue", self.hue, 0.0, 0.5)
        check_share(self, "saturation", self.saturation)
        check_share(self, "value", self.value)

    def draw(self, stream: Stream, height: int, width: int) -> tuple[ShiftHsv]:
        return (
            ShiftHsv(
                stream.uniform(-self.hue, self.hue),
                stream.uniform(-self.saturation, self.saturation),
                255.0 * stream.uniform(-self.value, self.value),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class ToGrey(Transform):
    """All three channels become the luma of ITU-R BT.601, as Pillow's mode L has it.

    The document's `ToGray(p=0.05)`, v2's `RandomGrayscale`.
    """

    p: float = 0.05

    def draw(self, stream: Stream, height: int, width: int) -> tuple[Grey]:
        return (Grey(),)


def _table(values: NDArray[np.float64]) -> bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8).tobytes()
