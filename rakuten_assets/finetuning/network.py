"""The network that is trained: a backbone with a new classifier, its averaged weights, activations computed twice."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from rakuten_assets.evaluation.heads.head import Head

BACKBONE = "backbone."
"""What the names of a backbone's tensors begin with."""


_UNLIMITED = 1e30  # Not infinity: the average of two of them would be no number.
_MOST_DEVIATIONS = 10.0


class Classifier(nn.Module):
    """A backbone, dropout and a linear layer: normalised (n, 3, side, side) to logits (n, classes).

    Once a head is taken over, features are standardised by its mean and scale, and cut at 10 deviations: a feature that
    hardly varies in the training rows varies a lot under augmentation, and would drown the others.

    Args:
        backbone: gives features (n, dim).
    """

    mean: torch.Tensor
    scale: torch.Tensor
    limit: torch.Tensor

    def __init__(self, backbone: nn.Module, dim: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("limit", torch.tensor(_UNLIMITED))
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(dim, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(self.backbone(images))

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of features (n, dim)."""
        standardised = ((features - self.mean) / self.scale).clamp(-self.limit, self.limit)
        logits: torch.Tensor = self.linear(self.dropout(standardised))
        return logits

    @torch.no_grad()
    def take_over(self, head: Head) -> None:
        """Give a logistic head's logits, calibrated by its temperature."""
        ((weight, bias),) = head.layers
        self.mean.copy_(torch.from_numpy(head.standardisation.mean))
        self.scale.copy_(torch.from_numpy(head.standardisation.scale))
        self.limit.fill_(_MOST_DEVIATIONS)
        self.linear.weight.copy_(torch.from_numpy(weight.T / head.temperature))
        self.linear.bias.copy_(torch.from_numpy(bias / head.temperature))


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of a network for the exponential average of its weights, and of its buffers: BatchNorm's statistics would
    be those of the start otherwise.

    The decay rises with the steps, (1 + n) / (10 + n) up to `decay`, so that the start has no weight in a short run.
    A tensor that does not change keeps its bits.
    """

    @torch.no_grad()
    def update(averages: Any, values: Any, steps: Any) -> None:
        share = 1.0 - min(decay, (1 + int(steps)) / (10 + int(steps))) if decay else 1.0
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value.to(average.device), share)
            else:
                average.copy_(value)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


def recompute_activations(network: nn.Module, modules: Iterable[str]) -> None:
    """Keep no activations of these modules while they are trained: they are computed again in the backward pass.

    The second pass draws the same random numbers, and leaves BatchNorm's statistics as they are.
    """
    for name in modules:
        module = network.get_submodule(name)
        if next(module.children(), None) is None:
            continue  # One layer has nothing inside to save.
        module.forward = functools.partial(_recomputed, module, module.forward)


def _recomputed(module: nn.Module, forward: Any, *inputs: Any) -> Any:
    if not (module.training and torch.is_grad_enabled()):
        return forward(*inputs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(module)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    norms = [one for one in module.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    kept = [(one.momentum, one.num_batches_tracked) for one in norms]
    for norm in norms:
        # Not track_running_stats=False: the second pass must save the same tensors as the first.
        norm.momentum = 0.0
        norm.num_batches_tracked = None
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted
