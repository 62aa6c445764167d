"""From a decoded image to the backbone's input: a short chain of operations on bytes; the model normalises.

- `document`: resize to 224x224, bilinear, no crop, as the project's document asks
- `preset`: shorter side to so many pixels, then the centre: the transform that the weights were evaluated with

Either way the normalisation is what the backbone was trained with.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.backbones import Backbone, Normalisation
from rakuten_assets.backbones.specification import Interpolation
from rakuten_assets.images.resampling import Geometry, Window, resize


@dataclass(frozen=True)
class Resize:
    """To (side, side), whatever the image's aspect, with Pillow's antialiasing filter."""

    side: int
    interpolation: Interpolation


@dataclass(frozen=True)
class ResizeShorterSide:
    """The shorter side to `side`, the longer one in proportion, with Pillow's antialiasing filter."""

    side: int
    interpolation: Interpolation


@dataclass(frozen=True)
class CentreCrop:
    """The middle (side, side) of an image that is at least as large."""

    side: int


Operation = Resize | ResizeShorterSide | CentreCrop


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a backbone: a resize, perhaps a crop, and the engine's normalisation.

    Raises:
        ValueError: the operations do not give a square of known size.
    """

    name: str
    operations: tuple[Operation, ...]
    normalisation: Normalisation

    def __post_init__(self) -> None:
        match self.operations:
            case (Resize(),):
                return
            case (Resize(side=whole) | ResizeShorterSide(side=whole), CentreCrop(side=side)) if side <= whole:
                return
        raise ValueError(
            f"{self.operations} is not a resize, followed by no crop or by one that fits into it"
        )

    @property
    def side(self) -> int:
        """The input is (side, side, 3)."""
        return self.operations[-1].side

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        norm = asdict(self.normalisation)
        return {
            "name": self.name,
            "operations": [
                {"operation": type(operation).__name__, **asdict(operation)} for operation in self.operations
            ],
            "normalisation": {
                key: list(value) if isinstance(value, tuple) else value for key, value in norm.items()
            },
        }


def preprocessing_for(backbone: Backbone, weights: str, name: str) -> Preprocessing:
    """The preprocessing called `name` (`document` or `preset`) of a backbone with these weights.

    Weights from a file or a seed take the backbone's first published preset; a backbone without any, the document's.
    """
    releases = [release for release in backbone.releases if release.name == weights] or backbone.releases[:1]
    operations: tuple[Operation, ...] = (Resize(backbone.document_side, "bilinear"),)
    if name == "preset" and releases:
        (release,) = releases
        operations = (ResizeShorterSide(release.resize, release.interpolation), CentreCrop(release.crop))
    return Preprocessing(name, operations, backbone.normalisation)


def preprocess(image: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize and crop in one pass, bit for bit as Pillow (and torchvision on a Pillow image) does.

    Args:
        image: uint8 (height, width, 3), C order.

    Returns:
        uint8 (side, side, 3).
    """
    height, width, side = image.shape[0], image.shape[1], preprocessing.side
    first = preprocessing.operations[0]
    if isinstance(first, CentreCrop):
        raise ValueError("a crop cannot come first")
    new_width, new_height = first.side, first.side
    if isinstance(first, ResizeShorterSide):
        # torchvision's `resize` truncates the longer side; its `center_crop` rounds half to even, as Python does.
        if width <= height:
            new_height = int(first.side * height / width)
        else:
            new_width = int(first.side * width / height)
    left, top = round((new_width - side) / 2.0), round((new_height - side) / 2.0)
    kept = Window(left, top, side, side)
    return resize(image, Geometry(width, height, new_width, new_height, first.interpolation, kept))
