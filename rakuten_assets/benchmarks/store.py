"""What opening a store of many rows costs, beside a dictionary of its keys, over a store that is really written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from upath import UPath

from rakuten_assets.benchmarks.measuring.memory import run_watched
from rakuten_assets.benchmarks.programs.store_opening import DIGEST
from rakuten_assets.extraction.storing import store as row_store
from rakuten_assets.extraction.storing.store import RowStore

COLUMNS = {
    "rows": "rows",
    "name": "",
    "seconds": "open, s",
    "lookup": "look all up, s",
    "held_mb": "held MB",
    "bytes_a_row": "bytes a row",
    "peak_rss_mb": "peak MB",
}
PROGRAM = "rakuten_assets.benchmarks.programs.store_opening"


def write_store(folder: Path, rows: int, dim: int) -> None:
    """Write a store of rows with drawn keys, in segments of the size that merging gives."""
    store = RowStore(UPath(folder), DIGEST, dim, print)
    random = np.random.default_rng(7)
    size = row_store._ROWS_OF_A_MERGED_SEGMENT
    for start in range(0, rows, size):
        count = min(size, rows - start)
        store.append([random.bytes(32) for _ in range(count)], np.zeros((count, dim), np.float32))


def compare(folder: Path, rows: int, dim: int, rounds: int) -> list[dict[str, Any]]:
    """Open the store in turns, each time in a process of its own.

    Returns:
        Two rows, the dictionary's first: rows, name, seconds to open, seconds to look all keys up (each the least of
        the rounds), held_mb (what stays in memory), bytes_a_row, peak_rss_mb of the process.
    """
    write_store(folder, rows, dim)
    runs: dict[str, list[dict[str, Any]]] = {"dictionary": [], "arrays": []}
    for _ in range(max(rounds, 1)):
        for how, found in runs.items():
            _, peak, output = run_watched(["-m", PROGRAM, str(folder), str(dim), how])
            found.append({**json.loads(output), "peak_rss_mb": peak})
            assert found[-1]["found"] == found[-1]["rows"] == rows
    return [
        {
            "rows": f"{rows:,}",
            "name": "dictionary, as before" if how == "dictionary" else "sorted arrays",
            "seconds": min(run["seconds"] for run in found),
            "lookup": min(run["lookup"] for run in found),
            "held_mb": max(run["held"] for run in found) / 1e6,
            "bytes_a_row": round(max(run["held"] for run in found) / rows),
            "peak_rss_mb": max(run["peak_rss_mb"] for run in found),
        }
        for how, found in runs.items()
    ]
