"""The report as one HTML page: styles, charts and thumbnails inside, no script, no network, readable on a phone.

The template is `report.html`; the frame and the look are those of every page (`pages.template`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from rakuten_assets.dataset.labels import CLASS_NAMES
from rakuten_assets.images.reasons import DESCRIPTIONS, Reason
from rakuten_assets.integrity.duplicates.groups import LEVELS
from rakuten_assets.integrity.reporting.contents import IntegrityReport
from rakuten_assets.integrity.reporting.findings import FINDING_COLUMNS, KINDS, UNREADABLE_KINDS, Severity
from rakuten_assets.integrity.reporting.headline import headline, key_figures
from rakuten_assets.pages.charts import Interval, histogram_svg, intervals_svg
from rakuten_assets.pages.template import render_page
from rakuten_assets.units import human_bytes

TOP_ROWS = 40
_TOP_PAIRS = 20
_MOST_CLASSES = 60

LEVEL_TITLES = {
    "exact": "identical files",
    "pixel": "equal pixels",
    "near": "same picture",
}
SEVERITY_SIGNS = {Severity.ERROR: "✕", Severity.WARNING: "!", Severity.INFO: "i"}


def report_html(report: IntegrityReport) -> str:
    """The page; the same report gives the same text."""
    return render_page(
        __package__,
        "report.html",
        title=report.title,
        headline=headline(report),
        mode=report.mode,
        tiles=key_figures(report),
        summary=report.summary,
        levels=LEVEL_TITLES,
        sections=_sections(report),
        statuses=("ok", "unreadable", "missing"),
        reasons=_reasons(report),
        unusable=_unusable(report),
        classes=_class_bars(report),
        class_pairs=report.summary["label_conflicts"]["pixel"]["class_pairs"][:_TOP_PAIRS],
        class_names={str(code): name for code, name in CLASS_NAMES.items()},
        sheets=_sheets(report),
        histograms=list(_histograms(report)),
        intervals=list(_intervals(report)),
        measures=_MEASURE_TEXTS,
        kinds=_found_kinds(report),
        signs=SEVERITY_SIGNS,
        findings=_first_findings(report),
        finding_columns=FINDING_COLUMNS,
        finding_total=len(report.findings),
        top_groups={level: _top_groups(report, level) for level in LEVELS},
        facts=report.facts,
        top_rows=TOP_ROWS,
    )


def _sections(report: IntegrityReport) -> set[str]:
    """Sections that the page has, for tiles to link to."""
    sections = {"status", "unusable", "duplicates", "leakage", "suspicious", "not-looked-at"}
    if report.summary["classes"]:
        sections |= {"conflicts", "classes"}
    return sections | ({"twins"} if len(report.summary["images"]["by_split"]) > 1 else set())


def _reasons(report: IntegrityReport) -> list[tuple[str, str, int]]:
    counts = report.summary["images"]["by_reason"]
    return [(reason, DESCRIPTIONS[Reason(reason)], count) for reason, count in counts.items()]


def _unusable(report: IntegrityReport) -> list[dict[str, Any]]:
    kinds = (*UNREADABLE_KINDS, Reason.MISSING.value)
    lines = report.findings[report.findings["kind"].isin(kinds)]
    return _records(lines.head(TOP_ROWS))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries of text, "" for what is not there."""
    texts = {name: ["" if pd.isna(value) else str(value) for value in table[name]] for name in table.columns}
    return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]


def _class_bars(report: IntegrityReport) -> list[dict[str, Any]]:
    classes = report.summary["classes"]
    if not classes:
        return []
    top = max(classes["counts"].values())
    ranked = sorted(classes["counts"].items(), key=lambda item: -item[1])[:_MOST_CLASSES]
    return [
        {"code": code, "name": classes["names"].get(code, ""), "count": count, "share": count / top}
        for code, count in ranked
    ]


def _sheets(report: IntegrityReport) -> dict[str, Any]:
    """Contact sheets by where they stand on the page."""
    named = {sheet.name: sheet for sheet in report.sheets}
    about_groups = ("label_conflict", "near_label_conflict", "train_test_twin", "exact_duplicate",
                    "pixel_duplicate", "near_duplicate")  # fmt: skip
    return {
        **{name: named.get(name) for name in about_groups},
        "suspicious": [
            sheet for sheet in report.sheets if sheet.name in KINDS and sheet.name not in about_groups
        ],
        "extremes": [sheet for sheet in report.sheets if sheet.name.startswith("extremes_")],
    }


def _plain(form: str) -> Callable[[float], str]:
    return lambda value: form.format(value)


_MEASURE_TEXTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "bytes": ("file size", human_bytes),
    "brightness": ("brightness (0 to 255)", _plain("{:.0f}")),
    "contrast": ("contrast (grey levels)", _plain("{:.0f}")),
    "entropy": ("entropy (bits)", _plain("{:.1f}")),
    "saturation": ("saturation (0 to 255)", _plain("{:.0f}")),
    "white_share": ("share of white pixels", _plain("{:.0%}")),
    "removable_share": ("white border that can go", _plain("{:.0%}")),
    "blur": ("sharpness", _plain("{:,.0f}")),
}
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BY_CLASS = ("bytes", "brightness", "saturation", "removable_share")


def _histograms(report: IntegrityReport) -> Iterator[dict[str, Any]]:
    whole = report.images[report.images["status"] == "ok"]
    if whole.empty:
        return
    splits = [name for name in report.summary["distributions"] if name != "all"] or ["all"]
    for name, (title, text) in _MEASURE_TEXTS.items():
        values = {
            split: (whole if split == "all" else whole[whole["split"] == split])[name].to_numpy(
                dtype=np.float64
            )
            for split in splits
        }
        if name == "blur":  # a few pictures of pure noise would squeeze all others into one bar
            limit = max(float(np.quantile(part, 0.99)) for part in values.values() if len(part))
            values = {split: np.minimum(part, limit) for split, part in values.items()}
            title = f"{title} (to the 99 % quantile)"
        yield {"title": title, "series": splits, "svg": Markup(histogram_svg(values, title, text))}


def _intervals(report: IntegrityReport) -> Iterator[dict[str, Any]]:
    classes = report.summary["classes"]
    if not classes:
        return
    whole = report.images[(report.images["status"] == "ok") & report.images["code"].notna()]
    grouped = whole.groupby("code", sort=True)
    for name in _BY_CLASS:
        title, text = _MEASURE_TEXTS[name]
        rows = []
        for code, values in grouped[name]:
            p5, p25, median, p75, p95 = np.quantile(values.to_numpy(dtype=np.float64), _QUANTILES).tolist()
            rows.append(Interval(str(code), (p5, p25, median, p75, p95)))
        yield {"title": title, "svg": Markup(intervals_svg(rows[:_MOST_CLASSES], title, text))}


def _found_kinds(report: IntegrityReport) -> list[dict[str, Any]]:
    counts = report.summary["findings"]
    order = list(Severity)
    found = [
        {"name": name, "title": kind.title, "severity": kind.severity, "suggestion": kind.suggestion,
         "rows": counts[name]["rows"]}
        for name, kind in KINDS.items()
        if counts[name]["rows"]
    ]  # fmt: skip
    return sorted(found, key=lambda kind: (order.index(kind["severity"]), -kind["rows"]))


def _first_findings(report: IntegrityReport) -> list[dict[str, Any]]:
    serious = report.findings[report.findings["severity"] != Severity.INFO.value]
    return _records(serious.groupby("kind", sort=False).head(5).head(2 * TOP_ROWS))


def _top_groups(report: IntegrityReport, level: str) -> list[dict[str, Any]]:
    """The largest groups of a level: id, size, classes, and the first files."""
    rows = report.duplicates[report.duplicates["level"] == level]
    largest = rows.drop_duplicates("group").head(TOP_ROWS // 2)["group"]
    members = dict(iter(rows[rows["group"].isin(largest)].groupby("group")))
    return [
        {
            "group": group,
            "size": len(members[group]),
            "codes": sorted({str(code) for code in members[group]["code"].dropna()}),
            "splits": sorted(set(members[group]["split"]) - {""}),
            "files": members[group]["file"].head(3).tolist(),
        }
        for group in largest
    ]
