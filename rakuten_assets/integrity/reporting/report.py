"""The integrity report: tables, figures and pictures of everything that is the matter with a set of images.

`build_report` puts it together, `write_report` makes five files of it: the table of images (parquet), `summary.json`,
`findings.csv`, `duplicates.csv`, and `report.html`, which opens from disk and needs no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.integrity.collecting.identity import file_numbers, is_link
from rakuten_assets.integrity.collecting.walk import Omission
from rakuten_assets.integrity.duplicates.groups import GROUP_COLUMNS, IDENTITY_COLUMNS
from rakuten_assets.integrity.duplicates.table import duplicates_table
from rakuten_assets.integrity.reading.schema import SCAN_VERSION
from rakuten_assets.integrity.reporting.contents import IntegrityReport as IntegrityReport
from rakuten_assets.integrity.reporting.figures import figures
from rakuten_assets.integrity.reporting.findings import find
from rakuten_assets.integrity.reporting.headline import key_figures
from rakuten_assets.integrity.reporting.known_facts import known_facts
from rakuten_assets.integrity.reporting.page import report_html
from rakuten_assets.integrity.reporting.showcase import showcase
from rakuten_assets.pages.spreadsheet import csv_bytes
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.tables import table_bytes

REPORT_VERSION = "1"
IMAGES_FILE, SUMMARY_FILE, HTML_FILE = "images.parquet", "summary.json", "report.html"
FINDINGS_FILE, DUPLICATES_FILE = "findings.csv", "duplicates.csv"

_NUMBERED = ("row", "index", "image_id", "product_id")


def build_report(
    images: pd.DataFrame,
    groups: pd.DataFrame,
    paths: Sequence[Path | UPath],
    *,
    title: str = "Image integrity",
    mode: str = "",
    unlisted: Sequence[str] = (),
    omissions: Sequence[Omission] = (),
    closed: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
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
        mode: what was looked at, in a sentence.
        unlisted: files that lie with the images and have no row.
        omissions: what lies with the images and was not looked at.
        closed: folders that cannot be listed -> why.
        notes: what was assumed, and what should be known, in sentences.
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
    grouped["disk_file"] = _disk_files(grouped, paths)
    findings = find(known, grouped, unlisted, closed)
    summary = {
        "report_version": REPORT_VERSION,
        "scan_version": SCAN_VERSION,
        **figures(known, grouped, findings),
        "not_looked_at": [asdict(omission) for omission in omissions],
        "notes": list(notes),
    }
    facts = known_facts(known, grouped, summary) if compare_with_real else []
    summary["known_facts"] = [asdict(fact) for fact in facts]
    sheets = showcase(known, grouped, findings, paths, workers)
    table = pd.concat(
        [images.reset_index(drop=True), groups[list(GROUP_COLUMNS)].reset_index(drop=True)], axis=1
    )
    links = {at: is_link(paths[at]) for at in np.flatnonzero(grouped["near_size"] > 1).tolist()}
    grouped["is_link"] = [links.get(at, False) for at in range(len(grouped))]
    return IntegrityReport(
        title, table, findings, duplicates_table(grouped), summary, tuple(sheets), tuple(facts), mode
    )


def _disk_files(groups: pd.DataFrame, paths: Sequence[Path | UPath]) -> npt.NDArray[np.int64]:
    """A number for each row's file on the disk, equal where names lead to one file: int64 (n,)."""
    files = np.arange(len(groups))
    # Only there does it matter, and asking costs a call of the system.
    several = np.flatnonzero(groups["near_size"] > 1)
    if len(several):
        files[several] = several[file_numbers(paths[at] for at in several.tolist())]
    return files


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


def report_files(report: IntegrityReport) -> Iterator[tuple[str, bytes]]:
    """The report as files: name and content, each made when it is asked for. The same report gives the same bytes."""
    yield IMAGES_FILE, table_bytes(report.images, IMAGES_FILE)
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
