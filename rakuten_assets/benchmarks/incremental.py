"""The real graph from nothing, and again: what a re-run costs, against the share of images whose content changed.

Also memory, and whether the extraction's pace holds from its first to its last tenth.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from rakuten_assets.benchmarks.measuring.graph import PIPELINE, Run, Workplace, throughput_by_tenth
from rakuten_assets.benchmarks.measuring.tables import markdown_table
from rakuten_assets.units import human_duration

COLUMNS = {
    "name": "",
    "images": "images",
    "changed": "changed",
    "time": "time",
    "images_per_second": "images/s",
    "share_of_first": "share of first run",
    "peak_rss_mb": "peak MB",
}

SHARDED = "image_scan,efficientnet_b0/train_features,efficientnet_b0/test_features"


def measure(
    workplace: Workplace, train: Sequence[Path], images: int, shares: Sequence[float]
) -> list[dict[str, Any]]:
    """Convert the model, run the whole graph from nothing, then again after changing shares of the train images.

    Each time once the assets by shard (scan and features) alone, and once the whole graph.

    Args:
        train: the catalogue's train images; they are changed: a changed one is the old one turned by 180 degrees.
        images: how many the catalogue has, train and test.

    Returns:
        One row each: name, images, seconds, time, images_per_second (all steps counted), share_of_first,
        peak_rss_mb; the first run with `rate_by_tenth`, images per second in each tenth of the extraction; the
        re-runs with `changed`, the number of changed images.
    """
    converted = workplace.convert_model()
    first = workplace.materialize()
    rows = [
        _row("model conversion, once a model", converted, first),
        {
            **_row("first run", first, first, images),
            "rate_by_tenth": throughput_by_tenth(first.stored, images),
        },
    ]
    for share in shares:
        for what, selection in (("all shards", SHARDED), ("whole graph", PIPELINE)):
            changed = turn_images(train, share)
            run = workplace.materialize(selection)
            rows.append(
                {**_row(f"{what} again, {share:.0%} changed", run, first, images), "changed": changed}
            )
    return rows


def _row(name: str, run: Run, first: Run, images: int | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "images": images,
        "seconds": run.seconds,
        "time": human_duration(run.seconds),
        "images_per_second": images / run.seconds if images else None,
        "share_of_first": run.seconds / first.seconds,
        "peak_rss_mb": run.peak_mb,
    }


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The table for a person, and the pace."""
    pace = ", ".join(f"{rate:.0f}" for rate in rows[1]["rate_by_tenth"]) or "too short to tell"
    return f"{markdown_table(rows, COLUMNS)}\n\nextraction by tenth of its time, images/s: {pace}"


def turn_images(images: Sequence[Path], share: float) -> int:
    """Turn an evenly spread share of the images that decode; return how many were turned."""
    wanted = round(len(images) * share)
    turned = 0
    for path in images[:: max(1, len(images) // wanted)] if wanted else ():
        if turned == wanted:
            break
        try:
            with Image.open(path) as image:
                other_side_up = image.convert("RGB").transpose(Image.Transpose.ROTATE_180)
        except (OSError, Image.DecompressionBombError):  # one of the catalogue's injected faults
            continue
        encoded = io.BytesIO()
        other_side_up.save(encoded, "JPEG", quality=80, progressive=True, subsampling="4:2:0")
        path.write_bytes(encoded.getvalue())
        turned += 1
    return turned
