"""The validation report as one HTML page: charts and pictures inside, no script, no network, readable on a phone."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from rakuten_assets.dataset.labels import class_text
from rakuten_assets.evaluation.bootstrap import Interval
from rakuten_assets.evaluation.held_out import GROUPED, IN_FOLDS, RANDOM
from rakuten_assets.evaluation.reporting.contents import (
    SCORES,
    TITLES,
    EvaluationReport,
    ValidationReport,
)
from rakuten_assets.pages.charts import matrix_svg, reliability_svg
from rakuten_assets.pages.contact_sheets import Sheet
from rakuten_assets.pages.key_figures import KeyFigure, percent
from rakuten_assets.pages.template import render_page

SECTIONS = ("scores", "leakage", "classes", "confusion", "calibration", "mistakes")


def report_html(report: ValidationReport, mistakes: Sheet | None = None) -> str:
    """The page; the same report gives the same text.

    Args:
        mistakes: pictures of the most confident mistakes; None: without.
    """
    return render_page(
        __package__,
        "report.html",
        title=f"Validation: logistic head on {report.extractor}",
        report=report,
        headline=headline(report),
        tiles=key_figures(report),
        sections=SECTIONS,
        titles=TITLES,
        scores=SCORES,
        interval=interval_text,
        rows_of_classes=_rows_of_classes(report),
        matrices=[_matrix(report, name) for name in (GROUPED, RANDOM)],
        curves=[_curve(report.evaluations[name]) for name in (GROUPED, RANDOM)],
        confused=[
            {**pair, "text": class_text(pair["code"]), "predicted_text": class_text(pair["predicted"])}
            for pair in report.confused.to_dict(orient="records")
        ],
        mistakes=mistakes,
    )


def headline(report: ValidationReport) -> str:
    """The report in two or three sentences."""
    honest, customary = report.honest, report.evaluations[RANDOM]
    first = (
        f"Weighted F1 {interval_text(honest.scores['weighted_f1'])} on rows that have no duplicate among the training "
        f"rows; always saying the largest class gives {honest.baseline.weighted_f1:.3f}."
    )
    second = (
        f"The customary split says {customary.scores['weighted_f1'].value:.3f}: {percent(customary.leakage)} of its "
        "validation rows have a duplicate in train."
        if customary.leaking
        else f"The customary split says {customary.scores['weighted_f1'].value:.3f}; no duplicate leaks through it."
    )
    third = (
        " The weights are seeded: the features mean nothing, and so does the score." if report.seeded else ""
    )
    return f"{first} {second}{third}"


def key_figures(report: ValidationReport) -> list[KeyFigure]:
    """The tiles, most important first."""
    honest, customary = report.honest, report.evaluations[RANDOM]
    whole = report.evaluations[IN_FOLDS]
    found = honest.scores["weighted_f1"]
    better = found.low > honest.baseline.weighted_f1
    accuracy, error = honest.scores["accuracy"], honest.scores["calibration_error"]
    return [
        KeyFigure("weighted F1, grouped split", f"{found.value:.3f}", _range(found),
                  "good" if better else "bad", "scores"),
        KeyFigure("weighted F1, customary split", f"{customary.scores['weighted_f1'].value:.3f}",
                  _range(customary.scores["weighted_f1"]), "", "scores"),
        KeyFigure("weighted F1, cross-validation", f"{whole.scores['weighted_f1'].value:.3f}",
                  _range(whole.scores["weighted_f1"]), "", "scores"),
        KeyFigure("majority baseline", f"{honest.baseline.weighted_f1:.3f}", "always the largest class", "", "scores"),
        KeyFigure("leakage of the customary split", percent(customary.leakage),
                  f"{customary.leaking:,} validation rows with a duplicate in train",
                  "bad" if customary.leaking else "good", "leakage"),
        KeyFigure("accuracy, grouped split", f"{accuracy.value:.3f}", _range(accuracy), "", "scores"),
        KeyFigure("macro F1, grouped split", f"{honest.scores['macro_f1'].value:.3f}",
                  _range(honest.scores["macro_f1"]), "", "classes"),
        KeyFigure("calibration error", percent(error.value), "mean gap between confidence and hits", "", "calibration"),
    ]  # fmt: skip


def interval_text(score: Interval) -> str:
    """A score with its interval: `0.612 (0.583 to 0.640)`."""
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def _range(score: Interval) -> str:
    return f"{score.low:.3f} to {score.high:.3f} (95 %)"


def _rows_of_classes(report: ValidationReport) -> list[dict[str, Any]]:
    grouped, customary = report.honest.classes, report.evaluations[RANDOM].classes
    rows: list[dict[str, Any]] = [
        {**{str(key): value for key, value in row.items()}, "customary_f1": other}
        for row, other in zip(grouped.to_dict(orient="records"), customary["f1"].tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: (row["f1"], row["code"]))


def _matrix(report: ValidationReport, name: str) -> dict[str, Any]:
    confusion = report.evaluations[name].confusion
    totals = confusion.sum(axis=1, keepdims=True)
    codes = [str(code) for code in report.codes.tolist()]

    def say(row: int, column: int) -> str:
        return f"{codes[row]} called {codes[column]}: {confusion[row, column]:,} of {int(totals[row, 0]):,}"

    title = f"Confusion of {len(codes)} classes, {TITLES[name]}"
    shares = confusion / np.maximum(totals, 1)
    return {"title": TITLES[name], "svg": Markup(matrix_svg(shares, codes, title, say))}


def _curve(evaluation: EvaluationReport) -> dict[str, Any]:
    curve = evaluation.reliability
    title = (
        f"Share of hits by confidence, {TITLES[evaluation.name]}: calibration error {percent(curve.error)}"
    )
    svg = reliability_svg(curve.confidence, curve.accuracy, curve.count, title)
    return {"title": TITLES[evaluation.name], "error": curve.error, "svg": Markup(svg)}
