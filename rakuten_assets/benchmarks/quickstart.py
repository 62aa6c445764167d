"""The README's first command from nothing, the same again, and a refresh that finds nothing due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rakuten_assets.benchmarks.measuring.graph import REFRESH, Run
from rakuten_assets.outputs.names import materialization

COLUMNS = {
    "name": "",
    "seconds": "seconds",
    "share_of_first": "share of first run",
    "peak_rss_mb": "peak MB",
}


def measure(run: Callable[[Sequence[str]], Run], shards: int, rounds: int) -> list[dict[str, Any]]:
    """Run everything once, then again and as a refresh, in turns.

    Args:
        run: runs a Python command, in an environment of which the catalogue is a part.

    Returns:
        Three rows: name, seconds (of the re-runs, the median), share_of_first, peak_rss_mb (the highest).
    """
    everything = materialization("*", shards)
    first = run(everything)
    again, refreshed = [], []
    for _ in range(max(rounds, 1)):
        again.append(run(everything))
        refreshed.append(run(REFRESH))
    named = {"first run": [first], "the same again": again, "refresh, nothing due": refreshed}
    return [_row(name, runs, first) for name, runs in named.items()]


def _row(name: str, runs: Sequence[Run], first: Run) -> dict[str, Any]:
    seconds = sorted(run.seconds for run in runs)[len(runs) // 2]
    return {
        "name": name,
        "seconds": seconds,
        "share_of_first": seconds / first.seconds,
        "peak_rss_mb": max(run.peak_mb for run in runs),
    }
