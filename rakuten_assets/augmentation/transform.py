"""What every augmentation is: a value that draws operations, called like a transform of `torchvision.transforms.v2`.

transform(image)  # numbers from torch's global generator, as v2's own transforms
transform.augment(image, seed=0, row=17, epoch=3)  # the same result for the same arguments, always
"""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rakuten_assets.augmentation.operations import Operation
from rakuten_assets.augmentation.pictures import as_pixels
from rakuten_assets.augmentation.randomness import Key, Stream, key_of_bytes, sample_key
from rakuten_assets.augmentation.rendering import Pixels, render
from rakuten_assets.errors import AugmentationError


@dataclass(frozen=True, kw_only=True)
class Transform(ABC):
    """One augmentation, or several as one. A frozen value: it can be compared, printed and sent to workers.

    Attributes:
        p: probability that it is applied to a picture.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        check_share(self, "p", self.p)

    @abstractmethod
    def draw(self, stream: Stream, height: int, width: int) -> Sequence[Operation]:
        """Draw what to do to a picture of this size, given that it is applied."""

    def plan(self, stream: Stream, height: int, width: int) -> Sequence[Operation]:
        """Draw whether to apply it, and what to do then: no operation where it is not applied."""
        return self.draw(stream, height, width) if stream.chance(self.p) else ()

    def augment(self, image: Any, *, seed: int, row: int, epoch: int, repeat: int = 0) -> Any:
        """Augment the picture of one row: a function of these arguments and of this transform, and of nothing else.

        Args:
            image: a Pillow image of mode RGB, a uint8 tensor (3, h, w), or a uint8 array (h, w, 3).
            seed: any whole number.
            row, epoch: from 0.
            repeat: how often the row came before in the same epoch.

        Returns:
            The same kind and size as `image`.

        Raises:
            AugmentationError: for another kind of image, or numbers out of range.
        """
        pixels, restore = as_pixels(image)
        return restore(self.augmented(pixels, sample_key(seed, self.identity, row, epoch, repeat)))

    def augmented(self, pixels: Pixels, key: Key) -> Pixels:
        """`pixels`, uint8 (h, w, 3), augmented by the numbers of `key`; new memory."""
        return render(pixels, self.plan(Stream(key), *pixels.shape[:2]))

    def __call__(self, image: Any, *others: Any) -> Any:
        """Augment with numbers from torch's global generator. Further arguments, such as a label, pass through.

        Raises:
            AugmentationError: for another kind of image than `augment` takes.
        """
        import torch  # Not at the top: whoever only draws pictures has no use for it.

        pixels, restore = as_pixels(image)
        key = key_of_bytes(torch.randint(0, 256, (16,), dtype=torch.uint8).numpy().tobytes())
        result = restore(self.augmented(pixels, key))
        return (result, *others) if others else result

    @functools.cached_property
    def identity(self) -> str:
        """A digest of the class and all parameters: what "policy" means in a sample's key."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Policy(Transform):
    """Several transforms, one after the other.

    Attributes:
        name: for a person; two policies of the same transforms draw the same whatever they are called.
        transforms: in the order in which they are applied.
    """

    p: float = 1.0
    name: str = field(default="", repr=False)
    transforms: tuple[Transform, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_transforms(self, self.transforms)

    def draw(self, stream: Stream, height: int, width: int) -> list[Operation]:
        return [operation for one in self.transforms for operation in one.plan(stream, height, width)]


@dataclass(frozen=True, kw_only=True)
class OneOf(Transform):
    """One of several transforms, all equally likely; the chosen one is applied, whatever its own `p`.

    Attributes:
        transforms: at least one.
    """

    transforms: tuple[Transform, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_transforms(self, self.transforms)

    def draw(self, stream: Stream, height: int, width: int) -> Sequence[Operation]:
        chosen = self.transforms[stream.integer(0, len(self.transforms) - 1)]
        return chosen.draw(stream, height, width)


def check_share(owner: object, name: str, value: float, low: float = 0.0, high: float = 1.0) -> None:
    """Refuse a parameter outside of `low` to `high`.

    Raises:
        AugmentationError: naming the transform, the parameter, its value and what is allowed.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise AugmentationError(
            f"{type(owner).__name__}({name}={value!r}): allowed is a number from {low:g} to {high:g}"
        )


def check_range(owner: object, name: str, value: tuple[float, float], low: float, high: float) -> None:
    """Refuse a pair that is not (smallest, largest) within `low` to `high`.

    Raises:
        AugmentationError: naming the transform, the parameter, its value and what is allowed.
    """
    if not isinstance(value, tuple) or len(value) != 2:
        raise AugmentationError(
            f"{type(owner).__name__}({name}={value!r}): a tuple (smallest, largest) is wanted"
        )
    for one in value:
        check_share(owner, name, one, low, high)
    if value[0] > value[1]:
        raise AugmentationError(
            f"{type(owner).__name__}({name}={value!r}): the smallest comes first, as in {name}={value[::-1]!r}"
        )


def check_transforms(owner: object, transforms: tuple[Transform, ...]) -> None:
    """Refuse anything but a tuple of at least one `Transform`.

    Raises:
        AugmentationError: naming what is not one.
    """
    wrong = [one for one in transforms if not isinstance(one, Transform)] if transforms else [()]
    if not isinstance(transforms, tuple) or wrong:
        raise AugmentationError(
            f"{type(owner).__name__}(transforms=...): a tuple of at least one of this package's transforms is wanted, "
            f"not {(wrong or [transforms])[0]!r:.80}; chain others with torchvision.transforms.v2.Compose"
        )
