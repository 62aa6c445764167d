"""What predictions are worth: scores, tables and curves, equal to scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.inputs import Doubles, Ints

BINS = 15


@dataclass(frozen=True)
class Scores:
    """Accuracy, weighted F1 (the challenge's metric) and macro F1, 0 to 1."""

    accuracy: float
    weighted_f1: float
    macro_f1: float


@dataclass(frozen=True)
class Reliability:
    """How often predictions of each confidence are right.

    Attributes:
        edges: float64 (bins + 1,), of confidence.
        count: int64 (bins,): predictions in each bin.
        confidence: float64 (bins,): their mean confidence; 0 for an empty bin.
        accuracy: float64 (bins,): their share of hits; 0 for an empty bin.
        error: expected calibration error: mean of |accuracy - confidence| over the predictions.
    """

    edges: Doubles
    count: Ints
    confidence: Doubles
    accuracy: Doubles
    error: float


def confusion_matrix(
    labels: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int, weights: npt.ArrayLike | None = None
) -> npt.NDArray[Any]:
    """Rows of each true label (first axis) and predicted label (second).

    Args:
        labels, predicted: whole numbers (n,), 0 to num_classes-1.
        weights: of each row (n,); None: 1.

    Returns:
        (num_classes, num_classes), int64, or float64 with weights.

    Raises:
        CatalogError: for a label outside, or arrays of different length.
    """
    true, found = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if true.shape != found.shape or true.ndim != 1:
        raise CatalogError(f"labels have shape {true.shape}, predictions {found.shape}; one of each a row")
    for values in (true, found):
        if len(values) and not 0 <= values.min() <= values.max() < num_classes:
            raise CatalogError(
                f"labels lie between 0 and {num_classes - 1}; there are {values.min()} to {values.max()}"
            )
    cells = true * num_classes + found
    tally = np.bincount(
        cells, None if weights is None else np.asarray(weights), minlength=num_classes * num_classes
    )
    return tally.reshape(num_classes, num_classes)


def scores(labels: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int) -> Scores:
    """Scores of predicted labels (n,) against true ones (n,)."""
    return scores_of_confusion(confusion_matrix(labels, predicted, num_classes))


def scores_of_confusion(confusion: npt.NDArray[Any]) -> Scores:
    """Scores of a confusion matrix (C, C); classes that are neither true nor predicted count in none."""
    _, _, f1, support, predicted = _by_class(confusion)
    total = max(float(support.sum()), 1e-300)
    there = (support + predicted) > 0
    return Scores(
        accuracy=float(np.trace(confusion)) / total,
        weighted_f1=float((f1 * support).sum()) / total,
        macro_f1=float(f1[there].mean()) if there.any() else 0.0,
    )


def class_table(
    labels: npt.ArrayLike, predicted: npt.ArrayLike, num_classes: int
) -> dict[str, npt.NDArray[Any]]:
    """Precision, recall, F1, true rows and predicted rows of each class: arrays (num_classes,); 0 where undefined."""
    precision, recall, f1, support, found = _by_class(confusion_matrix(labels, predicted, num_classes))
    return {"precision": precision, "recall": recall, "f1": f1, "rows": support, "predicted_rows": found}


def reliability(probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = BINS) -> Reliability:
    """Reliability curve of the most probable class, over bins of equal width.

    Args:
        probabilities: (n, C), each row sums to 1.
        labels: whole numbers (n,).
    """
    values = np.asarray(probabilities, dtype=np.float64)
    confidence, hit = values.max(axis=1), values.argmax(axis=1) == np.asarray(labels)
    place = confidence_bin(confidence, bins)
    count = np.bincount(place, minlength=bins)
    filled = np.maximum(count, 1)
    mean_confidence = np.bincount(place, confidence, minlength=bins) / filled
    accuracy = np.bincount(place, hit.astype(np.float64), minlength=bins) / filled
    error = float((np.abs(accuracy - mean_confidence) * count).sum() / max(len(values), 1))
    return Reliability(np.linspace(0, 1, bins + 1), count, mean_confidence, accuracy, error)


def confidence_bin(confidence: Doubles, bins: int = BINS) -> Ints:
    """The bin of each confidence (n,), 0 to bins-1; a bin holds its upper edge."""
    found: Ints = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return found


def most_confident_mistakes(probabilities: npt.ArrayLike, labels: npt.ArrayLike, count: int) -> Ints:
    """Rows whose most probable class is wrong, the most confident first, ties by row: int64 (at most count,)."""
    values = np.asarray(probabilities, dtype=np.float64)
    wrong = np.flatnonzero(values.argmax(axis=1) != np.asarray(labels))
    return wrong[np.argsort(-values[wrong].max(axis=1), kind="stable")[:count]]


def majority_baseline(training_labels: npt.ArrayLike, labels: npt.ArrayLike, num_classes: int) -> Scores:
    """Scores of saying the most frequent training class of every row."""
    known = np.asarray(training_labels, dtype=np.int64)
    usual = int(np.bincount(known, minlength=num_classes).argmax())
    return scores(labels, np.full(len(np.asarray(labels)), usual), num_classes)


def _by_class(
    confusion: npt.NDArray[Any],
) -> tuple[Doubles, Doubles, Doubles, npt.NDArray[Any], npt.NDArray[Any]]:
    hits = np.diagonal(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)

    def ratio(upper: npt.NDArray[Any], lower: npt.NDArray[Any]) -> Doubles:
        share: Doubles = np.divide(upper, lower, out=np.zeros_like(hits), where=lower > 0)
        return share

    return (
        ratio(hits, predicted),
        ratio(hits, support),
        ratio(2 * hits, support + predicted),
        support,
        predicted,
    )
