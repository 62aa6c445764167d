from __future__ import annotations

import numpy as np
import pytest
import torch

from rakuten_assets.errors import CatalogError
from rakuten_assets.imbalance.focal_loss import FocalLoss


def reference(logits: np.ndarray, labels: np.ndarray, gamma: float, alpha: np.ndarray) -> float:
    """By the formula, in long double."""
    wide = logits.astype(np.longdouble)
    p = np.exp(wide - wide.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    own = p[np.arange(len(labels)), labels]
    weights = alpha[labels].astype(np.longdouble)
    return float((-weights * (1 - own) ** gamma * np.log(own)).sum() / weights.sum())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_it_equals_the_formula(gamma: float) -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 3, (200, 27)), random.integers(0, 27, 200)
    alpha = random.uniform(0.2, 5, 27)
    expected = reference(logits, labels, gamma, alpha)
    loss = FocalLoss(gamma, torch.from_numpy(alpha))
    wide, narrow = torch.from_numpy(logits), torch.from_numpy(logits).float()
    assert loss(wide, torch.from_numpy(labels)).item() == pytest.approx(expected, rel=1e-12)
    assert loss(narrow, torch.from_numpy(labels)).item() == pytest.approx(expected, rel=1e-5)


def test_gamma_zero_is_weighted_cross_entropy() -> None:
    logits, labels = torch.randn(64, 9, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 9
    alpha = torch.linspace(0.3, 4, 9)
    for weights in (None, alpha):
        ours = FocalLoss(0.0, weights)(logits, labels)
        theirs = torch.nn.functional.cross_entropy(logits, labels, weight=weights)
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_its_gradient_is_right(gamma: float) -> None:
    logits = torch.randn(
        6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    loss = FocalLoss(gamma, torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda one: loss(one, torch.tensor([0, 1, 2, 3, 0, 1])), (logits,))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("distance", [1e-4, 20.0, 80.0, 1e4])
@pytest.mark.parametrize("sign", [1, -1])
def test_sure_rows_lose_no_digit_and_give_a_finite_gradient(gamma: float, distance: float, sign: int) -> None:
    logits = torch.tensor([[sign * distance, 0.0, 0.0]], requires_grad=True)
    loss = FocalLoss(gamma)(logits, torch.tensor([0]))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()
    if sign > 0 and distance == 20.0:  # Here 1 - p in float32 is 0; the true value is (2 e^-20)^(gamma + 1).
        assert loss.item() == pytest.approx((2 * np.exp(-20.0)) ** (gamma + 1), rel=1e-2)
    if sign < 0 and distance == 80.0:
        assert loss.item() == pytest.approx(80.0 + np.log(2), rel=1e-4)


def test_it_moves_with_its_module() -> None:
    loss = FocalLoss(alpha=torch.ones(3))
    assert "alpha" in loss.state_dict()
    assert loss.to(torch.float64).alpha.dtype == torch.float64


@pytest.mark.parametrize(
    "arguments", [{"gamma": -1}, {"gamma": float("nan")}, {"alpha": torch.tensor([1.0, 0.0])}]
)
def test_impossible_settings_are_refused(arguments: dict) -> None:
    with pytest.raises(CatalogError, match="focal loss needs"):
        FocalLoss(**arguments)
