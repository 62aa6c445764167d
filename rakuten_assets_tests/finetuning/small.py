"""A network of four blocks that trains in milliseconds, and has what exact resumption has to master: norms, dropout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from rakuten_assets.backbones import Backbone
from rakuten_assets.evaluation.splits import grouped_split
from rakuten_assets.extraction.networks.models import seeded_backbone
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import preprocessing_for
from rakuten_assets.finetuning.task import Task
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.storage.files import sha256_of_file
from rakuten_assets.torch_data import ImageTable

SIDE, DIM, CLASSES, BLOCKS = 32, 16, 27, 4
ROWS_OF_A_CLASS = 4
SMALL = Backbone(
    name="small",
    builder="rakuten_assets_tests.finetuning.small:build",
    architecture="small",
    feature_dim=DIM,
    parameters=0,
    classifier="head",
    document_side=SIDE,
)
LIMITS = DecodeLimits()
MOST_AT_ONCE = 6


class Block(nn.Module):
    """A convolution, a norm, dropout of channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.drop = nn.Dropout2d(0.1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.drop(torch.relu(self.norm(self.conv(images))))
        return result


class Small(nn.Module):
    """(n, 3, side, side) to logits (n, 27)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*(Block(3 if not n else DIM, DIM) for n in range(BLOCKS)))
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


class Hungry(Small):
    """Runs out of memory, as a GPU does, where it is trained on more than `MOST_AT_ONCE` images at a time."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = super().forward(images)
        if self.training and len(images) > MOST_AT_ONCE:
            raise torch.OutOfMemoryError("CUDA out of memory (a stand-in)")
        return logits


def build(backbone: Backbone) -> nn.Module:
    """What the backbone's `builder` names."""
    return Hungry() if backbone.architecture == "hungry" else Small()


def write_weights(path: Path, backbone: Backbone = SMALL) -> WeightsSource:
    """Random weights with measured statistics, in a file."""
    state = seeded_backbone(backbone, 7).state_dict()
    safetensors.torch.save_file({name: one.clone() for name, one in state.items()}, path)
    return WeightsSource("file", str(path), path, f"sha256:{sha256_of_file(path)}")


def small_task(folder: Path, weights: WeightsSource) -> Task:
    """Small noisy pictures, each class of a colour of its own; a fifth of the rows validate. They are written there."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows = np.arange(ROWS_OF_A_CLASS * CLASSES)
    labels = rows // ROWS_OF_A_CLASS
    paths, digests = [], []
    for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
        colour = np.array([label % 3, label // 3 % 3, label // 9]) * 100
        pixels = np.clip(colour + random.normal(0, 25, (SIDE + 8, SIDE, 3)), 0, 255).astype(np.uint8)
        paths.append(folder / f"{row:03d}.png")
        Image.fromarray(pixels).save(paths[-1])
        digests.append(sha256_of_file(paths[-1]))
    groups = np.array([f"group {row // 2}" for row in rows])  # each row has a neighbour
    table = ImageTable(paths, rows, np.ones(len(rows), bool), digests)
    preprocessing = preprocessing_for(SMALL, "weights.safetensors", "document")
    validation = grouped_split(labels, groups)
    return Task(SMALL, weights, preprocessing, table, labels, groups, validation, CLASSES, LIMITS)


def sha256_of(state: dict[str, torch.Tensor]) -> str:
    """A digest of the bits of all tensors."""
    import hashlib

    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
