"""What Dagster adds to the bare work: the same catalogue through the graph and through a plain script, in turns."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import replace
from typing import Any

from rakuten_assets.benchmarks.measuring.graph import BARE, Workplace
from rakuten_assets.benchmarks.measuring.turns import Command, Outcome, run_in_turns

COLUMNS = {
    "name": "",
    "images": "images",
    "seconds": "seconds",
    "overhead": "overhead",
    "peak_rss_mb": "peak MB",
}

SAME_WORK = (
    "x_train,y_train,x_test,image_manifest,image_scan,label_encoder,train_labels,train_valid,test_valid,"
    "efficientnet_b0/train_features,efficientnet_b0/test_features,"
    "efficientnet_b0/train_feature_matrix,efficientnet_b0/test_feature_matrix"
)
"""The assets that `bare` makes by itself, and the labels and masks, which the matrices are checked against."""


def measure(workplace: Workplace, images: int, rounds: int) -> list[dict[str, Any]]:
    """Run the script and the graph beside each other, each from nothing but the converted model, `rounds` times.

    Args:
        images: how many the catalogue of `workplace` has.

    Returns:
        Two rows: name, images, seconds (median), overhead (share of the script's time), peak_rss_mb.
    """
    bare_place = replace(workplace, storage=workplace.storage.with_name("storage-bare"))
    workplace.convert_model()
    bare_place.convert_model()
    bare_runs: list[Outcome] = []
    graph_runs: list[Outcome] = []
    for _ in range(max(rounds, 1)):
        _forget(workplace)
        _forget(bare_place)
        script = Command(BARE, bare_place.environment())
        graph = Command(workplace.materialization(SAME_WORK), workplace.environment())
        of_script, of_graph = run_in_turns([script, graph])
        bare_runs.append(of_script)
        graph_runs.append(of_graph)
    bare = statistics.median(run.seconds for run in bare_runs)
    rows = []
    for name, runs_of_it in (("plain script", bare_runs), ("through Dagster", graph_runs)):
        seconds = statistics.median(run.seconds for run in runs_of_it)
        rows.append(
            {
                "name": name,
                "images": images,
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
