"""What the pipeline asks of an engine."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """An open engine: a context manager; leaving it frees the model.

    Attributes:
        batch: the most images that a call takes.
        callers: how many threads should call `infer` at once to keep the device busy.
    """

    batch: int
    callers: int

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of uint8 (n, side, side, 3), 1 <= n <= `batch`: float32 (n, feature_dim), the caller's own.

        Thread-safe; waits for the device with the GIL released. A row does not depend on the other images.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What really runs: engine, device, precision, threads, streams, batch, CPU features... JSON-able."""
        ...
