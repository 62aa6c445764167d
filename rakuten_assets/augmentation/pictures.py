"""The kinds of pictures that a transform takes and gives back: Pillow images, tensors, arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rakuten_assets.errors import AugmentationError

Pixels = NDArray[np.uint8]


def as_pixels(image: Any) -> tuple[Pixels, Callable[[Pixels], Any]]:
    """A picture as uint8 (h, w, 3) in C order, and the function that turns such pixels into the same kind of picture.

    Args:
        image: a Pillow image of mode RGB, a uint8 tensor (3, h, w), or a uint8 array (h, w, 3).

    Raises:
        AugmentationError: for anything else, saying what is wanted.
    """
    if isinstance(image, Image.Image):
        if image.mode != "RGB":
            raise AugmentationError(f"the picture has mode {image.mode}; use image.convert('RGB')")
        return _checked(np.asarray(image)), Image.fromarray
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise AugmentationError(
                f"the array is {image.dtype} {image.shape}; wanted is uint8 (height, width, 3)"
            )
        return _checked(image), lambda pixels: pixels
    torch = sys.modules.get("torch")  # Who has a tensor has imported it.
    if torch is not None and isinstance(image, torch.Tensor):
        if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3:
            raise AugmentationError(
                f"the tensor is {image.dtype} {tuple(image.shape)}; wanted is torch.uint8 (3, height, width): "
                "augment single pictures, and before ToDtype and Normalize"
            )
        return _checked(image.permute(1, 2, 0).cpu().numpy()), lambda pixels: _as_tensor(pixels, image)
    raise AugmentationError(
        f"{type(image).__name__} is no picture; wanted is a Pillow image, a uint8 tensor (3, h, w) or a uint8 array "
        "(h, w, 3)"
    )


def _checked(pixels: Pixels) -> Pixels:
    if 0 in pixels.shape:
        raise AugmentationError(
            f"the picture is {pixels.shape[1]} x {pixels.shape[0]} pixels: there is none in it"
        )
    return np.ascontiguousarray(pixels)


def _as_tensor(pixels: Pixels, like: Any) -> Any:
    import torch

    tensor = torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(like.device)
    if type(like) is torch.Tensor:
        return tensor
    from torchvision import tv_tensors

    return tv_tensors.wrap(tensor, like=like)
