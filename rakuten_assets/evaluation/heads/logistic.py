"""The logistic head: multinomial regression on standardised features, its penalty chosen on grouped validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.heads.head import Head, log_loss
from rakuten_assets.evaluation.heads.multinomial import Coefficients, MultinomialRegression, Spectrum
from rakuten_assets.evaluation.heads.standardisation import fit_standardisation, standardised_rows
from rakuten_assets.evaluation.heads.temperature import fit_temperature
from rakuten_assets.evaluation.heads.training_rows import TrainingRows, training_rows
from rakuten_assets.evaluation.inputs import Doubles, Floats
from rakuten_assets.evaluation.leakage import SEED

# From strong to weak: each fit starts from the one before, and the path ends once validation has got worse twice.
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4)
_WORSE_BEFORE_THE_END = 2
# Small data choose on every inner fold, since one has too few rows to tell penalties apart; large data on one.
_HELD_BACK_ROWS = 600


def fit_logistic(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
    *,
    codes: npt.ArrayLike | None = None,
    penalties: Sequence[float] = PENALTIES,
    class_weights: Doubles | None = None,
    seed: int = SEED,
    fingerprint: str = "",
    log: Callable[[str], None] | None = None,
) -> Head:
    """Train a logistic head.

    The penalty is the one with the smallest loss on held-back groups of these rows, and the temperature is fitted to
    the logits of the same held-back rows; then all rows are fitted. With a single penalty the temperature is 1.

    Args:
        features: float32 (n, d). Hand in training rows only: every valid row is trained on.
        labels: whole numbers (n,), 0 to C-1.
        groups: group of duplicates of each row (n,); None: no row has a duplicate.
        valid: bool (n,): rows with features; None: all.
        codes: class code of each label (C,); None: the labels themselves.
        penalties: to choose from, strong to weak; one is taken as it is.
        class_weights: weight of each class in the loss (C,); None: 1.
        seed: of the inner folds.
        fingerprint: of the extractor, kept with the head.
        log: told of each penalty in a line.

    Raises:
        CatalogError: for arrays that do not fit together, or fewer than two classes or groups.
    """
    given = training_rows(features, labels, groups, valid, codes, seed)
    penalty, temperature = float(penalties[0]), 1.0
    losses: dict[float, float] = {}
    regression = None
    if len(penalties) > 1:
        if len(_inner_folds(given)) > 1:  # With one, a second copy of the rows would cost more than it saves.
            regression = _regression(given, given.rows, given.labels, class_weights)
        spectrum = None if regression is None else regression.spectrum
        penalty, losses, temperature = _chosen_penalty(given, penalties, class_weights, spectrum, log)
    regression = regression or _regression(given, given.rows, given.labels, class_weights)
    standardisation = fit_standardisation(given.features, given.rows)
    fitted = regression.fit(penalty)
    return Head(
        kind="logistic",
        standardisation=standardisation,
        layers=((fitted.weight.astype(np.float32), fitted.bias.astype(np.float32)),),
        codes=given.codes,
        prior=given.prior,
        temperature=temperature,
        fingerprint=fingerprint,
        details={
            "penalty": penalty,
            "validation_losses": {f"{one:g}": loss for one, loss in losses.items()},
            "rows": len(given.rows),
            "evaluations": fitted.evaluations,
            "converged": fitted.converged,
            "seed": seed,
        },
    )


def _regression(
    given: TrainingRows,
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    class_weights: Doubles | None,
    spectrum: Spectrum | None = None,
) -> MultinomialRegression:
    standardisation = fit_standardisation(given.features, rows)
    weights = None if class_weights is None else np.asarray(class_weights, dtype=np.float64)[labels]
    return MultinomialRegression(
        standardised_rows(given.features, rows, standardisation),
        labels,
        given.num_classes,
        weights,
        # A partial basis spans the rows that it was found of, and no others.
        spectrum if spectrum is not None and spectrum.whole else None,
    )


def _chosen_penalty(
    given: TrainingRows,
    penalties: Sequence[float],
    class_weights: Doubles | None,
    spectrum: Spectrum | None,
    log: Callable[[str], None] | None,
) -> tuple[float, dict[float, float], float]:
    """The penalty with the smallest mean loss over the inner folds, all losses seen, and its logits' temperature.

    The path ends once the loss has got worse twice.
    """
    paths = [_Path(given, fold, class_weights, spectrum) for fold in _inner_folds(given)]
    labels = np.concatenate([path.labels for path in paths])
    losses: dict[float, float] = {}
    best, temperature, worse = float(penalties[0]), 1.0, 0
    for penalty in sorted(map(float, penalties), reverse=True):
        logits = [path.logits(penalty) for path in paths]
        losses[penalty] = float(
            np.mean([log_loss(one, path.labels) for one, path in zip(logits, paths, strict=True)])
        )
        if log:
            log(f"logistic head: penalty {penalty:g}, validation loss {losses[penalty]:.4f}")
        if losses[penalty] <= min(losses.values()):
            best, temperature, worse = penalty, fit_temperature(np.concatenate(logits), labels), 0
            continue
        worse += 1
        if worse == _WORSE_BEFORE_THE_END:
            break
    return best, losses, temperature


def _inner_folds(given: TrainingRows) -> range:
    """Those that the penalty is chosen on."""
    several = int(given.folds.max()) + 1
    return range(min(several, ceil(several * _HELD_BACK_ROWS / len(given.rows))))


class _Path:
    """Fits from strong to weak penalties without one fold, each started from the one before."""

    def __init__(
        self, given: TrainingRows, fold: int, class_weights: Doubles | None, spectrum: Spectrum | None
    ) -> None:
        inside = given.folds != fold
        train = given.rows[inside]
        self.labels = given.labels[~inside]
        self._held_back = standardised_rows(
            given.features, given.rows[~inside], fit_standardisation(given.features, train)
        )
        self._regression = _regression(given, train, given.labels[inside], class_weights, spectrum)
        self._last: Coefficients | None = None

    def logits(self, penalty: float) -> Floats:
        """Of the held-back rows, float32 (m, C)."""
        self._last = self._regression.fit(penalty, self._last)
        found: Floats = self._held_back @ self._last.weight.astype(np.float32) + self._last.bias.astype(
            np.float32
        )
        return found
