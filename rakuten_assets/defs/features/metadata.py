"""What the UI shows of features and of the extractor that made them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.layout import CatalogFolder
from rakuten_assets.defs.catalog.metadata import contact_sheet
from rakuten_assets.defs.presentation import picture, plotted, table
from rakuten_assets.extraction.metadata import weights_note
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.extraction.storing.matrix import MergedFeatures
from rakuten_assets.plots import histogram_png
from rakuten_assets.units import human_count, human_duration

if TYPE_CHECKING:
    from rakuten_assets.extraction.pipeline import ExtractionReport

_MOST_TILES = 9


def extractor_metadata(
    fingerprint: Mapping[str, Any], description: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The extractor, and what its weights are good for."""
    metadata: dict[str, Any] = {
        "weights": weights_note(fingerprint),
        "extractor": dg.MetadataValue.json(dict(fingerprint)),
    }
    if description is not None:
        metadata["machine and engine"] = dg.MetadataValue.json(dict(description))
    return metadata


def outcome(reports: Sequence["ExtractionReport"]) -> str:
    """What became of a step's images, in one line."""
    counts = {
        name: sum(getattr(report, name) for report in reports)
        for name in ("computed", "reused", "deduplicated", "invalid")
    }
    return ", ".join(f"{human_count(count)} {name}" for name, count in counts.items())


def extraction_metadata(
    shard: FeatureArray, report: "ExtractionReport", folder: CatalogFolder
) -> dict[str, Any]:
    """Counts, throughput, and a few of the shard's images with their validity."""
    rows = shard.rows
    shown = rows.head(_MOST_TILES)
    texts = [
        f"row {row}" if valid else f"row {row}: quarantined"
        for row, valid in zip(shown["row"], shown["valid"], strict=True)
    ]
    metadata: dict[str, Any] = {
        "images": len(rows),
        "computed": report.computed,
        "reused": report.reused,
        "deduplicated": report.deduplicated,
        "quarantined": report.invalid,
        "duration": human_duration(report.seconds),
        **plotted(report.seconds, len(rows)),
    }
    if len(shown):
        metadata["images of this shard"] = contact_sheet(shown, folder, texts)
    return metadata


def published_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    """The published document's counts, and how many images of each split are quarantined for what reason."""
    by_reason = (
        pd.DataFrame(document["quarantined"]).fillna(0).astype(int).rename_axis("reason").reset_index()
    )
    return {
        **{
            key.replace("_", " "): document[key]
            for key in ("train_samples", "test_samples", "feature_dim", "num_classes")
        },
        "quarantined images": sum(sum(counts.values()) for counts in document["quarantined"].values()),
        "quarantined": table(by_reason, rows=len(by_reason)),
    }


def matrix_metadata(merged: MergedFeatures, shards: int) -> dict[str, Any]:
    """Counts, and the distribution of the columns' means and spreads."""
    statistics = merged.statistics
    metadata: dict[str, Any] = {
        "rows": len(merged.features.rows),
        "valid rows": int(merged.features.valid.sum()),
        "shards": shards,
    }
    if statistics.count:
        series = {"mean": statistics.mean, "standard deviation": statistics.std}
        chart = histogram_png(series, "Columns of the valid rows", "value", things="columns")
        metadata["columns"] = picture(chart, "means and standard deviations of the columns")
    return metadata
