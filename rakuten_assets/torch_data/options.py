"""What becomes of an image on its way into a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from rakuten_assets.augmentation.mixing import Mixing
from rakuten_assets.augmentation.transform import Transform
from rakuten_assets.backbones import IMAGENET, Normalisation, PerImageNormalisation
from rakuten_assets.errors import AugmentationError
from rakuten_assets.extraction.preprocessing import Preprocessing
from rakuten_assets.images.limits import DecodeLimits

Augmentation = Transform | Callable[[torch.Tensor], torch.Tensor] | Mapping[int, Any]

_LIMITS = DecodeLimits()


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What becomes of an image on its way into a sample.

    Attributes:
        side: of a sample's picture, in pixels.
        preprocessing: how a picture becomes so large, an extractor's; None: resized to (side, side), bilinear.
        augment: None; a transform of `rakuten_assets.augmentation`; any callable from a uint8 tensor (3, side, side)
            to a tensor, such as a v2 `Compose` (its random numbers, from torch's global generator, are then keyed
            by the sample too; a float result is taken as it is and not normalised); or a mapping label -> one of
            these, as `policies_by_class` gives it (a class that it lacks is not augmented).
        mix: None, `MixUp` or `CutMix`: the partner is drawn from the whole data set, augmented as it is in this
            epoch, and costs a second decode; labels become float32 (classes,).
        normalisation: None for uint8 pictures.
        seed: of augmentation and mixing.
        limits: what the decoder refuses.
    """

    side: int = 224
    preprocessing: Preprocessing | None = None
    augment: Augmentation | None = None
    mix: Mixing | None = None
    normalisation: Normalisation | PerImageNormalisation | None = IMAGENET
    seed: int = 0
    limits: DecodeLimits = _LIMITS

    def __post_init__(self) -> None:
        if not isinstance(self.side, int) or not 1 <= self.side <= 65535:
            raise AugmentationError(
                f"side={self.side!r}: allowed is a whole number of pixels from 1 to 65535"
            )
        if self.preprocessing is not None and self.preprocessing.side != self.side:
            raise AugmentationError(
                f"side={self.side}, but the preprocessing gives {self.preprocessing.side} pixels; give the same"
            )


def options_of(options: ImageOptions | None, more: Mapping[str, Any]) -> ImageOptions:
    """Options as a value, with single ones replaced by name.

    Raises:
        AugmentationError: for a name that is none of an option, or a value that is not allowed.
    """
    known = ImageOptions.__dataclass_fields__
    wrong = [name for name in more if name not in known]
    if wrong:
        raise AugmentationError(
            f"{wrong[0]} is no option of a data set of images; options are {', '.join(known)}"
        )
    values = {name: getattr(options, name) for name in known} if options is not None else {}
    return ImageOptions(**{**values, **more})
