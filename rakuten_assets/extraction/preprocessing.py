"""From a decoded image to the backbone's input: resize and crop on bytes; the normalisation is in the model.

- `document`: resize to 224x224, bilinear, no crop, as the project's document asks
- `preset`: shorter side to so many pixels, then the centre: the transform that the weights were evaluated with
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.extraction.networks.backbones import BACKBONES, IMAGENET_MEAN, IMAGENET_STD
from rakuten_assets.images.resampling import Geometry, Interpolation, Window, resize
from rakuten_assets.settings import Settings


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a backbone.

    Attributes:
        name: `document` or `preset`.
        side: the input is (side, side, 3).
        shorter_side: 0 resizes straight to (side, side), whatever the aspect; else the image's shorter side is
            resized to this, and the centre cut out.
        interpolation: Pillow's filter, with antialiasing.
        mean, std: of the normalisation (x / 255 - mean) / std, by channel. The engine applies it.
    """

    name: str
    side: int
    shorter_side: int
    interpolation: Interpolation
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


def preprocessing_for(settings: Settings) -> Preprocessing:
    """The preprocessing that the settings ask for. Weights from a file or a seed take their backbone's first
    published preset."""
    if settings.preprocessing == "document":
        return Preprocessing("document", 224, 0, "bilinear")
    releases = BACKBONES[settings.backbone].releases
    named = [release for release in releases if release.name == settings.effective_weights]
    release = named[0] if named else releases[0]
    interpolation: Interpolation = "bicubic" if release.interpolation == "bicubic" else "bilinear"
    return Preprocessing("preset", release.crop, release.resize, interpolation)


def preprocess(image: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize and crop, bit for bit as Pillow (and torchvision on a Pillow image) does.

    Args:
        image: uint8 (height, width, 3), C order.

    Returns:
        uint8 (side, side, 3).
    """
    side, height, width = preprocessing.side, image.shape[0], image.shape[1]
    if not preprocessing.shorter_side:
        whole = Window(0, 0, side, side)
        return resize(image, Geometry(width, height, side, side, preprocessing.interpolation, whole))
    # torchvision's `resize` truncates the longer side; its `center_crop` rounds half to even, as Python does.
    shorter = preprocessing.shorter_side
    if width <= height:
        new_width, new_height = shorter, int(shorter * height / width)
    else:
        new_width, new_height = int(shorter * width / height), shorter
    left, top = round((new_width - side) / 2.0), round((new_height - side) / 2.0)
    centre = Window(left, top, side, side)
    return resize(image, Geometry(width, height, new_width, new_height, preprocessing.interpolation, centre))
