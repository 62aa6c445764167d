"""Our loader beside a plain DataLoader with the same augmentations from torchvision, in turns, in one run.

The plain one is what a practitioner writes: Pillow, `v2` transforms on tensors, a `DataLoader` with as many workers and
the same batches, pinned to bilinear and white as ours is. Each batch is looked at, and thrown away.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, v2

from rakuten_assets.augmentation import MEDIUM
from rakuten_assets.backbones import IMAGENET
from rakuten_assets.torch_data import ImageTable, RakutenImageDataset, training_loader

SIDE = 224
COLUMNS = {
    "name": "",
    "images_per_second": "images/s",
    "ratio": "ratio",
    "lowest_ratio": "lowest",
    "highest_ratio": "highest",
}


class PlainImages(Dataset[torch.Tensor]):
    """Images as a tutorial loads them."""

    def __init__(self, files: Sequence[Path], transform: Callable[[Image.Image], torch.Tensor]) -> None:
        self._files, self._transform = list(files), transform

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self._files[index]) as image:
            return self._transform(image.convert("RGB"))


def medium_of_torchvision() -> Any:
    """The medium policy in torchvision's own transforms, with its parameters."""
    geometry = v2.RandomAffine(
        degrees=15,
        translate=(0.1, 0.1),
        scale=(0.9, 1.1),
        interpolation=InterpolationMode.BILINEAR,
        fill=255,
    )
    return v2.Compose(
        [
            v2.Resize((SIDE, SIDE)),
            v2.PILToTensor(),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomApply([geometry], p=0.5),
            v2.RandomApply([v2.ColorJitter(brightness=0.2, contrast=0.2)], p=0.5),
            v2.RandomApply([v2.ColorJitter(brightness=20 / 255, saturation=20 / 255, hue=10 / 180)], p=0.3),
            v2.RandomApply([v2.GaussianNoise(sigma=np.sqrt(20.0) / 255)], p=0.2),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET.mean, IMAGENET.std),
        ]
    )


def compare(files: Sequence[Path], workers: int, rounds: int, batch_size: int = 32) -> list[dict[str, Any]]:
    """Measure both, an epoch each in turn, `rounds` times, with workers that live on and are warm.

    Returns:
        Two rows: name, images_per_second (median), ratio (median of each round's), lowest_ratio, highest_ratio.
    """
    count = len(files)
    table = ImageTable(list(files), np.arange(count), np.ones(count, np.bool_), [""] * count)
    ours = training_loader(RakutenImageDataset(table, augment=MEDIUM), batch_size, workers=workers)
    plain: DataLoader[torch.Tensor] = DataLoader(
        PlainImages(files, medium_of_torchvision()),
        batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    contestants: dict[str, Callable[[], Iterator[Any]]] = {
        "plain DataLoader, torchvision v2": lambda: iter(plain),
        "ours": lambda: iter(ours),
    }
    for start in contestants.values():
        _seconds(start, count)
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, start in contestants.items():
            taken[name].append(_seconds(start, count))
    theirs, own = taken.values()
    ratios = [a / b for a, b in zip(theirs, own, strict=True)]
    rows: list[dict[str, Any]] = [
        {"name": name, "images_per_second": count / statistics.median(seconds)}
        for name, seconds in taken.items()
    ]
    rows[0]["ratio"] = 1.0
    rows[1] |= {
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
    }
    return rows


def _seconds(start: Callable[[], Iterator[Any]], count: int) -> float:
    started = time.perf_counter()
    seen = sum(len(batch) for batch in start())
    if seen != count:
        raise RuntimeError(f"{seen} images came out of {count}")
    return time.perf_counter() - started
