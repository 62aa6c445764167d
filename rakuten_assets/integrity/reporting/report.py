"""The integrity report: tables, figures and pictures of everything that is the matter with a set of images.

`build_report` puts it together, `write_report` makes five files of it: the table of images (parquet), `summary.json`,
`findings.csv`, `duplicates.csv`, and `report.html`, which opens from disk and needs no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from rakuten_assets.files import write_bytes
from rakuten_assets.integrity.duplicates.groups import GROUP_COLUMNS, IDENTITY_COLUMNS, LEVELS
from rakuten_assets.integrity.duplicates.overlaps import merging
from rakuten_assets.integrity.reading.schema import SCAN_VERSION
from rakuten_assets.integrity.reporting.figures import figures
from rakuten_assets.integrity.reporting.findings import find
from rakuten_assets.integrity.reporting.headline import key_figures
from rakuten_assets.integrity.reporting.known_facts import KnownFact, known_facts
from rakuten_assets.integrity.reporting.showcase import Sheet, showcase
from rakuten_assets.integrity.reporting.spreadsheet import csv_bytes

REPORT_VERSION = "1"
IMAGES_FILE, SUMMARY_FILE, HTML_FILE = "images.parquet", "summary.json", "report.html"
FINDINGS_FILE, DUPLICATES_FILE = "findings.csv", "duplicates.csv"

_NUMBERED = ("row", "index", "image_id", "product_id")


@dataclass(frozen=True)
class IntegrityReport:
    """A report, complete and not yet written.

    Attributes:
        title: what was looked at.
        images: one row an image: what identifies it, the scan's columns, its groups and their sizes.
        findings: one line a row and kind; see `findings.FINDING_COLUMNS`.
        duplicates: one line a level, group and member, of groups that join something at that level.
        summary: the figures, ready for JSON.
        sheets: contact sheets of what is worth a look.
        facts: comparison with the real data set; empty where that is not what is loaded.
    """

    title: str
    images: pd.DataFrame
    findings: pd.DataFrame
    duplicates: pd.DataFrame
    summary: dict[str, Any]
    sheets: tuple[Sheet, ...]
    facts: tuple[KnownFact, ...]


def build_report(
    images: pd.DataFrame,
    groups: pd.DataFrame,
    paths: Sequence[Path | UPath],
    *,
    title: str = "Image integrity",
    unlisted: Sequence[str] = (),
    compare_with_real: bool = True,
    workers: int = 1,
) -> IntegrityReport:
    """Put a report together; files are read again only for the thumbnails.

    Args:
        images: one row an image: `file` (unique), the scan's columns, and where there is a table of products
            split ("train", "test"), row, index, image_id, product_id, code. Further columns are kept.
        groups: as from `groups.duplicate_groups` for the same images.
        paths: each image's file.
        title: heading of the page.
        unlisted: files that lie with the images and have no row.
        compare_with_real: whether a data set of the real one's size is compared with what is known of it.
        workers: number of threads.

    Raises:
        ValueError: if `images`, `groups` and `paths` are not of the same images.
    """
    if not len(images) == len(groups) == len(paths):
        raise ValueError(
            f"{len(images)} images, {len(groups)} groups and {len(paths)} paths do not belong together"
        )
    known = with_identity(images.reset_index(drop=True))
    grouped = pd.concat(
        [known[list(IDENTITY_COLUMNS)], groups[list(GROUP_COLUMNS)].reset_index(drop=True)], axis=1
    )
    findings = find(known, grouped, unlisted)
    summary = {
        "report_version": REPORT_VERSION,
        "scan_version": SCAN_VERSION,
        **figures(known, grouped, findings),
    }
    facts = known_facts(known, grouped, summary) if compare_with_real else []
    summary["known_facts"] = [asdict(fact) for fact in facts]
    sheets = showcase(known, grouped, findings, paths, workers)
    table = pd.concat(
        [images.reset_index(drop=True), groups[list(GROUP_COLUMNS)].reset_index(drop=True)], axis=1
    )
    return IntegrityReport(
        title, table, findings, duplicates_table(grouped), summary, tuple(sheets), tuple(facts)
    )


def with_identity(images: pd.DataFrame) -> pd.DataFrame:
    """The same rows with every column that identifies a row: split "" and no ids for images without a table."""
    result = images.copy()
    if "split" not in result:
        result["split"] = pd.Series("", index=result.index, dtype="str")
    for name in _NUMBERED:
        numbers = result[name] if name in result else pd.Series(pd.NA, index=result.index)
        result[name] = numbers.astype("Int64")
    if "code" not in result:
        result["code"] = pd.Series(pd.NA, index=result.index, dtype="Int64")
    return result


def duplicates_table(groups: pd.DataFrame) -> pd.DataFrame:
    """Members of every group that joins something at its level, largest groups first, sorted within.

    Columns: level, group, size, classes (how many different ones), keep (True for one row a group, the first train
    row), then what identifies the row.
    """
    parts = []
    for level in LEVELS:
        finer = LEVELS[LEVELS.index(level) - 1] if level != LEVELS[0] else None
        rows = groups[merging(groups, level, finer)]
        if rows.empty:
            continue
        key = rows[f"{level}_group"]
        part = pd.DataFrame(
            {
                "level": level,
                "group": key,
                "size": rows[f"{level}_size"],
                "classes": rows.groupby(key)["code"].transform("nunique").astype("int64"),
                "keep": False,
            }
        )
        part = pd.concat([part, rows[list(IDENTITY_COLUMNS)]], axis=1)
        part["_test"] = part["split"] == "test"
        part = part.sort_values(
            ["size", "group", "_test", "file"], ascending=[False, True, True, True], kind="stable"
        ).drop(columns="_test")
        part["keep"] = ~part["group"].duplicated()
        parts.append(part)
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in _DUPLICATE_COLUMNS})
    return pd.concat(parts, ignore_index=True)[list(_DUPLICATE_COLUMNS)]


_DUPLICATE_COLUMNS = ("level", "group", "size", "classes", "keep", *IDENTITY_COLUMNS)


def report_files(report: IntegrityReport) -> Iterator[tuple[str, bytes]]:
    """The report as files: name and content, each made when it is asked for. The same report gives the same bytes."""
    from rakuten_assets.integrity.reporting.page import report_html

    yield IMAGES_FILE, _parquet_bytes(report.images)
    summary = json.dumps(report.summary, indent=2, ensure_ascii=False, allow_nan=False)
    yield SUMMARY_FILE, f"{summary}\n".encode()
    yield FINDINGS_FILE, csv_bytes(report.findings)
    yield DUPLICATES_FILE, csv_bytes(report.duplicates)
    yield HTML_FILE, report_html(report).encode()


def write_report(report: IntegrityReport, folder: Path | UPath) -> list[Path | UPath]:
    """Write the report's files into `folder`, each atomically; the page comes last, when all it links to is there."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in report_files(report):
        write_bytes(folder / name, content)
        written.append(folder / name)
    return written


def summary_markdown(report: IntegrityReport) -> str:
    """The key figures as a Markdown table, for a place that shows one: Dagster's asset metadata."""
    # The note has a column of its own: "4" and "2 exactly one colour" would read as 42.
    lines = ["| what | how many | of these |", "|---|---:|---|"]
    lines += [f"| {tile.label} | **{tile.value}** | {tile.note} |" for tile in key_figures(report)]
    counts = report.summary["findings"]
    found = [(about["title"], about["severity"], about["rows"]) for about in counts.values() if about["rows"]]
    if found:
        lines += ["", "| finding | severity | rows |", "|---|---|---:|"]
        lines += [f"| {title} | {severity} | {rows:,} |" for title, severity, rows in found]
    return "\n".join(lines)


def _parquet_bytes(table: pd.DataFrame) -> bytes:
    stream = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), stream, compression="zstd")
    content: bytes = stream.getvalue().to_pybytes()
    return content
