"""What Dagster adds to the bare work: the same catalogue through the graph and through a plain script."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import replace
from typing import Any

from rakuten_assets.benchmarks.graph import Run, Workplace

COLUMNS = {"name": "", "seconds": "seconds", "overhead": "overhead", "peak_rss_mb": "peak MB"}


def measure(workplace: Workplace, rounds: int) -> list[dict[str, Any]]:
    """Run the graph and the script in turn, each from nothing, `rounds` times.

    Only the converted model is kept between runs: converting is no part of either.

    Returns:
        Two rows: name, seconds (median), overhead (share of the bare work's time), peak_rss_mb.
    """
    bare_place = replace(workplace, storage=workplace.storage.with_name("storage-bare"))
    graph_runs: list[Run] = []
    bare_runs: list[Run] = []
    for round_number in range(rounds + 1):
        _forget(workplace)
        _forget(bare_place)
        runs = bare_place.extract_bare(), workplace.materialize_everything()
        if round_number or not rounds:  # the first round converts the model and fills the page cache
            bare_runs.append(runs[0])
            graph_runs.append(runs[1])
    bare = statistics.median(run.seconds for run in bare_runs)
    rows = []
    for name, runs_of_it in (("plain script", bare_runs), ("through Dagster", graph_runs)):
        seconds = statistics.median(run.seconds for run in runs_of_it)
        rows.append(
            {
                "name": name,
                "seconds": seconds,
                "overhead": seconds / bare - 1,
                "peak_rss_mb": max(run.peak_mb for run in runs_of_it),
            }
        )
    return rows


def _forget(workplace: Workplace) -> None:
    for folder in ("assets", "outputs", "cache/rows"):
        shutil.rmtree(workplace.storage / folder, ignore_errors=True)
    shutil.rmtree(workplace.dagster_home, ignore_errors=True)
