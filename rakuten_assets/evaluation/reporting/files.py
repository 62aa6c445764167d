"""The report as files, and pictures of rows that it speaks of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from upath import UPath

from rakuten_assets.dataset.labels import class_text
from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.evaluation.reporting.contents import ValidationReport, summary
from rakuten_assets.evaluation.reporting.page import report_html
from rakuten_assets.images.header import read_header
from rakuten_assets.images.thumbnails import thumbnail_uri, unchanged_bytes
from rakuten_assets.pages.contact_sheets import Sheet, Tile
from rakuten_assets.pages.spreadsheet import csv_bytes
from rakuten_assets.storage.files import write_bytes

HTML_FILE, SUMMARY_FILE, CLASSES_FILE = "report.html", "summary.json", "classes.csv"
SUSPECTS_FILE = "suspect_labels.csv"
SUBMISSION_FILE, PROBABILITIES_FILE = "test_predictions.csv", "test_predictions.parquet"
_THUMBNAIL_SIDE = 112


def report_files(report: ValidationReport, mistakes: Sheet | None) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file; the page comes last, when what it links to is there."""
    text = json.dumps(summary(report), indent=2, ensure_ascii=False, allow_nan=False)
    yield SUMMARY_FILE, f"{text}\n".encode()
    yield CLASSES_FILE, csv_bytes(_classes(report))
    yield HTML_FILE, report_html(report, mistakes).encode()


def write_report(
    report: ValidationReport, mistakes: Sheet | None, folder: Path | UPath
) -> list[Path | UPath]:
    """Write the report's files into `folder`, each atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in report_files(report, mistakes):
        write_bytes(folder / name, content)
        written.append(folder / name)
    return written


def mistakes_sheet(report: ValidationReport, rows: pd.DataFrame, paths: Sequence[Path | UPath]) -> Sheet:
    """Pictures of the most confident mistakes.

    Args:
        rows: the train rows' sidecar: file, sha256, image_id, product_id, in CSV order.
        paths: each row's file.
    """
    tiles = []
    for row, code, predicted, probability in report.mistakes.itertuples(index=False):
        caption = f"{class_text(code)}, called {class_text(predicted)} ({probability:.0%})"
        tiles.append((tile_of(rows, paths, int(row), caption),))
    return Sheet("mistakes", "most confident mistakes", len(tiles), tuple(tiles))


def tile_of(rows: pd.DataFrame, paths: Sequence[Path | UPath], row: int, caption: str) -> Tile:
    """The picture of a train row; without one where the file changed, or cannot be shown."""
    line = rows.iloc[row]
    content = unchanged_bytes(paths[row], str(line["sha256"]))
    picture = ""
    if content is not None:
        try:
            picture = thumbnail_uri(content, read_header(content).format, _THUMBNAIL_SIDE)
        except UndecodableImageError:
            picture = ""
    place = f"train {row}, image {line['image_id']}, product {line['product_id']}"
    return Tile(str(line["file"]), caption, place, picture)


def _classes(report: ValidationReport) -> pd.DataFrame:
    return pd.concat(
        [one.classes.assign(evaluation=name) for name, one in report.evaluations.items()], ignore_index=True
    )
