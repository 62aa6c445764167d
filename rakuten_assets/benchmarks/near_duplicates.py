"""The exact search for near-duplicate candidates over drawn images, with and without compiled kernels, in turns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rakuten_assets.benchmarks.measuring.memory import run_watched
from rakuten_assets.errors import SettingsError

COLUMNS = {
    "images": "images",
    "name": "",
    "seconds": "seconds",
    "ratio": "ratio",
    "peak_rss_mb": "peak MB",
    "pairs": "candidate pairs",
}
PROGRAM = "rakuten_assets.benchmarks.programs.near_pairs"
_COPIES = 0.05
_CROWDED = 0.2
_CROWDS = 60


def compare(counts: Sequence[int], rounds: int, workers: int) -> list[dict[str, Any]]:
    """Search drawn images, each time in a process of its own, which also draws them.

    Returns:
        Two rows a count, NumPy's first: images, name, seconds of the search (the least of the rounds), ratio,
        peak_rss_mb of the process, pairs.

    Raises:
        RuntimeError: if the two find other pairs.
    """
    if min(counts, default=0) < 1:
        raise SettingsError("--n is a number of images, 1 or more")
    rows = []
    for count in counts:
        runs: dict[str, list[dict[str, Any]]] = {"NumPy alone": [], "as it is": []}
        for _ in range(max(rounds, 1)):
            for name, found in runs.items():
                found.append(_run(count, workers, plain=name == "NumPy alone"))
        digests = {run["digest"] for found in runs.values() for run in found}
        if len(digests) > 1:
            raise RuntimeError(f"the pairs of {count:,} images differ from run to run")
        best = {name: min(run["seconds"] for run in found) for name, found in runs.items()}
        for name, found in runs.items():
            rows.append(
                {
                    "images": f"{count:,}",
                    "name": name,
                    "seconds": best[name],
                    "ratio": best["NumPy alone"] / best[name],
                    "peak_rss_mb": max(run["peak_rss_mb"] for run in found),
                    "pairs": f"{found[0]['pairs']:,}",
                }
            )
    return rows


def drawn_images(count: int, seed: int = 7) -> pd.DataFrame:
    """`CANDIDATE_COLUMNS` of images as a catalogue of product photos on white has them.

    Of the rows, 5 % are near-duplicates of another one; a fifth of the hashes crowd around few, as those of small
    products on white do. Brightness, contrast and entropy follow from how much is white.
    """
    random = np.random.default_rng(seed)
    white = random.beta(2.0, 1.5, count)
    table = {
        "brightness": 255 - (1 - white) * random.uniform(60, 200, count),
        "contrast": np.clip(40 + 100 * np.sqrt(white * (1 - white)) + random.normal(0, 12, count), 1, 127),
        "saturation": np.clip(random.gamma(1.5, 60, count) * (1.1 - white), 0, 255),
        "entropy": np.clip(1 + 6.5 * (1 - white) + random.normal(0, 0.6, count), 0.1, 8),
    }
    hashes = {name: random.integers(0, 2**64, count, dtype=np.uint64) for name in ("phash", "dhash")}
    crowded = random.random(count) < _CROWDED
    centres = random.integers(0, 2**64, _CROWDS, dtype=np.uint64)
    crowd = random.integers(0, _CROWDS, int(crowded.sum()))
    for ones, flips in ((hashes["phash"], 6), (hashes["dhash"], 12)):
        ones[crowded] = centres[crowd]
        _flip(ones, np.flatnonzero(crowded), flips, random)
    copies = np.flatnonzero(random.random(count) < _COPIES)
    originals = random.integers(0, count, len(copies))
    for name, values in table.items():
        values[copies] = values[originals] + random.normal(0, 0.02, len(copies)) * np.ptp(values)
        table[name] = np.clip(values, 0, None)
    for ones in hashes.values():
        ones[copies] = ones[originals]
        _flip(ones, copies, 4, random)
    return pd.DataFrame({**hashes, **table, "width": 500, "height": 500})


def _flip(hashes: Any, at: Any, times: int, random: np.random.Generator) -> None:
    for _ in range(times):
        hashes[at] ^= np.left_shift(np.uint64(1), random.integers(0, 64, len(at)).astype(np.uint64))


def _run(count: int, workers: int, plain: bool) -> dict[str, Any]:
    how = "plain" if plain else "compiled"
    _, peak, output = run_watched(["-m", PROGRAM, str(count), str(workers), how])
    return {**json.loads(output), "peak_rss_mb": peak}
