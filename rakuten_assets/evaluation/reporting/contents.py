"""What a validation report holds, and how it is put together from held-out predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.dataset.labels import CLASS_NAMES
from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.bootstrap import RESAMPLES, Interval, group_bootstrap, interval
from rakuten_assets.evaluation.held_out import GROUPED, IN_FOLDS, RANDOM, HeldOut
from rakuten_assets.evaluation.inputs import Ints
from rakuten_assets.evaluation.leakage import SEED, leaking_rows
from rakuten_assets.evaluation.metrics import (
    Reliability,
    Scores,
    class_table,
    confusion_matrix,
    majority_baseline,
    most_confident_mistakes,
    reliability,
)
from rakuten_assets.evaluation.suspect_labels import conflicting_rows

REPORT_VERSION = "1"
TITLES = {
    GROUPED: "grouped split: no duplicate on both sides",
    RANDOM: "customary random split",
    IN_FOLDS: "grouped cross-validation, every row once",
}
SCORES = {
    "accuracy": "accuracy",
    "weighted_f1": "weighted F1",
    "macro_f1": "macro F1",
    "calibration_error": "calibration error",
}
MISTAKES = 24
_MOST_PAIRS = 20


@dataclass(frozen=True)
class EvaluationReport:
    """What one evaluation found.

    Attributes:
        name: "grouped", "random" or "folds".
        rows: scored rows: those with features.
        left_out: rows without features, which have no picture to predict from.
        leaking: scored or not, rows with a duplicate among those that their head was trained on; 0 but for "random",
            unless the groups are others than those that the predictions were made with.
        leakage: their share, 0 to 1.
        scores: interval of each of `SCORES`, over groups of duplicates.
        baseline: of saying the largest training class of every row.
        classes: a row a class: code, name, rows, precision, recall, f1, predicted_rows.
        confusion: int64 (C, C): true class, predicted class.
        reliability: of the most probable class.
    """

    name: str
    rows: int
    left_out: int
    leaking: int
    leakage: float
    scores: Mapping[str, Interval]
    baseline: Scores
    classes: pd.DataFrame
    confusion: Ints
    reliability: Reliability


@dataclass(frozen=True)
class ValidationReport:
    """A report on one extractor's features.

    Attributes:
        extractor: its name.
        weights_note: what its weights are worth.
        seeded: whether they are random, so that the features mean nothing.
        evaluations: by name, the honest one first.
        codes: int64 (C,).
        mistakes: the most confident mistakes out of grouped folds: row, code, predicted, probability.
        confused: pairs of classes that are confused most, out of grouped folds: code, predicted, rows, share of the
            class's rows.
        details: penalty, temperature, seed, resamples.
    """

    extractor: str
    weights_note: str
    seeded: bool
    evaluations: Mapping[str, EvaluationReport]
    codes: Ints
    mistakes: pd.DataFrame
    confused: pd.DataFrame
    details: Mapping[str, Any]

    @property
    def honest(self) -> EvaluationReport:
        """The evaluation that no duplicate leaks through, on a split as large as the customary one."""
        return self.evaluations[GROUPED]


def build_report(
    held_out: Mapping[str, HeldOut],
    labels: npt.ArrayLike,
    groups: npt.ArrayLike,
    codes: npt.ArrayLike,
    *,
    extractor: str,
    weights_note: str,
    seeded: bool,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> ValidationReport:
    """Score held-out predictions.

    Args:
        held_out: as from `held_out_predictions`.
        labels: whole numbers (n,) of all train rows.
        groups: group of duplicates of each train row (n,).
        codes: class code of each label (C,).

    Raises:
        CatalogError: if an evaluation has no row with features.
    """
    classes, members = np.asarray(labels, dtype=np.int64), np.asarray(groups)
    known = np.asarray(codes, dtype=np.int64)
    evaluations = {
        name: _evaluated(name, held_out[name], classes, members, known, resamples, seed) for name in TITLES
    }
    whole = held_out[IN_FOLDS]
    return ValidationReport(
        extractor=extractor,
        weights_note=weights_note,
        seeded=seeded,
        evaluations=evaluations,
        codes=known,
        mistakes=_mistakes(whole, classes, known),
        confused=_confused(evaluations[IN_FOLDS].confusion, known),
        details={
            "head": "multinomial logistic regression",
            "penalty": held_out[GROUPED].penalty,
            "temperature": held_out[GROUPED].temperature,
            "seed": seed,
            "resamples": resamples,
        },
    )


def summary(report: ValidationReport) -> dict[str, Any]:
    """The figures of a report, ready for JSON."""
    return {
        "report_version": REPORT_VERSION,
        "extractor": report.extractor,
        "weights": report.weights_note,
        "seeded": report.seeded,
        "details": dict(report.details),
        "evaluations": {
            name: {
                "title": TITLES[name],
                "rows": one.rows,
                "rows_without_features": one.left_out,
                "leaking_rows": one.leaking,
                "leakage": one.leakage,
                "scores": {key: asdict(value) for key, value in one.scores.items()},
                "majority_baseline": asdict(one.baseline),
                "classes": one.classes.to_dict(orient="records"),
                "confusion": one.confusion.tolist(),
                "reliability": {
                    "edges": one.reliability.edges.tolist(),
                    "rows": one.reliability.count.tolist(),
                    "confidence": one.reliability.confidence.tolist(),
                    "accuracy": one.reliability.accuracy.tolist(),
                },
            }
            for name, one in report.evaluations.items()
        },
        "most_confused": report.confused.to_dict(orient="records"),
    }


def _evaluated(
    name: str,
    predictions: HeldOut,
    labels: Ints,
    groups: npt.NDArray[np.generic],
    codes: Ints,
    resamples: int,
    seed: int,
) -> EvaluationReport:
    rows, valid = predictions.rows, predictions.valid
    if not valid.any():
        raise CatalogError(
            f"none of the {len(rows):,} validation rows ({TITLES[name]}) has features; look at why their images are "
            "quarantined"
        )
    scored, probabilities = rows[valid], predictions.probabilities[valid]
    true, predicted = labels[scored], probabilities.argmax(axis=1)
    draws = group_bootstrap(probabilities, true, groups[scored], resamples=resamples, seed=seed)
    outside = np.zeros(len(labels), dtype=bool)
    outside[rows] = True
    table = class_table(true, predicted, len(codes))
    leaks = (
        conflicting_rows(predictions.folds, groups[rows])
        if name == IN_FOLDS
        else leaking_rows(groups, outside)[rows]
    )
    return EvaluationReport(
        name=name,
        rows=len(scored),
        left_out=int((~valid).sum()),
        leaking=int(leaks.sum()),
        leakage=float(leaks.mean()),
        scores={key: interval(draws[key]) for key in SCORES},
        # Out of folds, every row is one that some head was trained on.
        baseline=majority_baseline(labels if name == IN_FOLDS else labels[~outside], true, len(codes)),
        classes=pd.DataFrame(
            {
                "code": codes,
                "name": [CLASS_NAMES.get(code, "") for code in codes.tolist()],
                **{key: table[key] for key in ("rows", "precision", "recall", "f1", "predicted_rows")},
            }
        ),
        confusion=confusion_matrix(true, predicted, len(codes)),
        reliability=reliability(probabilities, true),
    )


def _mistakes(predictions: HeldOut, labels: Ints, codes: Ints) -> pd.DataFrame:
    valid = predictions.valid
    rows, probabilities = predictions.rows[valid], predictions.probabilities[valid]
    worst = most_confident_mistakes(probabilities, labels[rows], MISTAKES)
    return pd.DataFrame(
        {
            "row": rows[worst],
            "code": codes[labels[rows[worst]]],
            "predicted": codes[probabilities[worst].argmax(axis=1)],
            "probability": probabilities[worst].max(axis=1),
        }
    )


def _confused(confusion: Ints, codes: Ints) -> pd.DataFrame:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    true, predicted = np.unravel_index(order, wrong.shape)
    there = wrong[true, predicted] > 0
    true, predicted = true[there], predicted[there]
    return pd.DataFrame(
        {
            "code": codes[true],
            "predicted": codes[predicted],
            "rows": wrong[true, predicted],
            "share": wrong[true, predicted] / np.maximum(confusion.sum(axis=1)[true], 1),
        }
    )
