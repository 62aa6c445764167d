"""The MLP head: one hidden layer with dropout, AdamW, stopped early on held-back groups."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.standardisation import fit_standardisation, standardised_rows
from rakuten_assets.evaluation.heads.training_rows import training_rows
from rakuten_assets.evaluation.inputs import Floats, Ints
from rakuten_assets.evaluation.leakage import SEED

HIDDEN = (256,)
Resample = Callable[[Floats, Ints], tuple[Floats, Ints]]


def fit_mlp(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
    *,
    codes: npt.ArrayLike | None = None,
    hidden: Sequence[int] = HIDDEN,
    dropout: float = 0.4,
    epochs: int = 40,
    patience: int = 4,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    loss: Callable[[Any, Any], Any] | None = None,
    sample_weights: Callable[[Ints], npt.NDArray[np.float64]] | None = None,
    resample: Resample | None = None,
    seed: int = SEED,
    fingerprint: str = "",
    log: Callable[[str], None] | None = None,
) -> Head:
    """Train an MLP head; `hidden=()` makes it linear.

    A fifth of the groups is held back to stop at the epoch with the smallest cross-entropy. Scaling, sampling and
    resampling see the other rows only.

    Args:
        features: float32 (n, d). Hand in training rows only.
        labels: whole numbers (n,), 0 to C-1.
        groups: group of duplicates of each row (n,); None: no row has a duplicate.
        valid: bool (n,): rows with features; None: all.
        codes: class code of each label (C,); None: the labels themselves.
        hidden: width of each hidden layer.
        batch_size: rows of a step; default: a 64th of the rows, 16 to 512, so that small data get enough steps.
        loss: of logits (batch, C) and labels (batch,), a scalar tensor; default: cross-entropy.
        sample_weights: odds by which rows are drawn with replacement, of labels (m,); default: each row once.
        resample: makes new rows of the standardised ones (m, d) and their labels (m,) before training.
        seed: of the folds, the weights, the order and the dropout.
        fingerprint: of the extractor, kept with the head.
        log: told of each epoch in a line.

    Raises:
        CatalogError: for arrays that do not fit together, or fewer than two classes or groups.
    """
    import torch

    given = training_rows(features, labels, groups, valid, codes, seed)
    inside = given.folds != 0
    train, train_labels = given.rows[inside], given.labels[inside]
    standardisation = fit_standardisation(given.features, train)
    inputs = standardised_rows(given.features, train, standardisation)
    if resample is not None:
        inputs, train_labels = resample(inputs, train_labels)
        if not len(train_labels) == len(inputs) > 0:
            raise CatalogError(
                f"resampling gave {len(inputs):,} rows and {len(train_labels):,} labels; it must give as many of both"
            )
    held_back = torch.from_numpy(standardised_rows(given.features, given.rows[~inside], standardisation))
    held_back_labels = torch.from_numpy(given.labels[~inside])
    rows, targets = torch.from_numpy(inputs), torch.from_numpy(train_labels)
    odds = None if sample_weights is None else torch.from_numpy(sample_weights(train_labels))
    size = batch_size or min(max(len(rows) // 64, 16), 512)
    criterion = loss or torch.nn.functional.cross_entropy

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(torch, [rows.shape[1], *hidden, given.num_classes], dropout)
        optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
        best, best_epoch, kept = float("inf"), 0, copy.deepcopy(network.state_dict())
        for epoch in range(1, epochs + 1):
            network.train()
            order = _order(torch, len(rows), odds)
            for start in range(0, len(rows), size):
                batch = order[start : start + size]
                optimizer.zero_grad()
                criterion(network(rows[batch]), targets[batch]).backward()
                optimizer.step()
            network.eval()
            with torch.inference_mode():
                score = float(torch.nn.functional.cross_entropy(network(held_back), held_back_labels))
            if log:
                log(f"MLP head: epoch {epoch}, validation loss {score:.4f}")
            if score < best:
                best, best_epoch, kept = score, epoch, copy.deepcopy(network.state_dict())
            elif epoch - best_epoch >= patience:
                break
        network.load_state_dict(kept)

    layers = tuple(
        (np.ascontiguousarray(layer.weight.detach().numpy().T), layer.bias.detach().numpy().copy())
        for layer in network
        if isinstance(layer, torch.nn.Linear)
    )
    details = {
        "hidden": list(hidden),
        "epochs": best_epoch,
        "validation_loss": best if np.isfinite(best) else None,
        "rows": len(rows),
        "seed": seed,
    }
    return Head(
        "mlp", standardisation, layers, given.codes, given.prior, fingerprint=fingerprint, details=details
    )


def _network(torch: Any, widths: Sequence[int], dropout: float) -> Any:
    parts: list[Any] = []
    for place, (wide, narrow) in enumerate(pairwise(widths)):
        if place:
            parts += [torch.nn.ReLU(), torch.nn.Dropout(dropout)]
        parts.append(torch.nn.Linear(wide, narrow))
    return torch.nn.Sequential(*parts)


def _order(torch: Any, count: int, odds: Any | None) -> Any:
    """The rows of an epoch: each once, or drawn by odds with replacement (as `WeightedRandomSampler` draws)."""
    if odds is None:
        return torch.randperm(count)
    return torch.multinomial(odds, count, replacement=True)
