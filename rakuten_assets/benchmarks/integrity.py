"""The integrity report beside cleanvision and beside a plain Pillow loop, on the same images in one run."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from rakuten_assets.benchmarks.measuring.memory import run_watched
from rakuten_assets.benchmarks.measuring.tables import markdown_table
from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.reading.measures import KERNELS
from rakuten_assets.integrity.reading.scan import scan_images
from rakuten_assets.integrity.reporting.findings import KINDS
from rakuten_assets.integrity.reporting.report import SUMMARY_FILE

COLUMNS = {
    "name": "",
    "images_per_second": "images/s",
    "ratio": "ratio",
    "seconds": "seconds",
    "peak_rss_mb": "peak MB",
    "ratio_of": "ratio of",
}


ISSUES_OF_THE_PEER = {
    "exact_duplicates": "exact_duplicate",
    "near_duplicates": "near_duplicate",
    **{
        name: name
        for name in (
            "low_information",
            "light",
            "dark",
            "blurry",
            "grayscale",
            "odd_size",
            "odd_aspect_ratio",
        )
    },
}
"""cleanvision's issue types, and our kind of finding for each."""


@dataclass(frozen=True)
class Measured:
    """One run of a contestant: seconds, peak memory of its processes in MB, and rows found by kind of issue."""

    seconds: float
    peak_mb: float | None = None
    issues: Mapping[str, int] = field(default_factory=dict)


def compare(folder: Path, files: Sequence[Path], rounds: int, workers: int) -> list[dict[str, Any]]:
    """Measure all contestants in turn, `rounds` times, and keep each one's median.

    Args:
        folder: what the two reports are run on, end to end, each in a fresh process.
        files: the images in it, for the two loops inside this process.

    Returns:
        One row a contestant: name, seconds, images_per_second, ratio, ratio_of, peak_rss_mb, issues.

    Raises:
        ModuleNotFoundError: cleanvision is not installed.
    """
    if importlib.util.find_spec("cleanvision") is None:
        raise ModuleNotFoundError("cleanvision is not installed: pip install -e '.[benchmarks]'")
    with tempfile.TemporaryDirectory() as out:
        reports = _in_turn(
            {
                "cleanvision, whole report": lambda: _peer(folder, workers),
                # A new folder each time: an earlier report in the same one would spare it the decoding.
                "ours, whole report": lambda: _ours(folder, workers, Path(tempfile.mkdtemp(dir=out))),
            },
            rounds,
            len(files),
        )
    KERNELS.compiled()  # as in a long run; the whole report above pays for what it compiles
    KERNELS.expect(10 * len(files) * max(rounds, 1))
    return reports + compare_scan(files, rounds, workers)


def compare_scan(files: Sequence[Path], rounds: int, workers: int) -> list[dict[str, Any]]:
    """Measure the scan beside a plain loop of Pillow's `load()`, both inside this process.

    Half of the loop comes before the scan and half after it, so that a machine that speeds up or slows down meanwhile
    does so for both.

    Returns:
        Two rows as from `compare`.
    """
    limits = DecodeLimits(max_file_bytes=50_000_000, max_pixels=50_000_000)
    half = len(files) // 2
    loop: list[Measured] = []
    ours: list[Measured] = []
    for _ in range(rounds):
        before = _seconds(lambda: _pillow_loop(files[:half]))
        ours.append(Measured(_seconds(lambda: scan_images(files, limits, workers))))
        loop.append(Measured(before + _seconds(lambda: _pillow_loop(files[half:]))))
    return _rows({"Pillow load() loop, one thread": loop, "ours, scan alone": ours}, len(files))


def _in_turn(
    contestants: Mapping[str, Callable[[], Measured]], rounds: int, images: int
) -> list[dict[str, Any]]:
    taken: dict[str, list[Measured]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            taken[name].append(measure())
    return _rows(taken, images)


def _rows(measured: Mapping[str, Sequence[Measured]], images: int) -> list[dict[str, Any]]:
    """One row a contestant, with its median; the last one's ratio is that to the first."""
    rows: list[dict[str, Any]] = []
    for name, runs in measured.items():
        seconds = statistics.median(run.seconds for run in runs)
        peaks = [run.peak_mb for run in runs if run.peak_mb is not None]
        rows.append(
            {
                "name": name,
                "seconds": seconds,
                "images_per_second": images / seconds,
                "peak_rss_mb": max(peaks) if peaks else None,
                "issues": dict(runs[-1].issues),
            }
        )
    rows[-1]["ratio"] = rows[0]["seconds"] / rows[-1]["seconds"]
    rows[-1]["ratio_of"] = rows[0]["name"]
    return rows


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The tables for a person: speed, and what was found by kind of issue."""
    peer, ours = rows[0]["issues"], rows[1]["issues"]
    names = {kind: name for name, kind in ISSUES_OF_THE_PEER.items()}
    issues = [
        {"kind": kind, "peer": peer.get(names[kind], 0) if kind in names else None, "ours": ours.get(kind, 0)}
        for kind in sorted(KINDS, key=lambda kind: kind not in names)
    ]
    columns = {"kind": "issue (images)", "peer": "cleanvision", "ours": "ours"}
    return f"{markdown_table(rows, COLUMNS)}\n\n{markdown_table(issues, columns)}"


def _peer(folder: Path, workers: int) -> Measured:
    command = [
        "-m",
        "rakuten_assets.benchmarks.programs.peer_cleanvision",
        str(folder),
        "--workers",
        str(workers),
    ]
    seconds, peak_mb, output = run_watched(command)
    return Measured(seconds, peak_mb, json.loads(output.splitlines()[-1])["issues"])


def _ours(folder: Path, workers: int, out: Path) -> Measured:
    command = ["-m", "rakuten_assets.integrity", str(folder), "--workers", str(workers), "--out", str(out)]
    seconds, peak_mb, _ = run_watched(command)
    findings = json.loads((out / SUMMARY_FILE).read_bytes())["findings"]
    return Measured(seconds, peak_mb, {kind: about["rows"] for kind, about in findings.items()})


def _pillow_loop(files: Sequence[Path]) -> None:
    for file in files:
        # A damaged or missing file costs the loop what it costs.
        with contextlib.suppress(Exception), Image.open(file) as image:
            image.load()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
