"""What must hold of splits, heads, predictions and features: each function's outcome is a check's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.held_out import IN_FOLDS, HeldOut
from rakuten_assets.evaluation.inputs import Ints
from rakuten_assets.evaluation.leakage import leaking_rows
from rakuten_assets.evaluation.predictions import TestPredictions
from rakuten_assets.evaluation.quality.report import FeatureQuality
from rakuten_assets.evaluation.quality.statistics import MOST_IDLE
from rakuten_assets.evaluation.reporting.contents import ValidationReport
from rakuten_assets.evaluation.splits import SplitDescription
from rakuten_assets.verdicts import Verdict


def classes_on_both_sides(described: SplitDescription) -> Verdict:
    """Every class has a row in train and in validation."""
    lacking = {
        "train": described.missing_in_train,
        "validation": described.missing_in_validation,
    }
    told = "; ".join(
        f"{side} has no row of {', '.join(map(str, codes))}" for side, codes in lacking.items() if codes
    )
    return Verdict(
        "every_class_on_both_sides",
        not told,
        told or "every class has rows in train and in validation",
        severity="warning",
    )


def no_group_spans(groups: npt.ArrayLike, validation: npt.ArrayLike) -> Verdict:
    """No validation row has a member of its group in train."""
    leaking = int(leaking_rows(groups, validation).sum())
    return Verdict(
        "no_group_spans_the_split",
        not leaking,
        f"{leaking:,} validation rows have a duplicate in train" if leaking else "no group is on both sides",
        {"leaking rows": leaking},
    )


def held_out_complete(held_out: dict[str, HeldOut], rows: int, groups: npt.ArrayLike) -> list[Verdict]:
    """Out of folds every row is predicted once, and no group of duplicates is in two folds."""
    whole = held_out[IN_FOLDS]
    once = np.array_equal(whole.rows, np.arange(rows))
    sums = max(float(np.abs(one.probabilities.sum(axis=1) - 1).max(initial=0.0)) for one in held_out.values())
    folds = pd.DataFrame({"group": np.asarray(groups)[whole.rows], "fold": whole.folds}).groupby("group")[
        "fold"
    ]
    spanning = int((folds.nunique() > 1).sum())
    return [
        Verdict(
            "every_row_predicted",
            once and sums < 1e-6,
            f"{len(whole.rows):,} of {rows:,} rows; sums of probabilities are off by {sums:.0e} at most",
        ),
        Verdict(
            "no_group_spans_folds",
            not spanning,
            f"{spanning:,} groups of duplicates are in several folds"
            if spanning
            else "every group of duplicates is in one fold",
            {"groups in several folds": spanning},
        ),
    ]


def head_converged(head: Head) -> Verdict:
    """The solver met its tolerance."""
    converged = bool(head.details.get("converged", True))
    return Verdict(
        "converged",
        converged,
        f"penalty {head.details.get('penalty', 0):g}, {head.details.get('evaluations', 0)} evaluations"
        + ("" if converged else ": the iterations ran out before the tolerance was met"),
        severity="warning",
    )


# A catalogue with a row for each class and fold scores anything, 0 included.
_FEWEST_ROWS_TO_JUDGE = 100


def above_majority(report: ValidationReport) -> Verdict:
    """The honest weighted F1 is above that of always saying the largest class.

    With seeded weights this may fail and stops nothing: features that mean nothing score nothing. Nor does it on fewer
    than 100 rows, which say too little.
    """
    found, baseline = report.honest.scores["weighted_f1"], report.honest.baseline.weighted_f1
    note = " (seeded weights: the features mean nothing)" if report.seeded else ""
    return Verdict(
        "above_majority",
        found.low > baseline,
        f"weighted F1 {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) on the grouped split; always the largest "
        f"class: {baseline:.3f}{note}",
        {"weighted F1": found.value, "majority": baseline},
        # A score that may still be above it is no reason to stop.
        severity="warning"
        if report.seeded or found.value > baseline or report.honest.rows < _FEWEST_ROWS_TO_JUDGE
        else "error",
    )


def suspect_share(suspects: pd.DataFrame, rows: int, warn: float) -> Verdict:
    """Not too many labels are suspect."""
    share = len(suspects) / max(rows, 1)
    return Verdict(
        "suspect_share",
        share <= warn,
        f"{len(suspects):,} of {rows:,} labels are suspect ({share:.1%}); {int(suspects['known_conflict'].sum()):,} of "
        "them are known conflicts",
        {"share": share, "limit": warn},
        severity="warning",
    )


def predictions_complete(predictions: TestPredictions, index: Ints) -> list[Verdict]:
    """Every test row is predicted once, with a known class and probabilities that are some."""
    missing = np.setdiff1d(index, predictions.index)
    unknown = ~np.isin(predictions.codes, predictions.classes)
    values = predictions.probabilities
    inside = bool(np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all())
    off = float(np.abs(values.sum(axis=1) - 1).max(initial=0.0))
    whole = not len(missing) and len(predictions.index) == len(index) and not unknown.any()
    return [
        Verdict(
            "predictions_complete",
            whole,
            f"{len(predictions.index):,} of {len(index):,} test rows are predicted, all with known classes"
            if whole
            else f"{len(missing):,} test rows lack a prediction, {int(unknown.sum()):,} have an unknown class",
        ),
        Verdict(
            "probabilities_valid",
            inside and off < 1e-6,
            f"all between 0 and 1: {'yes' if inside else 'no'}; sums are off by {off:.0e} at most",
        ),
    ]


def features_alive(quality: FeatureQuality) -> Verdict:
    """Not too many dimensions are dead or constant."""
    idle = len(quality.train.dead) + len(quality.train.constant)
    share = idle / quality.train.dimensions
    return Verdict(
        "dimensions_alive",
        share <= MOST_IDLE,
        f"{len(quality.train.dead):,} dead and {len(quality.train.constant):,} constant of "
        f"{quality.train.dimensions:,} dimensions; effective rank {quality.train.effective_rank:.0f}",
        {"share": share, "limit": MOST_IDLE},
        severity="warning",
    )


def alike(quality: FeatureQuality) -> Verdict:
    """Test features look like train's, judged by the size of the difference."""
    moved = quality.drift
    if moved is None:
        rows = 0 if quality.test is None else quality.test.rows
        return Verdict(
            "test_like_train",
            False,
            f"not compared: two different pictures of each split with features are needed; train has "
            f"{quality.train.rows:,} rows with features, test {rows:,}",
            severity="warning",
        )
    return Verdict(
        "test_like_train",
        moved.verdict != "large",
        f"difference: {moved.told}",
        {"AUC": moved.auc, "largest distance": float(moved.distances.max(initial=0.0))},
        severity="warning",
    )
