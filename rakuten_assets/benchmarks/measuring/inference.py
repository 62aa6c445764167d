"""How many prepared images an engine takes a second, with nothing else to do."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rakuten_assets.extraction.engines import Engine

_ROUNDS = 2


def inference_rate(engine: Engine, images: Any) -> tuple[Any, float]:
    """Features of prepared images, and images per second over the better of two rounds."""
    batches = _batches(engine, images)
    rounds = [_round(engine, batches) for _ in range(_ROUNDS)]
    return np.concatenate(rounds[-1][0]), len(images) / min(seconds for _, seconds in rounds)


def sustained_rate(engine: Engine, images: Any, seconds: float) -> float:
    """Images per second over the better of two rounds of about `seconds` each, however fast the network is.

    The images are taken again and again; a first round, one batch for each caller, warms the engine up and tells how
    many batches the others take. A network that needs longer than `seconds` for that has rounds of its length.
    """
    batches = _batches(engine, images)
    turn = [batches[position % len(batches)] for position in range(engine.callers)]
    _, first = _round(engine, turn)
    turns = max(1, math.ceil(seconds / first))
    batches = [batches[position % len(batches)] for position in range(turns * engine.callers)]
    taken = sum(map(len, batches))
    return taken / min(_round(engine, batches)[1] for _ in range(_ROUNDS))


def _batches(engine: Engine, images: Any) -> list[Any]:
    return [images[at : at + engine.batch] for at in range(0, len(images), engine.batch)]


def _round(engine: Engine, batches: Sequence[Any]) -> tuple[list[Any], float]:
    """Features of the batches, which the callers share, and the seconds that all of them took."""
    parts: list[Any] = [None] * len(batches)

    def caller(first: int) -> None:
        for position in range(first, len(batches), engine.callers):
            parts[position] = engine.infer(batches[position])

    threads = [threading.Thread(target=caller, args=(first,)) for first in range(engine.callers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return parts, time.perf_counter() - started
