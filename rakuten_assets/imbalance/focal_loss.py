"""Focal loss: cross-entropy in which rows that are already right count less.

FL = -alpha_y * (1 - p_y)^gamma * log p_y. Source: Lin et al., "Focal loss for dense object detection", 2017.
"""

from __future__ import annotations

import torch

from rakuten_assets.errors import CatalogError

GAMMA = 2.0


class FocalLoss(torch.nn.Module):
    """Focal loss of logits with a weight of each class.

    The mean is weighted by alpha, as that of torch's weighted cross-entropy, which it equals at gamma 0. It is computed
    from logarithms: 1 - p_y is the sum of the other classes' probabilities, so that neither it nor its gradient loses
    its digits where p_y is nearly 0 or 1.

    Args:
        gamma: at least 0; 0 is cross-entropy.
        alpha: positive weight of each class (C,), for example `balanced_class_weights`; None: 1.

    Raises:
        CatalogError: for a gamma or a weight that is not allowed.
    """

    alpha: torch.Tensor | None

    def __init__(self, gamma: float = GAMMA, alpha: torch.Tensor | None = None) -> None:
        super().__init__()
        if not 0 <= gamma < float("inf"):
            raise CatalogError(f"focal loss needs a gamma of at least 0; it is {gamma}")
        if alpha is not None and not (alpha.ndim == 1 and bool(((alpha > 0) & alpha.isfinite()).all())):
            raise CatalogError("focal loss needs a positive, finite weight for each class")
        self.gamma = float(gamma)
        self.register_buffer("alpha", alpha)

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss, a scalar, of logits (n, C) and labels int64 (n,)."""
        own = labels[:, None]
        logarithm = torch.log_softmax(logits, dim=1)
        loss = -logarithm.gather(1, own)[:, 0]
        if self.gamma:
            others = torch.log_softmax(logits, dim=1).scatter(1, own, float("-inf"))
            loss = loss * torch.exp(self.gamma * torch.logsumexp(others, dim=1))
        if self.alpha is None:
            return loss.mean()
        weights = self.alpha.to(loss.dtype)[labels]
        return (loss * weights).sum() / weights.sum()
