"""What the UI shows of splits, heads, scores and features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd
from upath import UPath

from rakuten_assets.defs.presentation import class_on_axis, gallery, picture, table
from rakuten_assets.evaluation.splits import SplitDescription
from rakuten_assets.plots import bars_png, heatmap_png, reliability_png, tradeoff_png
from rakuten_assets.units import human_bytes, human_count

if TYPE_CHECKING:
    from rakuten_assets.evaluation.backbone_comparison import Comparison
    from rakuten_assets.evaluation.feature_map.contents import FeatureMap
    from rakuten_assets.evaluation.heads.head import Head
    from rakuten_assets.evaluation.held_out import HeldOut
    from rakuten_assets.evaluation.predictions import TestPredictions
    from rakuten_assets.evaluation.quality.report import FeatureQuality
    from rakuten_assets.evaluation.reporting.contents import ValidationReport
    from rakuten_assets.imbalance.comparison import Outcome
    from rakuten_assets.pages.contact_sheets import Sheet

_MOST_TILES = 12
_COMPONENTS_SHOWN = 20


def split_metadata(
    described: SplitDescription, codes: np.ndarray, validation: np.ndarray, title: str
) -> dict[str, Any]:
    """Sizes, what leaks, and how far the classes are from their even share."""
    names, place = np.unique(codes, return_inverse=True)
    counts, chosen = np.bincount(place), np.bincount(place[validation], minlength=len(names))
    shares = (chosen / np.maximum(counts, 1)).tolist()
    chart = bars_png(
        [class_on_axis(code) for code in names.tolist()],
        shares,
        f"Share of each class in validation: {title}",
        "share of the class's rows",
        f"{human_count(described.validation_rows)} of {human_count(len(codes))} rows",
        value_format="{:.1%}",
    )
    return {
        "dagster/row_count": len(validation),
        "train rows": described.train_rows,
        "validation rows": described.validation_rows,
        "validation rows with a duplicate in train": described.leaking_rows,
        "leakage": described.leakage,
        "largest deviation from even shares, rows": described.largest_deviation,
        "mean deviation from even shares, rows": described.mean_deviation,
        "share in validation": picture(chart, "share of each class in validation"),
    }


def held_out_metadata(found: Mapping[str, "HeldOut"], seconds: float) -> dict[str, Any]:
    """Rows by evaluation, the penalty and the temperatures."""
    rows = pd.DataFrame(
        [
            (name, len(one.rows), int((~one.valid).sum()), f"{one.penalty:g}", f"{one.temperature:.3f}")
            for name, one in found.items()
        ],
        columns=["evaluation", "rows", "without features", "penalty", "temperature"],
    )
    return {"evaluations": table(rows), "seconds": round(seconds, 2)}


def head_metadata(head: "Head", folder: str) -> dict[str, Any]:
    """What the head is, and the lines that load it."""
    return {
        "head": "multinomial logistic regression",
        "penalty": float(head.details["penalty"]),
        "temperature": float(head.temperature),
        "training rows": int(head.details["rows"]),
        "classes": len(head.codes),
        "dimensions": head.dimensions,
        "predict any folder": dg.MetadataValue.md(
            f"```bash\npython -m rakuten_assets.predict DIR --out predictions.csv\n```\n"
            "```python\nfrom rakuten_assets.evaluation.heads.storing import load_head\n\n"
            f"head = load_head({folder!r})\ncodes = head.predict(features)\n```"
        ),
    }


def report_metadata(
    report: "ValidationReport", mistakes: "Sheet", written: Sequence[Path | UPath]
) -> dict[str, Any]:
    """Both splits side by side, charts, and the most confident mistakes."""
    from rakuten_assets.evaluation.held_out import GROUPED, RANDOM
    from rakuten_assets.evaluation.reporting.contents import SCORES, TITLES
    from rakuten_assets.evaluation.reporting.page import headline, interval_text

    honest = report.honest
    side_by_side = pd.DataFrame(
        [
            (
                TITLES[name],
                human_count(one.rows),
                *(interval_text(one.scores[key]) for key in SCORES),
                f"{one.baseline.weighted_f1:.3f}",
            )
            for name, one in report.evaluations.items()
        ],
        columns=["evaluation", "rows", *SCORES.values(), "majority, weighted F1"],
    )
    by_class = honest.classes.sort_values(["f1", "code"])
    classes = bars_png(
        [class_on_axis(code) for code in by_class["code"]],
        by_class["f1"].tolist(),
        "F1 by class, the hardest first",
        "F1",
        TITLES[GROUPED],
        value_format="{:.2f}",
    )
    totals = np.maximum(honest.confusion.sum(axis=1, keepdims=True), 1)
    codes = [str(code) for code in report.codes.tolist()]
    confusion = heatmap_png(
        honest.confusion / totals,
        codes,
        codes,
        "Confusion",
        "called",
        "true class",
        TITLES[GROUPED],
        value_format="{:.0%}",
        scale_label="share of the true class",
    )
    curves = {
        TITLES[name]: (one.confidence, one.accuracy, one.count)
        for name, one in ((name, report.evaluations[name].reliability) for name in (GROUPED, RANDOM))
    }
    tiles = [tile for tiles in mistakes.sets for tile in tiles if tile.picture][:_MOST_TILES]
    page = next(path for path in written if path.name.endswith(".html"))
    metadata: dict[str, Any] = {
        "what it says": headline(report),
        "weighted F1, grouped split": honest.scores["weighted_f1"].value,
        "weighted F1, customary split": report.evaluations[RANDOM].scores["weighted_f1"].value,
        "majority baseline": honest.baseline.weighted_f1,
        "leakage of the customary split": report.evaluations[RANDOM].leakage,
        "report": dg.MetadataValue.path(str(page)),
        "weights": report.weights_note,
        "scores": table(side_by_side),
        "by class": picture(classes, "F1 by class"),
        "confusion": picture(confusion, "confusion matrix"),
        "reliability": picture(reliability_png(curves, "Confidence and hits"), "reliability curves"),
    }
    if tiles:
        metadata["most confident mistakes"] = gallery([(tile.picture, tile.caption) for tile in tiles])
    return metadata


def suspects_metadata(suspects: pd.DataFrame, sheet: "Sheet", file: Path | UPath) -> dict[str, Any]:
    """How many there are, where all of them are, and the first ones as pictures."""
    tiles = [tile for tiles in sheet.sets for tile in tiles if tile.picture][:_MOST_TILES]
    metadata: dict[str, Any] = {
        "suspect labels": len(suspects),
        "known conflicts": int(suspects["known_conflict"].sum()),
        "all of them": dg.MetadataValue.path(str(file)),
        "first rows": table(suspects),
    }
    if tiles:
        metadata["pictures"] = gallery([(tile.picture, tile.caption) for tile in tiles])
    return metadata


def predictions_metadata(
    predictions: "TestPredictions", submission: Path | UPath, probabilities: Path | UPath
) -> dict[str, Any]:
    """Counts by class, and where the files are."""
    codes, counts = np.unique(predictions.codes, return_counts=True)
    chart = bars_png(
        [class_on_axis(code) for code in codes.tolist()],
        counts.tolist(),
        "Predicted test rows by class",
        "rows",
    )
    quarantined = predictions.quarantined.tolist()
    metadata: dict[str, Any] = {
        "test rows": len(predictions.index),
        "predicted by the prior": len(quarantined),
        "submission": dg.MetadataValue.path(str(submission)),
        "probabilities": dg.MetadataValue.path(str(probabilities)),
        "mean confidence": float(predictions.probabilities.max(axis=1).mean())
        if len(predictions.index)
        else 0.0,
        "by class": picture(chart, "predicted test rows by class"),
    }
    if quarantined:
        metadata["indices without features"] = dg.MetadataValue.json(quarantined)
    return metadata


def quality_metadata(quality: "FeatureQuality") -> dict[str, Any]:
    """Statistics of train and test, the spectrum, neighbours and drift."""
    both = [("train", quality.train)] + ([("test", quality.test)] if quality.test is not None else [])
    statistics = pd.DataFrame(
        [
            (name, one.rows, f"{one.mean:.4g}", f"{one.std:.4g}", f"{one.minimum:.4g}", f"{one.maximum:.4g}",
             len(one.dead), len(one.constant), f"{one.effective_rank:.1f}")
            for name, one in both
        ],
        columns=["split", "valid rows", "mean", "std", "min", "max", "dead dimensions", "constant", "effective rank"],
    )  # fmt: skip
    shares = quality.train.spectrum[:_COMPONENTS_SHOWN]
    chart = bars_png(
        [f"component {place + 1}" for place in range(len(shares))],
        shares.tolist(),
        "Variance along the leading components",
        "share of the variance",
        f"effective rank {quality.train.effective_rank:.0f} of {quality.train.dimensions:,} dimensions",
        value_format="{:.1%}",
    )
    metadata: dict[str, Any] = {
        "effective rank": quality.train.effective_rank,
        "neighbours of the same class": quality.agreement,
        "the same, by chance": quality.chance_agreement,
        "pairs of different pictures with the same features": len(quality.near_identical),
        "statistics": table(statistics),
        "spectrum": picture(chart, "variance along the leading components"),
    }
    if (moved := quality.drift) is not None:
        order = np.argsort(-moved.distances, kind="stable")
        columns = pd.DataFrame(
            {
                "what": [moved.columns[at] for at in order],
                "distance": [f"{moved.distances[at]:.3f}" for at in order],
                "p, adjusted": [f"{moved.p_values[at]:.2g}" for at in order],
            }
        )
        metadata |= {
            "test against train": moved.told,
            "AUC of test against train": moved.auc,
            "distances": table(columns, rows=12),
        }
    return metadata


def map_metadata(found: "FeatureMap", chart: bytes, page: Path | UPath, size: int) -> dict[str, Any]:
    """The map as a picture, what it shows, and where the page is."""
    from rakuten_assets.evaluation.feature_map.contents import headline

    return {
        "what it shows": headline(found),
        "map": picture(chart, f"t-SNE of features of {found.extractor}, by class"),
        "page": dg.MetadataValue.path(str(page)),
        "size of the page": human_bytes(size),
        "points": len(found.points),
        "rows with features": found.valid_rows,
        "nearest neighbours kept": found.embedding.neighbours_kept,
        "weights": found.weights_note,
    }


def comparison_metadata(outcomes: Sequence["Outcome"]) -> dict[str, Any]:
    """The table of strategies, and which differences are real."""
    from rakuten_assets.imbalance.comparison import comparison_table

    frame = pd.DataFrame(comparison_table(list(outcomes)))
    frame["seconds"] = [f"{seconds:.1f}" for seconds in frame["seconds"]]
    real = [
        f"{outcome.name}: {metric.replace('_', ' ')} {outcome.differences[metric].value:+.3f}"
        for outcome in outcomes
        for metric, differs in outcome.real.items()
        if differs
    ]
    chart = bars_png(
        [outcome.name for outcome in outcomes],
        [outcome.scores["weighted_f1"].value for outcome in outcomes],
        "Weighted F1 by strategy",
        "weighted F1 on the grouped split",
        value_format="{:.3f}",
    )
    return {
        "comparison": table(frame, rows=len(frame)),
        "* differs from none": "; ".join(real) or "no difference is real",
        "weighted F1": picture(chart, "weighted F1 by strategy"),
    }


def backbones_metadata(comparison: "Comparison", left_out: Mapping[str, str]) -> dict[str, Any]:
    """What to take, the table, and speed against score as a picture of those that have both."""
    from rakuten_assets.evaluation.backbone_comparison import comparison_rows

    rows = pd.DataFrame(comparison_rows(comparison))
    metadata: dict[str, Any] = {
        "what to take": comparison.advice,
        "extractors": len(comparison.candidates),
        "scored": sum(one.score is not None for one in comparison.candidates),
        "comparison": table(rows, rows=len(rows), longest_cell=200),
    }
    both = [
        (one.name, one.images_per_second, one.score)
        for one in comparison.candidates
        if one.images_per_second and one.score
    ]
    if both:
        chart = tradeoff_png(
            [speed for _, speed, _ in both],
            [(score.value, score.low, score.high) for _, _, score in both],
            [name for name, _, _ in both],
            comparison.front,
            "Speed against score",
            "images a second, from files to stored rows",
            "weighted F1, grouped split",
            "filled: no other one is better in both; bars: 95 % of draws of groups",
        )
        metadata["speed against score"] = picture(chart, "speed against score, by backbone")
    speeds = [f"{one.name}: {one.measured}" for one in comparison.candidates if one.measured]
    metadata["how the speed was measured"] = "; ".join(speeds) or "no run computed enough rows to measure it"
    if left_out:
        metadata["left out"] = "; ".join(f"{name}: {why}" for name, why in left_out.items())
    return metadata
