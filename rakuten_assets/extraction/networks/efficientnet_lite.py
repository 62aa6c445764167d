"""EfficientNet-Lite as a torch module, whose tensors are named as in the published weights.

EfficientNet for small devices: ReLU6 instead of swish, no squeeze-and-excite, stem and head of fixed width (Tan and Le
2019; TensorFlow's `efficientnet/lite`). Its stride-2 convolutions pad as TensorFlow does, more after than before.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from rakuten_assets.backbones import Backbone

# Blocks, kernel, stride, expansion, output channels, of each stage of lite0.
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
           (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))  # fmt: skip
_WIDTH_AND_DEPTH = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2), "lite3": (1.2, 1.4)}
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
_EPSILON = 1e-3


def efficientnet_lite(backbone: Backbone) -> nn.Module:
    """The network that `backbone.architecture` names (`lite0`): (n, 3, side, side) to logits (n, 1000)."""
    return EfficientNetLite(*_WIDTH_AND_DEPTH[backbone.architecture])


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite.

    Args:
        width: factor of the channels of all stages.
        depth: factor of the number of blocks of all stages but the first and the last.
    """

    def __init__(self, width: float, depth: float) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, _STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_EPSILON)
        channels, blocks = _STEM, []
        for number, (repeats, kernel, stride, expansion, wanted) in enumerate(_STAGES):
            scaled = number not in (0, len(_STAGES) - 1)
            out = _scaled_channels(wanted, width)
            for repeat in range(math.ceil(depth * repeats) if scaled else repeats):
                blocks.append(_Block(channels, out, kernel, 1 if repeat else stride, expansion))
                channels = out
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = _SameConv(channels, _HEAD, 1, 1)
        self._bn1 = nn.BatchNorm2d(_HEAD, eps=_EPSILON)
        self._fc = nn.Linear(_HEAD, _CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(self._bn0(self._conv_stem(images)))
        x = functional.relu6(self._bn1(self._conv_head(self._blocks(x))))
        logits: torch.Tensor = self._fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


class _Block(nn.Module):
    """Expand, convolve each channel by itself, project; the input is added where shapes allow."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self._expands = expansion != 1
        if self._expands:
            self._expand_conv = _SameConv(channels, wide, 1, 1)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._project_conv = _SameConv(wide, out, 1, 1)
        self._bn2 = nn.BatchNorm2d(out, eps=_EPSILON)
        self._adds = stride == 1 and channels == out

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images
        if self._expands:
            x = functional.relu6(self._bn0(self._expand_conv(x)))
        x = functional.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        added: torch.Tensor = x + images if self._adds else x
        return added


class _SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's "SAME": the output has ceil(side / stride) pixels."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(channels, out, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.stride[0] > 1:
            # int(): while the network is traced for another engine, a shape is a tensor, and paddings must be numbers.
            left, right = self._padding(int(images.shape[3]))
            above, below = self._padding(int(images.shape[2]))
            images = functional.pad(images, (left, right, above, below))
        convolved: torch.Tensor = super().forward(images)
        return convolved

    def _padding(self, side: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        return total // 2, total - total // 2


def _scaled_channels(channels: int, width: float) -> int:
    """Channels times width, rounded to a multiple of 8, but by no more than a tenth down."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded
