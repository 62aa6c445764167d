"""From a decoded image to the backbone's input: a short chain of operations on bytes; the model normalises.

Resize:

- `document`: to 224x224, bilinear, no crop, as the project's document asks
- `preset`: shorter side to so many pixels, then the centre: the transform that the weights were evaluated with

Before it, the white border may be cut off. After it, the normalisation is what the backbone was trained with, unless
another one is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.backbones import Backbone, Normalisation, PerImageNormalisation
from rakuten_assets.backbones.specification import IMAGENET, MINMAX, Interpolation
from rakuten_assets.errors import AugmentationError
from rakuten_assets.images.borders import without_border
from rakuten_assets.images.resampling import Geometry, Window, resize


@dataclass(frozen=True)
class CropBorder:
    """What is not white, and around it `margin` of its longer side; of a white image, all."""

    margin: float


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


Operation = CropBorder | Resize | ResizeShorterSide | CentreCrop


@dataclass(frozen=True)
class DatasetNormalisation:
    """The mean and standard deviation of the train images' pixels, which only a storage knows (`preparation`)."""

    name: str = "dataset"


AnyNormalisation = Normalisation | PerImageNormalisation
WEIGHTS = "weights"
"""The normalisation that a backbone's weights were trained with."""
PREPROCESSING = "preprocessing"
"""Key of what a fine-tuned file says of itself: the preprocessing of the pictures that it was trained on."""

_MEASURED_COST = {
    ("efficientnet_lite0", "imagenet"): "on 1,715 product images that cost 4 points of weighted F1",
    ("efficientnet_lite0", "minmax"): "on 540 product images that cost 2 points of weighted F1",
    ("efficientnet_lite0", "zscore"): "on 540 product images that cost 3 points of weighted F1",
    ("efficientnet_lite0", "dataset"): "on 540 product images that cost 2 points of weighted F1",
}

_USUAL_COST = "that usually costs accuracy"

_BY_NAME: dict[str, AnyNormalisation | DatasetNormalisation] = {
    "imagenet": IMAGENET,
    "minmax": MINMAX,
    "zscore": PerImageNormalisation(),
    "dataset": DatasetNormalisation(),
}


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a backbone: perhaps cut, resized, perhaps cut again; the engine normalises.

    Raises:
        ValueError: the operations do not give a square of known size.
    """

    name: str
    operations: tuple[Operation, ...]
    normalisation: AnyNormalisation | DatasetNormalisation

    def __post_init__(self) -> None:
        match self.operations[1:] if self.crop is not None else self.operations:
            case (Resize(),):
                return
            case (Resize(side=whole) | ResizeShorterSide(side=whole), CentreCrop(side=side)) if side <= whole:
                return
        raise ValueError(
            f"{self.operations} is not a resize, followed by no crop or by one that fits into it; before it, at most a "
            "crop of the border"
        )

    @property
    def crop(self) -> CropBorder | None:
        """What comes before the resize."""
        first = self.operations[0] if self.operations else None
        return first if isinstance(first, CropBorder) else None

    @property
    def scaling(self) -> Resize | ResizeShorterSide:
        """The resize."""
        (found,) = (one for one in self.operations if isinstance(one, Resize | ResizeShorterSide))
        return found

    @property
    def side(self) -> int:
        """The input is (side, side, 3)."""
        last = self.operations[-1]
        assert not isinstance(last, CropBorder)  # the constructor saw to it
        return last.side

    @property
    def settled(self) -> AnyNormalisation:
        """The normalisation, as numbers.

        Raises:
            ValueError: it is the data set's, which was not looked up.
        """
        if isinstance(self.normalisation, DatasetNormalisation):
            raise ValueError("the data set's mean and standard deviation were not looked up")
        return self.normalisation

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` makes the same value again."""
        return {
            "name": self.name,
            "operations": [
                {"operation": type(operation).__name__, **asdict(operation)} for operation in self.operations
            ],
            "normalisation": normalisation_as_dict(self.normalisation),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Preprocessing:
        """The value that `as_dict` described, also after a way through JSON.

        Raises:
            KeyError, TypeError, ValueError, AugmentationError: it described none.
        """
        operations = []
        for step in content["operations"]:
            parts = dict(step)
            operations.append(_OPERATIONS[parts.pop("operation")](**parts))
        return cls(str(content["name"]), tuple(operations), normalisation_from_dict(content["normalisation"]))


_OPERATIONS: dict[str, type[Operation]] = {
    kind.__name__: kind for kind in (CropBorder, Resize, ResizeShorterSide, CentreCrop)
}


def normalisation_as_dict(normalisation: AnyNormalisation | DatasetNormalisation) -> dict[str, Any]:
    """JSON-able."""
    found = asdict(normalisation)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def normalisation_from_dict(content: Mapping[str, Any]) -> AnyNormalisation:
    """The value that `normalisation_as_dict` described.

    Raises:
        KeyError, TypeError, ValueError, AugmentationError: it described none.
    """
    parts = dict(content)
    if "least_std" in parts:
        return PerImageNormalisation(float(parts["least_std"]), str(parts["name"]))
    mean, std = (tuple(map(float, parts[name])) for name in ("mean", "std"))
    return Normalisation(mean, std, float(parts["scale"]), str(parts["name"]))  # type: ignore[arg-type]


def preprocessing_for(
    backbone: Backbone,
    weights: str,
    name: str,
    normalisation: str = WEIGHTS,
    crop_margin: float | None = None,
) -> Preprocessing:
    """The preprocessing called `name` (`document` or `preset`) of a backbone with these weights.

    Weights from a file or a seed take the backbone's first published preset; a backbone without any, the document's.

    Args:
        normalisation: `weights`, `imagenet`, `minmax`, `zscore` or `dataset`.
        crop_margin: of a crop of the white border; None for no such crop.
    """
    releases = [release for release in backbone.releases if release.name == weights] or backbone.releases[:1]
    operations: tuple[Operation, ...] = (Resize(backbone.document_side, "bilinear"),)
    if name == "preset" and releases:
        (release,) = releases
        operations = (ResizeShorterSide(release.resize, release.interpolation), CentreCrop(release.crop))
    if crop_margin is not None:
        operations = (CropBorder(crop_margin), *operations)
    chosen = backbone.normalisation if normalisation == WEIGHTS else _BY_NAME[normalisation]
    return Preprocessing(name, operations, chosen)


def normalisation_note(backbone: Backbone, preprocessing: Preprocessing) -> str:
    """What a reader must know where weights get another normalisation than theirs; "" where they get their own."""
    used, own = preprocessing.settled, backbone.normalisation
    if isinstance(used, Normalisation) and used.arithmetic == own.arithmetic:
        return ""
    cost = _MEASURED_COST.get((backbone.name, used.name), _USUAL_COST)
    return (
        f"pixels are normalised by RAKUTEN_NORMALISATION={used.name}, not as {backbone.name}'s weights were trained "
        f"with ({own.name}): {cost}"
    )


def fine_tuning_note(backbone: Backbone, preprocessing: Preprocessing, about: Mapping[str, Any]) -> str:
    """What a reader must know where pictures are not prepared as those that weights were fine-tuned on; "" where they
    are, or where nothing is known of it.

    Args:
        about: what the weights' file says of itself.
    """
    try:
        lacking = _lacking(backbone, preprocessing, Preprocessing.from_dict(about[PREPROCESSING]))
    # Another release's, or nobody's.
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, AugmentationError):
        return ""
    if not lacking:
        return ""
    return (
        f"pictures are prepared otherwise than those that {backbone.name}'s weights were fine-tuned on, which had "
        f"{', '.join(lacking)}: {_USUAL_COST}"
    )


def _lacking(backbone: Backbone, preprocessing: Preprocessing, trained: Preprocessing) -> list[str]:
    """Settings that would give what weights were trained with.

    Raises:
        ValueError: there are none that would.
    """
    used_numbers, own_numbers = (
        normalisation_as_dict(one.settled) | {"name": ""} for one in (preprocessing, trained)
    )
    lacking = []
    if _without_border_crop(preprocessing) != _without_border_crop(trained):
        if trained.name not in ("document", "preset"):
            raise ValueError(f"{trained.name!r} is no preprocessing that can be set")
        lacking.append(f"RAKUTEN_PREPROCESSING={trained.name}")
    if preprocessing.crop != trained.crop:
        crop = trained.crop
        lacking.append(
            f"RAKUTEN_CROP=border, RAKUTEN_CROP_MARGIN={crop.margin:g}" if crop else "RAKUTEN_CROP=none"
        )
    if used_numbers != own_numbers:
        lacking.append(_normalisation_setting(backbone, trained.settled))
    return lacking


def _without_border_crop(preprocessing: Preprocessing) -> tuple[Operation, ...]:
    return tuple(one for one in preprocessing.operations if not isinstance(one, CropBorder))


def _normalisation_setting(backbone: Backbone, used: AnyNormalisation) -> str:
    if isinstance(used, Normalisation):
        if used.arithmetic == backbone.normalisation.arithmetic:
            return f"RAKUTEN_NORMALISATION={WEIGHTS}"
        if used.name == DatasetNormalisation.name:
            mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (used.mean, used.std))
            return f"RAKUTEN_NORMALISATION={used.name} with mean {mean} and deviation {std}"
    if used.name not in _BY_NAME:
        raise ValueError(f"{used.name!r} is no normalisation that can be set")
    return f"RAKUTEN_NORMALISATION={used.name}"


def preprocess(image: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Crop, resize and crop, bit for bit as Pillow (and torchvision on a Pillow image) does.

    Args:
        image: uint8 (height, width, 3), C order.

    Returns:
        uint8 (side, side, 3).
    """
    if preprocessing.crop is not None:
        left, top, right, bottom = without_border(image, preprocessing.crop.margin)
        image = np.ascontiguousarray(image[top:bottom, left:right])
    height, width, side = image.shape[0], image.shape[1], preprocessing.side
    scaling = preprocessing.scaling
    new_width, new_height = scaling.side, scaling.side
    if isinstance(scaling, ResizeShorterSide):
        # torchvision's `resize` truncates the longer side; its `center_crop` rounds half to even, as Python does.
        if width <= height:
            new_height = int(scaling.side * height / width)
        else:
            new_width = int(scaling.side * width / height)
    left, top = round((new_width - side) / 2.0), round((new_height - side) / 2.0)
    kept = Window(left, top, side, side)
    return resize(image, Geometry(width, height, new_width, new_height, scaling.interpolation, kept))
