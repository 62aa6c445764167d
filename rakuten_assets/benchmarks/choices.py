"""Backbones and precisions beside each other, from image files to stored rows, in turns.

Every choice is a process of its own that stays open; the images are cut into as many parts as there are rounds, and in
each round every choice gets the same part, one after the other. A ratio is the median over rounds of a choice's rate by
the first one's in the same round: a machine's speed drifts, less so within a round.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from rakuten_assets.backbones import find_backbone
from rakuten_assets.benchmarks.extraction import WARM_UP_IMAGES, Contestant, opened, weights_to_measure
from rakuten_assets.errors import SettingsError
from rakuten_assets.settings import Settings

USUAL = "efficientnet_b0:f32,efficientnet_lite0:f32,efficientnet_lite0:int8"
COLUMNS = {
    "name": "",
    "images_per_second": "images/s",
    "ratio": "x first",
    "lowest_ratio": "lowest",
    "highest_ratio": "highest",
    "peak_rss_mb": "peak MB",
}


def parse(text: str) -> list[Contestant]:
    """`backbone:precision` with commas between.

    Raises:
        SettingsError: a part is malformed.
        WeightsError: a backbone is unknown.
    """
    chosen = []
    for part in text.split(","):
        name, _, precision = part.strip().rpartition(":")
        if not name:
            raise SettingsError(f"--choices {part!r} is not BACKBONE:PRECISION, as efficientnet_lite0:int8")
        find_backbone(name)
        Settings.load(precision=precision, backbone=name)  # refuses a precision that there is not
        chosen.append(Contestant(f"{name} {precision}", "ours", "auto", precision, name))
    return chosen


def compare(
    catalog: Path,
    files: Sequence[Path],
    storage: Path,
    rounds: int,
    workers: int,
    chosen: Sequence[Contestant],
) -> list[dict[str, Any]]:
    """Measure the choices on `files`.

    Args:
        catalog: folder of the catalogue whose train images calibrate a model in int8.
        files: distinct images, `WARM_UP_IMAGES` of them for warming up.
        storage: an empty folder for caches.
        rounds: into how many parts the images are cut.
        workers: threads.

    Returns:
        One row a choice, with the keys of `COLUMNS`.

    Raises:
        RuntimeError: a choice does not run on this machine.
    """
    warm_up, measured = files[:WARM_UP_IMAGES], files[WARM_UP_IMAGES:]
    parts = [measured[part::rounds] for part in range(rounds)]
    with ExitStack() as stack:
        processes = []
        for one in chosen:
            weights = weights_to_measure(find_backbone(one.backbone))
            more = {"backbone": one.backbone, "weights": weights, "data_dir": str(catalog)}
            processes.append(stack.enter_context(opened(one, storage, workers, warm_up, **more)))
        for part in parts:
            for process in processes:
                process.ask(part, None)
        seconds = np.array([process.seconds for process in processes])
        peaks = [process.memory.peak_mb for process in processes]
    rates = np.array([len(part) for part in parts]) / seconds
    ratios = rates / rates[0]
    return [
        {
            "name": one.name,
            "images_per_second": float(np.median(rate)),
            "ratio": float(np.median(ratio)),
            "lowest_ratio": float(ratio.min()),
            "highest_ratio": float(ratio.max()),
            "peak_rss_mb": peak,
        }
        for one, rate, ratio, peak in zip(chosen, rates, ratios, peaks, strict=True)
    ]
