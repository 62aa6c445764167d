"""What others do, written as they would write it: the two baselines that extraction is measured against.

- `document_loop`: the loop of the document that this project implements: Pillow, torchvision transforms,
  torch eager in its default layout, batches of 32.
- `expert_loader`: what a practitioner who knows torch writes: a `DataLoader` with a worker per core,
  channels_last, inference mode, small batches.

Both take a torch model and return float32 features (n, dim), rows in the order of `files`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Features = npt.NDArray[np.float32]


def document_transform() -> Callable[[Image.Image], torch.Tensor]:
    """Resize to 224x224 (bilinear, no crop), scale to [0, 1], ImageNet normalisation."""
    compose: Callable[[Image.Image], torch.Tensor] = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    return compose


def document_loop(model: torch.nn.Module, files: Sequence[Path], batch_size: int = 32) -> Features:
    """One thread of Python that decodes a batch, then infers it, then decodes the next."""
    transform = document_transform()
    parts = []
    for start in range(0, len(files), batch_size):
        images = [transform(Image.open(file).convert("RGB")) for file in files[start : start + batch_size]]
        with torch.no_grad():
            features = model(torch.stack(images))
        parts.append(features.reshape(len(images), -1).numpy())
    return np.vstack(parts)


class ImageFiles(Dataset[torch.Tensor]):
    """The images of `files`, transformed as the document does."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = list(files)
        self.transform = document_transform()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, position: int) -> torch.Tensor:
        return self.transform(Image.open(self.files[position]).convert("RGB"))


def expert_loader(
    model: torch.nn.Module, files: Sequence[Path], workers: int, batch_size: int = 8
) -> Features:
    """A `DataLoader` that decodes in `workers` processes while this one infers in channels_last.

    `model` is expected in `torch.channels_last` already.
    """
    loader: DataLoader[Any] = DataLoader(
        ImageFiles(files), batch_size=batch_size, num_workers=workers, prefetch_factor=4
    )
    parts = []
    with torch.inference_mode():
        for batch in loader:
            features = model(batch.contiguous(memory_format=torch.channels_last))
            parts.append(features.reshape(len(batch), -1).numpy())
    return np.vstack(parts)
