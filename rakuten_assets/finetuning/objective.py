"""What a step minimises: cross-entropy or focal loss, with a weight for each class where that is asked for."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from rakuten_assets.evaluation.inputs import Doubles, Ints
from rakuten_assets.finetuning.options import FineTuning
from rakuten_assets.imbalance.class_weights import balanced_class_weights
from rakuten_assets.imbalance.focal_loss import FocalLoss


class Objective(nn.Module):
    """The loss of a part of a step's images, so that the parts' losses add up to that of the whole step.

    Args:
        options: name the loss and its weights.
        labels: int64 (n,), of the training rows.
        classes: how many there are.
    """

    weights: torch.Tensor

    def __init__(self, options: FineTuning, labels: Ints, classes: int) -> None:
        super().__init__()
        balanced = options.balance == "class_weights"
        weights = class_weights(labels, classes) if balanced else np.ones(classes)
        self.register_buffer("weights", torch.from_numpy(weights.astype(np.float32)))
        alpha = self.weights.clone() if balanced else None
        self.mean: nn.Module = (
            FocalLoss(options.gamma, alpha) if options.loss == "focal" else nn.CrossEntropyLoss(alpha)
        )

    def forward(self, logits: torch.Tensor, labels: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
        """The part's share of the step's mean loss, a scalar.

        Args:
            logits: (n, classes).
            labels: int64 (n,), of this part.
            whole: int64 (m,), of the step.
        """
        share = self.weights[labels].sum() / self.weights[whole].sum()
        loss: torch.Tensor = self.mean(logits.float(), labels) * share
        return loss


def class_weights(labels: Ints, classes: int) -> Doubles:
    """Balanced weights float64 (classes,) of the classes that have training rows; 1 of the others."""
    there, places = np.unique(labels, return_inverse=True)
    weights = np.ones(classes)
    weights[there] = balanced_class_weights(places.reshape(-1), len(there))
    return weights
