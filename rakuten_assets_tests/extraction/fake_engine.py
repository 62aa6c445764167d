"""An engine whose rows are a cheap, exact function of an image: for tests of everything around engines."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from rakuten_assets.extraction import pipeline

DIM = 1280
_MATRIX = np.random.default_rng(0).integers(-3, 4, (28 * 28 * 3, DIM)).astype(np.float32)


def features_of(image: np.ndarray) -> np.ndarray:
    """uint8 (224, 224, 3) to float32 (1280,): sums of small integers, exact in float32 and in any order."""
    return image[::8, ::8].reshape(-1).astype(np.float32) @ _MATRIX


class FakeEngine:
    """See `Engine`. Counts its images, also in the size of the file `tally`; takes `delay` seconds a call."""

    def __init__(self, delay: float = 0.0, tally: Path | None = None) -> None:
        self.tally = tally
        self.batch = 2
        self.callers = 3
        self.delay = delay
        self.images = 0
        self.opened = 0
        self.closed = 0
        self._counting = threading.Lock()

    def __enter__(self) -> FakeEngine:
        self.opened += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed += 1

    def infer(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        assert 1 <= len(images) <= self.batch
        with self._counting:
            self.images += len(images)
            if self.tally:
                with self.tally.open("ab") as file:
                    file.write(bytes(len(images)))
        if self.delay:
            time.sleep(self.delay)
        return np.stack([features_of(image) for image in images])

    def describe(self) -> dict[str, Any]:
        return {"engine": "fake", "images": "counted elsewhere"}


def install(engine: FakeEngine, patch: Any = None) -> None:
    """Make every extractor of this process load `engine`, which needs no model and has no choice of kernels."""
    stand_ins: dict[str, Any] = {
        "load_engine": lambda *arguments: engine,
        "settle_kernels": lambda choice, *others: choice,
    }
    for name, stand_in in stand_ins.items():
        if patch is None:
            setattr(pipeline, name, stand_in)
        else:
            patch.setattr(pipeline, name, stand_in)
