"""What the UI shows of a manifest and of a scan."""

from typing import Any

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.labels import CLASS_NAMES
from rakuten_assets.dataset.layout import CatalogFolder
from rakuten_assets.dataset.source import catalog_signature
from rakuten_assets.defs.presentation import picture, table
from rakuten_assets.plots import contact_sheet_png
from rakuten_assets.units import human_bytes, human_count, human_duration

SIGNATURE = "catalogue signature"
"""Metadata of a manifest: the files it was made from, by name, size and time, for the sensor."""

_MOST_TILES = 27


def manifest_metadata(manifest: pd.DataFrame, folder: CatalogFolder) -> dict[str, Any]:
    """Counts, a preview, and one image a class with its code."""
    train = manifest[manifest["split"] == "train"]
    by_class = train.drop_duplicates("code").sort_values("code")
    sheet = contact_sheet(
        by_class, folder, [f"{code} {CLASS_NAMES.get(code, '')}" for code in by_class["code"]]
    )
    return {
        "train rows": len(train),
        "test rows": len(manifest) - len(train),
        "rows a shard": table(manifest.groupby("shard").size().rename("rows").reset_index(), rows=64),
        "preview": table(manifest),
        "one image a class": sheet,
        SIGNATURE: catalog_signature(folder),
    }


def scan_metadata(scanned: pd.DataFrame, seconds: float, folder: CatalogFolder) -> dict[str, Any]:
    """Counts by status and reason, throughput, and the images that something is remarked on."""
    outcomes = scanned.groupby(["split", "status", "reason"]).size().rename("images").reset_index()
    remarkable = scanned[scanned["reason"] != ""]
    metadata: dict[str, Any] = {
        "images": len(scanned),
        "readable": int((scanned["status"] == "ok").sum()),
        "bytes": human_bytes(int(scanned["bytes"].sum())),
        "duration": human_duration(seconds),
        "throughput": f"{human_count(round(len(scanned) / max(seconds, 1e-9)))} images/s",
        "outcomes": table(outcomes, rows=40),
    }
    if len(remarkable):
        metadata["remarkable images"] = contact_sheet(remarkable, folder, list(remarkable["reason"]))
    return metadata


def contact_sheet(rows: pd.DataFrame, folder: CatalogFolder, texts: list[str]) -> dg.MarkdownMetadataValue:
    """Pictures of manifest rows with a text under each; at most 27."""
    files = folder.image_paths(rows["file"].head(_MOST_TILES))
    tiles = [(_content(file), text) for file, text in zip(files, texts, strict=False)]
    return picture(contact_sheet_png(tiles), "contact sheet")


def _content(file: Any) -> bytes | None:
    try:
        content: bytes = file.read_bytes()
    except OSError:  # A missing image is shown as a hatched tile.
        return None
    return content
