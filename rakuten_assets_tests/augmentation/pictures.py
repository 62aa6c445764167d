"""Pictures for the tests of augmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 (height, width, 3) of independent values."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A colourful picture without hard edges."""
    coarse = noise(5, 6, seed)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
