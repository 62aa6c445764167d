"""The same head under each strategy against imbalance, scored on the same untouched validation rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.bootstrap import (
    RESAMPLES,
    Interval,
    difference_p_value,
    group_bootstrap,
    holm,
    interval,
)
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.mlp import fit_mlp
from rakuten_assets.evaluation.heads.multinomial import one_core_per_thread
from rakuten_assets.evaluation.inputs import Floats, Ints, checked_features, checked_groups, checked_labels
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.evaluation.splits import grouped_split
from rakuten_assets.imbalance.class_weights import balanced_class_weights
from rakuten_assets.imbalance.resampling import Method, resample
from rakuten_assets.imbalance.sampling import sample_weights

BASELINE = "none"
SIGNIFICANCE = 0.05
# The quarter of the classes with the fewest training rows.
RARE_SHARE = 0.25
# fit(features, labels, groups, num_classes, seed) trains a head on training rows.
Strategy = Callable[[Floats, Ints, npt.NDArray[np.generic], int, int], Head]


@dataclass(frozen=True)
class Outcome:
    """What a strategy gave on the validation rows.

    Attributes:
        name: of the strategy.
        scores: interval of each metric of `bootstrap.METRICS`, over groups of duplicates.
        differences: for each metric, value minus the baseline's, with the interval of the paired draws.
        real: for each metric, whether that difference is real: its p-value, adjusted by Holm for the number of
            strategies, is below 0.05.
        seconds: of training.
    """

    name: str
    scores: Mapping[str, Interval]
    differences: Mapping[str, Interval]
    real: Mapping[str, bool]
    seconds: float


def strategies() -> dict[str, Strategy]:
    """Name -> strategy: none, class weights, weighted sampler, focal loss, over- and undersampling, SMOTE."""
    resampled: dict[str, Method] = {
        "random oversampling": "oversampling",
        "random undersampling": "undersampling",
        "SMOTE": "smote",
    }
    return {
        BASELINE: _plain,
        "class weights": _class_weights,
        "weighted sampler": _sampler,
        "focal loss": _focal,
        **{name: _resampled(method) for name, method in resampled.items()},
    }


def imbalance_comparison(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
    *,
    validation: npt.ArrayLike | None = None,
    chosen: Mapping[str, Strategy] | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    log: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Train a linear head under each strategy and score it.

    A strategy is given the valid training rows and no other: not for scaling, sampling, resampling or stopping.

    Args:
        features: float32 (n, d).
        labels: whole numbers (n,), 0 to C-1.
        groups: group of duplicates of each row (n,); None: no row has a duplicate.
        valid: bool (n,); None: all.
        validation: bool (n,), True for validation; None: `grouped_split`.
        chosen: strategies to compare; the first is the baseline; None: `strategies()`.
        resamples: draws of the bootstrap.
        log: told of each strategy in a line.

    Returns:
        an outcome a strategy, in the order given.

    Raises:
        CatalogError: for arrays that do not fit together, a group on both sides, or no valid row on a side.
    """
    import torch

    values, mask = checked_features(features, valid)
    classes, members = checked_labels(labels, len(values)), checked_groups(groups, len(values))
    num_classes = int(classes.max(initial=0)) + 1
    held_back = (
        grouped_split(classes, members, seed=seed)
        if validation is None
        else np.asarray(validation, dtype=bool)
    )
    train, scored = np.flatnonzero(mask & ~held_back), np.flatnonzero(mask & held_back)
    shared = np.intersect1d(members[train], members[scored])
    if len(shared):
        raise CatalogError(
            f"group {shared[0]} is on both sides of the split ({len(shared):,} such groups); split with grouped_split"
        )
    if not len(train) or not len(scored):
        raise CatalogError(
            f"there are {len(train):,} valid training rows and {len(scored):,} valid validation rows; a score takes "
            "both. Look at why the others have no features, or split again"
        )
    counts = np.bincount(classes[train], minlength=num_classes)
    there = np.flatnonzero(counts)
    rare = there[np.argsort(counts[there], kind="stable")[: max(1, int(len(there) * RARE_SHARE))]]

    draws, seconds = {}, {}
    for name, strategy in (chosen or strategies()).items():
        started = time.perf_counter()
        # A step is too small to share: threads that wait for each other take longer than one, much on a busy machine.
        with one_core_per_thread(torch):
            head = strategy(values[train], classes[train], members[train], num_classes, seed)
        seconds[name] = time.perf_counter() - started
        draws[name] = group_bootstrap(
            head.probabilities(values[scored]),
            classes[scored],
            members[scored],
            rare=rare,
            resamples=resamples,
            seed=seed,
        )
        if log:
            log(f"imbalance: {name}, weighted F1 {draws[name]['weighted_f1'][0]:.3f}")
    return _outcomes(draws, seconds)


def comparison_table(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """A row a strategy: each metric with its interval, "*" where it really differs from the baseline, and seconds."""
    rows = []
    for outcome in outcomes:
        row: dict[str, Any] = {"strategy": outcome.name}
        for metric, score in outcome.scores.items():
            star = " *" if outcome.real[metric] else ""
            row[metric] = f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f}){star}"
        rows.append({**row, "seconds": outcome.seconds})
    return rows


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """An outcome's figures, ready for JSON; without the seconds, which no second run repeats."""
    return {
        "strategy": outcome.name,
        "scores": {metric: asdict(score) for metric, score in outcome.scores.items()},
        "differences": {metric: asdict(score) for metric, score in outcome.differences.items()},
        "real": dict(outcome.real),
    }


def _outcomes(
    draws: Mapping[str, Mapping[str, npt.NDArray[np.float64]]], seconds: Mapping[str, float]
) -> list[Outcome]:
    names = list(draws)
    baseline, others = draws[names[0]], names[1:]
    real: dict[str, dict[str, bool]] = {name: {} for name in names}
    for metric in baseline:
        adjusted = holm([difference_p_value(draws[name][metric], baseline[metric]) for name in others])
        real[names[0]][metric] = False
        for name, p_value in zip(others, adjusted, strict=True):
            real[name][metric] = bool(p_value < SIGNIFICANCE)
    return [
        Outcome(
            name=name,
            scores={metric: interval(values) for metric, values in draws[name].items()},
            differences={
                metric: interval(values - baseline[metric]) for metric, values in draws[name].items()
            },
            real=real[name],
            seconds=seconds[name],
        )
        for name in names
    ]


def _fit(features: Floats, labels: Ints, groups: Any, num_classes: int, seed: int, **options: Any) -> Head:
    """A linear head, in few steps an epoch: a step costs the same for 20 rows as for 200."""
    return fit_mlp(
        features,
        labels,
        groups,
        codes=np.arange(num_classes),
        hidden=(),
        batch_size=min(max(len(labels) // 16, 32), 512),
        learning_rate=3e-3,
        seed=seed,
        **options,
    )


def _plain(features: Floats, labels: Ints, groups: Any, num_classes: int, seed: int) -> Head:
    return _fit(features, labels, groups, num_classes, seed)


def _class_weights(features: Floats, labels: Ints, groups: Any, num_classes: int, seed: int) -> Head:
    import torch

    loss = torch.nn.CrossEntropyLoss(weight=_balanced(labels, num_classes))
    return _fit(features, labels, groups, num_classes, seed, loss=loss)


def _sampler(features: Floats, labels: Ints, groups: Any, num_classes: int, seed: int) -> Head:
    return _fit(features, labels, groups, num_classes, seed, sample_weights=sample_weights)


def _focal(features: Floats, labels: Ints, groups: Any, num_classes: int, seed: int) -> Head:
    from rakuten_assets.imbalance.focal_loss import FocalLoss

    loss = FocalLoss(alpha=_balanced(labels, num_classes))
    return _fit(features, labels, groups, num_classes, seed, loss=loss)


def _resampled(method: Method) -> Strategy:
    def fit(features: Floats, labels: Ints, groups: Any, num_classes: int, seed: int) -> Head:
        def more(rows: Floats, of: Ints) -> tuple[Floats, Ints]:
            return resample(rows, of, method, seed)

        return _fit(features, labels, groups, num_classes, seed, resample=more)

    return fit


def _balanced(labels: Ints, num_classes: int) -> Any:
    """Balanced weights as a float32 tensor; 1 for a class without training rows, which no row asks for."""
    import torch

    there, place = np.unique(labels, return_inverse=True)
    weights = np.ones(num_classes)
    weights[there] = balanced_class_weights(place.reshape(-1), len(there))
    return torch.from_numpy(weights.astype(np.float32))
