"""Extraction beside what others do, on the same images, in one run, interleaved so that drift hits all alike.

Every contestant is a process of its own that stays open; the images are cut into as many parts as there are
rounds, and in each round every contestant gets the same part, one contestant after the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.backbones import Backbone
from rakuten_assets.backbones.specification import SEEDED
from rakuten_assets.benchmarks.measuring.memory import PeakMemory
from rakuten_assets.benchmarks.measuring.tables import markdown_table
from rakuten_assets.runtime.machine import cpu_features

WARM_UP_IMAGES = 8
STAGE_IMAGES = 128

COLUMNS = {
    "name": "",
    "images_per_second": "images/s",
    "ratio_to_document": "x document",
    "ratio_to_dataloader": "x DataLoader",
    "max_relative_difference": "rel. difference",
    "cosine_min": "min cosine",
    "cosine_mean": "mean cosine",
    "peak_rss_mb": "peak MB",
    "roofline_share": "share of peak",
}
STAGE_COLUMNS = {
    "name": "",
    "read": "read ms",
    "decode": "decode ms",
    "resize": "resize ms",
    "write": "write ms",
    "infer_per_second": "infer images/s",
    "matmul_peak_gflops": "matmul GFLOP/s",
    "roofline_share": "share of peak",
}


@dataclass(frozen=True)
class Contestant:
    """One way of extracting features."""

    name: str
    variant: str
    engine: str = ""
    precision: str = "f32"
    backbone: str = ""


@dataclass
class OpenProcess:
    """An open contestant and what was measured of it."""

    contestant: Contestant
    process: subprocess.Popen[str]
    about: dict[str, Any]
    memory: PeakMemory
    seconds: list[float] = field(default_factory=list)

    def ask(self, files: Sequence[Path], features: Path | None) -> None:
        assert self.process.stdin is not None
        request = {"files": [str(file) for file in files], "features": str(features) if features else None}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        self.seconds.append(_read_answer(self.process)["seconds"])


def contestants(with_torch: bool = True) -> list[Contestant]:
    """Every contestant that this machine can run."""
    chosen = [
        Contestant("document's loop", "document"),
        Contestant("expert DataLoader", "dataloader"),
        Contestant("ours, openvino f32", "ours", "openvino", "f32"),
    ]
    if {"avx512_bf16", "amx_bf16"} & set(cpu_features()):
        chosen.append(Contestant("ours, openvino bf16", "ours", "openvino", "bf16"))
    if with_torch:
        chosen.append(Contestant("ours, torch f32", "ours", "torch", "f32"))
    return chosen


def compare(
    files: Sequence[Path], storage: Path, rounds: int, workers: int, chosen: Sequence[Contestant]
) -> list[dict[str, Any]]:
    """Measure the contestants on `files`.

    Args:
        files: distinct images, `WARM_UP_IMAGES` of them for warming up.
        storage: an empty folder for caches.
        rounds: into how many parts the images are cut.
        workers: threads or loader processes that each contestant may use.

    Returns:
        One row a contestant with `name, engine, precision, images_per_second, ratio_to_document,
        ratio_to_dataloader, max_abs_difference, max_relative_difference (of the document's largest absolute
        feature), peak_rss_mb, cosine_min, cosine_mean (per row, centred), images`, and for ours
        `read, decode, resize, write (ms an image), infer_per_second, matmul_peak_gflops, roofline_share`.
    """
    warm_up, measured = list(files[:WARM_UP_IMAGES]), list(files[WARM_UP_IMAGES:])
    parts = [measured[part::rounds] for part in range(rounds)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        processes = []
        for contestant in chosen:
            processes.append(stack.enter_context(opened(contestant, storage, workers, warm_up)))
            if contestant.variant != "ours":  # ours warmed up when it opened
                processes[-1].ask(warm_up, None)
            processes[-1].seconds.clear()
        kept: dict[str, list[npt.NDArray[np.float32]]] = {contestant.name: [] for contestant in chosen}
        for part in parts:
            for process in processes:
                features = Path(folder) / "features.npy"
                process.ask(part, features)
                kept[process.contestant.name].append(np.load(features, allow_pickle=False))
        rows = [_row(process, len(measured), kept) for process in processes]
    _add_ratios(rows)
    gflop = processes[0].about["gflop_per_image"]
    for row, process in zip(rows, processes, strict=True):
        if process.contestant.variant == "ours":
            _add_stages(row, process.contestant, measured[:STAGE_IMAGES], storage, workers, gflop)
    return rows


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The tables for a person."""
    ours = [row for row in rows if "infer_per_second" in row]
    return markdown_table(rows, COLUMNS) + "\n\n" + markdown_table(ours, STAGE_COLUMNS)


def weights_to_measure(backbone: Backbone) -> str:
    """Real weights need no network where they come along; the cost of a pass does not depend on them."""
    return "" if backbone.brings_weights else SEEDED


@contextmanager
def opened(
    contestant: Contestant, storage: Path, workers: int, warm_up: Sequence[Path], **choices: str
) -> Iterator[OpenProcess]:
    """A contestant's process, ready to be asked.

    Args:
        choices: more of the request that `programs.variants` takes.

    Raises:
        RuntimeError: it ended while it opened.
    """
    request = {
        "variant": contestant.variant,
        "engine": contestant.engine,
        "precision": contestant.precision,
        "storage": str(storage),
        "workers": workers,
        "warm_up": [str(file) for file in warm_up],
        **choices,
    }
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "rakuten_assets.benchmarks.programs.variants", json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        try:
            try:
                about = _read_answer(process)
            except RuntimeError:
                complaints.seek(0)
                said = [line.strip() for line in complaints if line.strip()]
                raise RuntimeError(f"{contestant.name}: {said[-1] if said else 'it ended'}") from None
            # From here on: converting the model happens once in a storage's life, in a process that then ends.
            with PeakMemory(process.pid) as memory:
                yield OpenProcess(contestant, process, about, memory)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def _read_answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{' '.join(map(str, process.args))} ended without an answer")  # type: ignore[arg-type]
    answer: dict[str, Any] = json.loads(line)
    return answer


def _row(process: OpenProcess, images: int, kept: dict[str, list[npt.NDArray[np.float32]]]) -> dict[str, Any]:
    name = process.contestant.name
    reference = np.concatenate(next(iter(kept.values())))
    features = np.concatenate(kept[name])
    difference = float(np.abs(features - reference).max())
    cosines = _centred_cosines(features, reference)
    return {
        "name": name,
        "engine": process.about["engine"],
        "precision": process.about["precision"],
        "images": images,
        "images_per_second": images / sum(process.seconds),
        "max_abs_difference": difference,
        "max_relative_difference": difference / float(np.abs(reference).max()),
        "cosine_min": float(cosines.min()),
        "cosine_mean": float(cosines.mean()),
        "peak_rss_mb": process.memory.peak_mb,
    }


def _centred_cosines(
    features: npt.NDArray[np.float32], reference: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Cosine of each row with its reference after the reference's mean row is taken off both."""
    mean = reference.mean(axis=0, dtype=np.float64)
    left, right = features - mean, reference - mean
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines: npt.NDArray[np.float64] = (left * right).sum(axis=1) / norms
    return cosines


def _add_ratios(rows: Sequence[dict[str, Any]]) -> None:
    rates = {row["name"]: row["images_per_second"] for row in rows}
    for row in rows:
        row["ratio_to_document"] = row["images_per_second"] / rates["document's loop"]
        row["ratio_to_dataloader"] = row["images_per_second"] / rates["expert DataLoader"]


def _add_stages(
    row: dict[str, Any],
    contestant: Contestant,
    files: Sequence[Path],
    storage: Path,
    workers: int,
    gflop: float,
) -> None:
    request = {
        "storage": str(storage),
        "workers": workers,
        "engine": contestant.engine,
        "precision": contestant.precision,
        "files": [str(file) for file in files],
    }
    command = [sys.executable, "-m", "rakuten_assets.benchmarks.programs.stages", json.dumps(request)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    row.update(json.loads(done.stdout))
    row["gflop_per_image"] = gflop
    row["roofline_share"] = row["infer_per_second"] * gflop / row["matmul_peak_gflops"]
