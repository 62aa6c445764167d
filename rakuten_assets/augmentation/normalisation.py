"""From pixels to a network's input, without chance: what training does last, and all that validation does."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.augmentation.kernels import serving
from rakuten_assets.augmentation.pictures import as_pixels
from rakuten_assets.backbones import IMAGENET, Normalisation, PerImageNormalisation
from rakuten_assets.images.resampling import Geometry, Interpolation, Window, resize


def normalise(
    pixels: NDArray[np.uint8], normalisation: Normalisation | PerImageNormalisation
) -> NDArray[np.float32]:
    """Normalise and bring the channels to the front, to the bit as v2's `ToDtype(scale=True)` and `Normalize` do.

    Args:
        pixels: uint8 (h, w, 3), C order.
        normalisation: of a `PerImageNormalisation` too the result is that of one table a channel: mean and deviation
            come from exact sums, and are rounded once.

    Returns:
        float32 (3, h, w).
    """
    result = np.empty((3, *pixels.shape[:2]), np.float32)
    if isinstance(normalisation, PerImageNormalisation):
        table = _own_table(pixels, normalisation.least_std)
    else:
        table = _table(normalisation)
    serving("planes", pixels.shape[0] * pixels.shape[1]).to_planes(pixels, table, result)
    return result


def to_size(
    pixels: NDArray[np.uint8], side: int, interpolation: Interpolation = "bilinear"
) -> NDArray[np.uint8]:
    """Resize uint8 (h, w, 3) to (side, side, 3) with antialiasing, to the bit as Pillow does."""
    height, width = pixels.shape[:2]
    if (height, width) == (side, side):
        return pixels
    return resize(pixels, Geometry(width, height, side, side, interpolation, Window(0, 0, side, side)))


@dataclass(frozen=True)
class ValidationTransform:
    """The document's transform for validation and test: resize, normalise; nothing random.

    Attributes:
        side: of the result, in pixels.
        normalisation: default: ImageNet's.

    >>> import numpy as np
    >>> tensor = ValidationTransform()(np.full((500, 400, 3), 255, np.uint8))
    >>> tuple(tensor.shape), tensor.dtype, round(float(tensor.max()), 2)
    ((3, 224, 224), torch.float32, 2.64)
    """

    side: int = 224
    normalisation: Normalisation | PerImageNormalisation = IMAGENET

    def __call__(self, image: Any, *others: Any) -> Any:
        """A picture as a float32 tensor (3, side, side). Further arguments, such as a label, pass through.

        Raises:
            AugmentationError: for anything but a Pillow image of mode RGB, a uint8 tensor (3, h, w) or a uint8 array
                (h, w, 3).
        """
        import torch  # Not at the top: the module also serves who only resizes.

        pixels, _ = as_pixels(image)
        resized = np.ascontiguousarray(to_size(pixels, self.side))
        tensor = torch.from_numpy(normalise(resized, self.normalisation))
        return (tensor, *others) if others else tensor


@functools.lru_cache(maxsize=16)
def _table(normalisation: Normalisation) -> NDArray[np.float32]:
    """float32 (3, 256), in the order of torchvision's own roundings."""
    scaled = np.arange(256, dtype=np.float32) * np.float32(1.0 / normalisation.scale)
    mean, std = (np.array(values, np.float32)[:, None] for values in (normalisation.mean, normalisation.std))
    table = np.ascontiguousarray((scaled - mean) / std)
    table.setflags(write=False)
    return table


def _own_table(pixels: NDArray[np.uint8], least_std: float) -> NDArray[np.float32]:
    """float32 (3, 256), by the mean and standard deviation of one picture."""
    counts = np.stack([np.bincount(pixels[..., channel].reshape(-1), minlength=256) for channel in range(3)])
    values, total = np.arange(256), pixels.shape[0] * pixels.shape[1]
    sums, squares = counts @ values, counts @ (values * values)
    std = np.sqrt((total * squares - sums * sums).astype(np.float64)) / total
    table = (values - sums[:, None] / total) / np.maximum(std, least_std)[:, None]
    return np.ascontiguousarray(table, np.float32)
