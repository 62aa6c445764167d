"""The network of a backbone that this package does not know: milliseconds to build, convert and run."""

from __future__ import annotations

import torch
from torch import nn

from rakuten_assets.backbones import Backbone

CLASSES = 27


class Tiny(nn.Module):
    """Two convolutions, the mean over the pixels, a classifier: (n, 3, side, side) to logits (n, 27)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.body = nn.Conv2d(8, dim, 3, stride=2, padding=1)
        self.head = nn.Linear(dim, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(images)))
        logits: torch.Tensor = self.head(torch.relu(self.body(x)).mean((2, 3)))
        return logits


def build(backbone: Backbone) -> nn.Module:
    """What the backbone's `builder` names."""
    return Tiny(backbone.feature_dim)
