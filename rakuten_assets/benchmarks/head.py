"""The logistic head beside scikit-learn's `LogisticRegression`, at the real data set's size.

- both are given the same standardised float32 training rows and the same penalty, the one that our head chose;
- they run in turns, and the fastest round of each counts;
- both are scored on the same held-back groups; scikit-learn's settings are its own (lbfgs, tol 1e-4), but for as many
  iterations as it wants.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.benchmarks.measuring.tables import markdown_table
from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS, encode_labels, fit_label_encoder
from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.head import log_loss
from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.evaluation.heads.multinomial import MultinomialRegression
from rakuten_assets.evaluation.heads.standardisation import fit_standardisation, standardised_rows
from rakuten_assets.evaluation.inputs import Floats, Ints
from rakuten_assets.evaluation.metrics import scores
from rakuten_assets.evaluation.splits import grouped_split
from rakuten_assets.storage.arrays import open_array

COLUMNS = {
    "name": "classifier",
    "seconds": "s",
    "evaluations": "evaluations",
    "validation_loss": "validation loss",
    "weighted_f1": "weighted F1",
    "ratio": "times as fast as scikit-learn",
}
SEED = 7
_MAX_ITERATIONS = 5000
_LABEL_NOISE = 0.25
_BLOCK = 4096


def measure(
    features: Floats,
    labels: Ints,
    groups: npt.NDArray[np.generic],
    rounds: int,
    log: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Train both in turns; a row each, and one for our head with its choice of a penalty and the last fit.

    Args:
        features: float32 (n, d).
        labels: int64 (n,), 0 to C-1.
        groups: group of duplicates of each row (n,).
        rounds: how often each one trains.
    """
    num_classes = int(labels.max()) + 1
    validation = grouped_split(labels, groups)
    train, held_back = np.flatnonzero(~validation), np.flatnonzero(validation)
    standardisation = fit_standardisation(features, train)
    inside = standardised_rows(features, train, standardisation)
    outside = standardised_rows(features, held_back, standardisation)
    log(f"{len(train):,} training rows, {len(held_back):,} validation rows, {features.shape[1]:,} dimensions")

    started = time.perf_counter()
    head = fit_logistic(features[train], labels[train], groups[train], codes=np.arange(num_classes), log=log)
    chosen_seconds = time.perf_counter() - started
    penalty = float(head.details["penalty"])
    contestants: dict[str, Callable[[], tuple[Floats, int]]] = {
        "scikit-learn, one penalty": lambda: _theirs(inside, labels[train], penalty, outside),
        "ours, one penalty": lambda: _ours(inside, labels[train], num_classes, penalty, outside),
    }
    seconds: dict[str, float] = {}
    found: dict[str, tuple[Floats, int]] = {}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            found[name] = contestant()
            took = time.perf_counter() - started
            seconds[name] = min(seconds.get(name, took), took)
            log(f"{name}: {took:.1f} s")
    truth = labels[held_back]
    rows = [_row(name, seconds[name], count, logits, truth) for name, (logits, count) in found.items()]
    ours = _row("ours, penalty chosen", chosen_seconds, None, head.logits(features[held_back]), truth)
    reference = rows[0]["seconds"]
    return [
        {**row, "penalty": penalty, "rows": len(labels), "ratio": reference / row["seconds"]}
        for row in (*rows, ours)
    ]


def report(rows: list[dict[str, Any]]) -> str:
    """The table; the losses to four places, since two decide between equal and better."""
    shown = [{**row, "validation_loss": f"{row['validation_loss']:.4f}"} for row in rows]
    return f"{markdown_table(shown, COLUMNS)}\npenalty {rows[0]['penalty']:g}, {rows[0]['rows']:,} rows"


def synthetic_features(rows: int, dimensions: int, seed: int = SEED) -> tuple[Floats, Ints]:
    """Features like a backbone's: not negative, a power-law spectrum, the real class shares, classes that overlap.

    Each class has three centres, most apart in the leading directions, and a quarter of the labels are wrong.
    """
    random = np.random.default_rng(seed)
    share = np.array(list(KNOWN_CLASS_COUNTS.values()), dtype=np.float64)
    classes = len(share)
    labels = random.choice(classes, rows, p=share / share.sum())
    rank = np.arange(1, dimensions + 1, dtype=np.float32)
    basis = np.linalg.qr(random.standard_normal((dimensions, dimensions)))[0].astype(np.float32)
    centres = random.standard_normal((3 * classes, dimensions)).astype(np.float32) * 0.45 * rank**-0.7
    place = 3 * labels + random.integers(0, 3, rows)
    features = np.empty((rows, dimensions), dtype=np.float32)
    for start in range(0, rows, _BLOCK):
        block = slice(start, min(start + _BLOCK, rows))
        noise = random.standard_normal((block.stop - start, dimensions), dtype=np.float32) * rank**-0.6
        features[block] = np.logaddexp(0, 6 * (noise + centres[place[block]]) @ basis - 1)
    wrong = random.random(rows) < _LABEL_NOISE
    labels[wrong] = random.choice(classes, int(wrong.sum()), p=share / share.sum())
    return features, labels.astype(np.int64)


def stored_features(features: Path, labels: Path) -> tuple[Floats, Ints]:
    """Features float32 (n, d) and class codes (n,) of two `.npy` files, as the benchmark takes them.

    Raises:
        CatalogError: if they do not fit together.
    """
    values, codes = np.asarray(open_array(features), dtype=np.float32), np.asarray(open_array(labels))
    if values.ndim != 2 or codes.shape != (len(values),) or codes.dtype.kind not in "iu":
        raise CatalogError(
            f"{features} holds {values.dtype} {values.shape} and {labels} {codes.dtype} {codes.shape}; needed are a "
            "table of features and a class code for each of its rows"
        )
    return values, encode_labels(codes, fit_label_encoder(codes))


def _ours(
    inside: Floats, labels: Ints, num_classes: int, penalty: float, outside: Floats
) -> tuple[Floats, int]:
    fitted = MultinomialRegression(inside, labels, num_classes).fit(penalty)
    logits = outside @ fitted.weight.astype(np.float32) + fitted.bias.astype(np.float32)
    return logits, fitted.evaluations


def _theirs(inside: Floats, labels: Ints, penalty: float, outside: Floats) -> tuple[Floats, int]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1 / (penalty * len(labels)), max_iter=_MAX_ITERATIONS).fit(inside, labels)
    return fitted.decision_function(outside).astype(np.float32), int(fitted.n_iter_[0])


def _row(name: str, seconds: float, evaluations: int | None, logits: Floats, labels: Ints) -> dict[str, Any]:
    return {
        "name": name,
        "seconds": seconds,
        "evaluations": evaluations,
        "validation_loss": log_loss(logits, labels),
        "weighted_f1": scores(labels, logits.argmax(axis=1), logits.shape[1]).weighted_f1,
    }
