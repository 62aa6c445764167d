"""The real graph, run as a user runs it: Dagster's own command in a process of its own, watched from outside.

- `full`: the full-size synthetic catalogue in one command: wall time, peak memory, throughput over time.
- `incremental`: what a re-run costs when nothing, 1 % or 10 % of the images changed.
- `overhead`: the same work without Dagster, beside it.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rakuten_assets.benchmarks.measuring.memory import run_watched
from rakuten_assets.outputs.names import materialization

BARE = ("-m", "rakuten_assets.benchmarks.programs.bare")
"""The command that does the graph's work by the lower floor alone."""

PIPELINE = "not group:evaluation and not group:augmentation"
"""Everything from the files to the published outputs. What is fitted on them has benchmarks of its own; no output needs
the statistics for training."""

REFRESH = ("-m", "rakuten_assets.refresh", "--check")
"""The command that says what is due; it fails where anything is."""

_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Run:
    """One command's outcome.

    Attributes:
        seconds: wall time from start to exit.
        peak_mb: peak resident memory of all its processes together, in MB.
        stored: (seconds since start, bytes in the row store) once a second.
    """

    seconds: float
    peak_mb: float
    stored: Sequence[tuple[float, int]] = field(default=(), repr=False)


@dataclass(frozen=True)
class Workplace:
    """Where a benchmark's runs read and write: a catalogue, a storage, a Dagster home, nothing shared.

    Attributes:
        catalog: None for the one that runs draw by themselves, with their backbones and weights.
    """

    catalog: Path | None
    storage: Path
    dagster_home: Path
    shards: int = 16

    def environment(self) -> Mapping[str, str]:
        """The variables a run gets: none of the caller's own settings leak in."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RAKUTEN_")}
        self.dagster_home.mkdir(parents=True, exist_ok=True)
        data = {"RAKUTEN_DATA_DIR": str(self.catalog), "RAKUTEN_WEIGHTS": "seeded"} if self.catalog else {}
        return clean | {
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "RAKUTEN_STORAGE": str(self.storage),
            "RAKUTEN_SHARDS": str(self.shards),
            **data,
        }

    def materialization(self, selection: str = PIPELINE) -> list[str]:
        """`dagster asset materialize` of a selection (default: files to outputs) over all shards, in one run."""
        return materialization(selection, self.shards)

    def materialize(self, selection: str = PIPELINE) -> Run:
        """Run `materialization`."""
        return self.run(self.materialization(selection))

    def convert_model(self) -> Run:
        """Prepare the backbone for the engine, as the first run of a storage does before its first image."""
        return self.run([*BARE, "--model"])

    def run(self, arguments: Sequence[str]) -> Run:
        """Run a Python command and watch it.

        Raises:
            RuntimeError: the command failed; with the end of what it printed.
        """
        watch = _StoreWatch(self.storage / "cache" / "rows", time.perf_counter())
        with watch:
            seconds, peak_mb, _ = run_watched(arguments, self.environment())
        return Run(seconds, peak_mb, tuple(watch.seen))


class _StoreWatch:
    """Notes once a second how many bytes the row store holds, until the block ends."""

    def __init__(self, folder: Path, started: float) -> None:
        self.seen: list[tuple[float, int]] = []
        self._folder, self._started = folder, started
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, name="store-watch", daemon=True)

    def __enter__(self) -> _StoreWatch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(_SECONDS_BETWEEN_LOOKS):
            self.seen.append((time.perf_counter() - self._started, _segment_bytes(self._folder)))


def throughput_by_tenth(stored: Sequence[tuple[float, int]], rows: int) -> list[float]:
    """Images per second over each tenth of an extraction, from what the row store held at each moment.

    Args:
        stored: (seconds, bytes) as in `Run.stored`.
        rows: how many rows the store held at the end.

    Returns:
        Ten rates, first to last; empty where fewer than twenty moments were seen.
    """
    growing, highest = [], 0
    for seconds, size in stored:
        if size > highest:  # compaction makes the sum fall or stay: time without new rows is not a rate
            highest = size
            growing.append((seconds, size))
    if len(growing) < 20:
        return []
    per_row = highest / rows
    edges = [round(part * (len(growing) - 1) / 10) for part in range(11)]
    rates = []
    for first, last in itertools.pairwise(edges):
        (t0, b0), (t1, b1) = growing[first], growing[last]
        rates.append((b1 - b0) / per_row / (t1 - t0))
    return rates


def _segment_bytes(folder: Path) -> int:
    total = 0
    for path in folder.glob("*/*.safetensors"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # merged away between the listing and the look
            continue
    return total
