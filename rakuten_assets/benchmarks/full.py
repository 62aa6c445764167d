"""The full-size catalogue through the real graph: time, memory, and whether the pace holds from first to last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rakuten_assets.benchmarks.graph import Workplace, throughput_by_tenth
from rakuten_assets.benchmarks.incremental import turn_images
from rakuten_assets.benchmarks.tables import markdown_table
from rakuten_assets.units import human_duration

COLUMNS = {
    "name": "",
    "images": "images",
    "time": "time",
    "images_per_second": "images/s",
    "peak_rss_mb": "peak MB",
    "share_of_first": "share of first run",
}


def measure(workplace: Workplace, images: int) -> list[dict[str, Any]]:
    """Run the whole graph from nothing, once more with nothing changed, and once more with 1 % of the train images
    changed (in the catalogue of `workplace`).

    Returns:
        Three rows: name, images, seconds, time, images_per_second (all steps counted), peak_rss_mb,
        share_of_first; the first with `rate_by_tenth`, the extraction's images per second in each tenth of it.
    """
    first = workplace.materialize()
    again = workplace.materialize()
    turn_images(sorted((workplace.catalog / "images" / "image_train").iterdir()), 0.01)
    changed = workplace.materialize()
    rows = []
    for name, run in (
        ("first run", first),
        ("re-run, nothing changed", again),
        ("re-run, 1 % changed", changed),
    ):
        rows.append(
            {
                "name": name,
                "images": images,
                "seconds": run.seconds,
                "time": human_duration(run.seconds),
                "images_per_second": images / run.seconds,
                "peak_rss_mb": run.peak_mb,
                "share_of_first": run.seconds / first.seconds,
            }
        )
    rows[0]["rate_by_tenth"] = throughput_by_tenth(first.stored, images)
    return rows


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The table for a person, and the pace."""
    rates = rows[0]["rate_by_tenth"]
    pace = ", ".join(f"{rate:.0f}" for rate in rates) or "too short to tell"
    return f"{markdown_table(rows, COLUMNS)}\n\nextraction by tenth of its time, images/s: {pace}"
