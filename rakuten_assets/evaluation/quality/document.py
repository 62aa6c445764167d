"""The quality of features as figures for programs, ready for JSON."""

from __future__ import annotations

from typing import Any

from rakuten_assets.evaluation.quality.report import FeatureQuality
from rakuten_assets.evaluation.quality.statistics import FeatureStatistics


def quality_document(quality: FeatureQuality) -> dict[str, Any]:
    """What `feature_quality` found, without the components themselves."""
    moved = quality.drift
    return {
        "train": _statistics(quality.train),
        "test": None if quality.test is None else _statistics(quality.test),
        "neighbour_agreement": quality.agreement,
        "chance_agreement": quality.chance_agreement,
        "near_identical_rows": quality.near_identical.tolist(),
        "drift": None
        if moved is None
        else {
            "verdict": moved.verdict,
            "auc": moved.auc,
            "columns": {
                name: {"distance": float(distance), "adjusted_p_value": float(p_value)}
                for name, distance, p_value in zip(
                    moved.columns, moved.distances, moved.p_values, strict=True
                )
            },
            "most_telling_train_rows": moved.telling_train.tolist(),
            "most_telling_test_rows": moved.telling_test.tolist(),
        },
    }


def _statistics(found: FeatureStatistics) -> dict[str, Any]:
    return {
        "valid_rows": found.rows,
        "dimensions": found.dimensions,
        "mean": found.mean,
        "std": found.std,
        "min": found.minimum,
        "max": found.maximum,
        "dead": found.dead.tolist(),
        "constant": found.constant.tolist(),
        "effective_rank": found.effective_rank,
        "spectrum": found.spectrum.tolist(),
    }
