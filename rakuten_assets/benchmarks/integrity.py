"""The integrity report beside cleanvision and beside a plain Pillow loop, on the same images in one run."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from rakuten_assets.benchmarks.memory import PeakMemory
from rakuten_assets.benchmarks.tables import markdown_table
from rakuten_assets.integrity.decoding import DecodeLimits
from rakuten_assets.integrity.scan import scan_images

COLUMNS = {
    "name": "",
    "images_per_second": "images/s",
    "ratio": "ratio",
    "seconds": "seconds",
    "peak_rss_mb": "peak MB",
    "ratio_of": "ratio of",
}


def compare(folder: Path, files: Sequence[Path], rounds: int, workers: int) -> list[dict[str, Any]]:
    """Measure all contestants in turn, `rounds` times, and keep each one's median.

    Args:
        folder: what the two reports are run on, end to end, each in a fresh process.
        files: the images in it, for the two loops inside this process.

    Returns:
        One row a contestant: name, seconds, images_per_second, ratio, ratio_of, peak_rss_mb.

    Raises:
        ModuleNotFoundError: cleanvision is not installed.
    """
    if importlib.util.find_spec("cleanvision") is None:
        raise ModuleNotFoundError("cleanvision is not installed: pip install -e '.[benchmarks]'")
    limits = DecodeLimits(max_file_bytes=50_000_000, max_pixels=50_000_000)
    with tempfile.TemporaryDirectory() as out:
        peer = ["-m", "rakuten_assets.benchmarks.peer_cleanvision", str(folder), "--workers", str(workers)]
        ours = ["-m", "rakuten_assets.integrity", str(folder), "--workers", str(workers)]
        contestants: dict[str, Callable[[], tuple[float, float | None]]] = {
            "cleanvision, whole report": lambda: _timed_process(peer),
            # A new folder each time: an earlier report in the same one would spare it the decoding.
            "ours, whole report": lambda: _timed_process([*ours, "--out", tempfile.mkdtemp(dir=out)]),
            "Pillow load() loop, one thread": lambda: (_pillow_loop(files), None),
            "ours, scan alone": lambda: (_scan(files, limits, workers), None),
        }
        _scan(files[:64], limits, workers)  # compile the kernels, warm the page cache's first files
        taken: dict[str, list[tuple[float, float | None]]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, measure in contestants.items():
                taken[name].append(measure())
    rows: list[dict[str, Any]] = []
    for name, measured in taken.items():
        seconds = statistics.median(second for second, _ in measured)
        peaks = [peak for _, peak in measured if peak is not None]
        rows.append(
            {
                "name": name,
                "seconds": seconds,
                "images_per_second": len(files) / seconds,
                "peak_rss_mb": max(peaks) if peaks else None,
            }
        )
    for base, row in ((rows[0], rows[1]), (rows[2], rows[3])):
        row["ratio"] = base["seconds"] / row["seconds"]
        row["ratio_of"] = base["name"]
    return rows


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The table for a person."""
    return markdown_table(rows, COLUMNS)


def _timed_process(arguments: Sequence[str]) -> tuple[float, float]:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with PeakMemory(process.pid) as memory:
        output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}:\n{output[-2000:]}")
    return time.perf_counter() - started, memory.peak_mb


def _pillow_loop(files: Sequence[Path]) -> float:
    started = time.perf_counter()
    for file in files:
        with Image.open(file) as image:
            image.load()
    return time.perf_counter() - started


def _scan(files: Sequence[Path], limits: DecodeLimits, workers: int) -> float:
    started = time.perf_counter()
    scan_images(files, limits, workers, known=None, progress=None)
    return time.perf_counter() - started
