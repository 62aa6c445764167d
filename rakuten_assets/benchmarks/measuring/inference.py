"""How many prepared images an engine takes a second, with nothing else to do."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from rakuten_assets.extraction.engines import Engine


def inference_rate(engine: Engine, images: Any) -> tuple[Any, float]:
    """Features of prepared images, and images per second over the better of two rounds."""
    batches = [images[at : at + engine.batch] for at in range(0, len(images), engine.batch)]
    parts: list[Any] = [None] * len(batches)

    def caller(first: int) -> None:
        for position in range(first, len(batches), engine.callers):
            parts[position] = engine.infer(batches[position])

    best = float("inf")
    for _ in range(2):
        threads = [threading.Thread(target=caller, args=(first,)) for first in range(engine.callers)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        best = min(best, time.perf_counter() - started)
    return np.concatenate(parts), len(images) / best
