"""What the UI shows of a manifest and of a scan."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.labels import class_text
from rakuten_assets.dataset.layout import CatalogFolder
from rakuten_assets.defs.presentation import gallery, picture, plotted, table
from rakuten_assets.images.thumbnails import unchanged_bytes
from rakuten_assets.plots import contact_sheet_jpeg
from rakuten_assets.storage.reading import on_bucket, read_together
from rakuten_assets.units import human_bytes, human_duration
from rakuten_assets.verdicts import Verdict

SIGNATURE = "catalogue signature"
"""Metadata of a manifest: the files it was made from, by name, size and time, for the sensor."""

_MOST_TILES = 27
_MOST_SHEETS, _MOST_SHEET_TILES = 4, 8
_MOST_ROWS = 10
_KINDS_OF_CHECK = {
    "blanks": ("blank",),
    "exact_duplicates": ("exact_duplicate",),
    "label_conflicts": ("label_conflict",),
    "train_test_twins": ("train_test_twin",),
    "usual_size_and_mode": ("odd_size", "odd_mode"),
}

if TYPE_CHECKING:
    from rakuten_assets.integrity.reading.shards import ScannedShard
    from rakuten_assets.integrity.reporting.report import IntegrityReport


def manifest_metadata(manifest: pd.DataFrame, folder: CatalogFolder, signature: str) -> dict[str, Any]:
    """Counts, a preview, and one image a class with its code."""
    train = manifest[manifest["split"] == "train"]
    by_class = train.drop_duplicates("code").sort_values("code")
    sheet = contact_sheet(by_class, folder, [class_text(code) for code in by_class["code"]])
    return {
        "train rows": len(train),
        "test rows": len(manifest) - len(train),
        "files under another name": len(set(manifest["file"]) & folder.other_names.keys()),
        "rows a shard": table(manifest.groupby("shard").size().rename("rows").reset_index(), rows=64),
        "preview": table(manifest),
        "one image a class": sheet,
        SIGNATURE: signature,
    }


def scan_metadata(scan: "ScannedShard", folder: CatalogFolder) -> dict[str, Any]:
    """Counts by status and reason, throughput, and the images that something is remarked on."""
    scanned, seconds = scan.table, scan.seconds
    outcomes = scanned.groupby(["split", "status", "reason"]).size().rename("images").reset_index()
    remarkable = scanned[scanned["reason"] != ""]
    metadata: dict[str, Any] = {
        "images": len(scanned),
        "readable": int((scanned["status"] == "ok").sum()),
        "decoded": scan.measured,
        "size of the images": human_bytes(int(scanned["bytes"].sum())),
        "image bytes": int(scanned["bytes"].sum()),
        "duration": human_duration(seconds),
        **plotted(seconds, len(scanned)),
        "outcomes": table(outcomes, rows=40),
    }
    if len(remarkable):
        metadata["remarkable images"] = contact_sheet(remarkable, folder, list(remarkable["reason"]))
    return metadata


def groups_metadata(groups: pd.DataFrame) -> dict[str, Any]:
    """Groups of at least two images at each level, and the largest."""
    several = []
    for level in ("exact", "pixel", "near"):
        sizes = groups[f"{level}_group"].value_counts()
        sizes = sizes[sizes > 1]
        several.append((level, len(sizes), int(sizes.sum()), int(sizes.max()) if len(sizes) else 0))
    levels = pd.DataFrame(several, columns=["level", "groups", "images in them", "largest"])
    largest = groups.sort_values(["near_size", "near_group", "file"], ascending=[False, True, True])
    return {"levels": table(levels), "largest groups": table(largest, rows=20)}


def report_metadata(report: "IntegrityReport", written: list[Any]) -> dict[str, Any]:
    """Key figures, where the page lies, and some of the pictures that it shows."""
    from rakuten_assets.integrity.reporting.report import HTML_FILE, summary_markdown

    page = next(path for path in written if path.name == HTML_FILE)
    found = report.findings["severity"].value_counts()
    metadata: dict[str, Any] = {
        "errors": int(found.get("error", 0)),
        "warnings": int(found.get("warning", 0)),
        "report": dg.MetadataValue.path(str(page)),
        "summary": dg.MetadataValue.md(summary_markdown(report)),
    }
    for sheet in report.sheets[:_MOST_SHEETS]:
        tiles = [tile for group in sheet.sets for tile in group if tile.picture][:_MOST_SHEET_TILES]
        if tiles:
            metadata[sheet.title] = gallery([(tile.picture, tile.caption) for tile in tiles])
    return metadata


def with_findings(
    verdicts: Sequence[Verdict], report: "IntegrityReport", written: Sequence[Any]
) -> list[Verdict]:
    """Verdicts on a report; each that fails with the first rows it speaks of, and the file that has them all."""
    from rakuten_assets.integrity.reporting.report import FINDINGS_FILE

    path = next(path for path in written if path.name == FINDINGS_FILE)
    told = []
    for verdict in verdicts:
        rows = report.findings[report.findings["kind"].isin(_KINDS_OF_CHECK.get(verdict.check, ()))]
        if not verdict.passed and len(rows):
            shown = rows[["split", "row", "file", "code", "kind", "detail"]].head(_MOST_ROWS)
            details = {
                **verdict.details,
                "first rows": shown,
                "all rows": f"{path} (kind {rows['kind'].iloc[0]})",
            }
            verdict = replace(verdict, details=details)
        told.append(verdict)
    return told


def contact_sheet(rows: pd.DataFrame, folder: CatalogFolder, texts: list[str]) -> dg.MarkdownMetadataValue:
    """Pictures of manifest rows with a text under each; at most 27."""
    files = folder.image_paths(rows["file"].head(_MOST_TILES))
    # Without a digest: what was missing when it was scanned, and tables that name none.
    digests = rows["sha256"] if "sha256" in rows else [""] * len(files)
    known = [(file, digest or None) for file, digest in zip(files, digests, strict=False)]
    contents = read_together(lambda one: unchanged_bytes(*one), known, on_bucket(files))
    # None: it is missing or not what was scanned, and shown as a hatched tile.
    tiles = [(content(), text) for (_, content), text in zip(contents, texts, strict=False)]
    return picture(contact_sheet_jpeg(tiles), "contact sheet")
