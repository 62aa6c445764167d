"""The network of a backbone that this package does not know: milliseconds to build and run.

It has what conversion has stumbled over: normalisation by batch statistics, attention, a mean over pixels.
"""

from __future__ import annotations

import torch
from torch import nn

from rakuten_assets.backbones import Backbone

CLASSES = 27


class Tiny(nn.Module):
    """Two convolutions, attention, the mean over the pixels, a classifier: (n, 3, side, side) to logits (n, 27)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.body = nn.Conv2d(8, dim, 3, stride=2, padding=1)
        self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.head = nn.Linear(dim, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(images)))
        x = torch.relu(self.body(x))
        pixels = x.flatten(2).transpose(1, 2)
        attended, _ = self.attention(pixels, pixels, pixels, need_weights=False)
        x = x + attended.transpose(1, 2).reshape(x.shape)
        logits: torch.Tensor = self.head(x.mean((2, 3)))
        return logits


def build(backbone: Backbone) -> nn.Module:
    """What the backbone's `builder` names."""
    return Tiny(backbone.feature_dim)
