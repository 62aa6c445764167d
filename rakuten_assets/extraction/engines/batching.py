"""A batch that shrinks when the device's memory does not hold it, instead of ending the run."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.errors import EngineError

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def fitting_batch(wanted: int, bytes_per_image: float, free_bytes: int, share: float = 0.8) -> int:
    """The largest of `wanted`, `wanted`/2, `wanted`/4... whose images fit into a share of the free memory; at least 1.

    >>> fitting_batch(128, 50e6, 10_000_000_000)
    128
    >>> fitting_batch(128, 200e6, 10_000_000_000)
    32
    """
    batch = wanted
    while batch > 1 and batch * bytes_per_image > share * free_bytes:
        batch //= 2
    return batch


class ShrinkingBatch:
    """Runs a forward pass in calls of one fixed size, which halves on every out-of-memory error.

    The size is fixed because kernels are chosen by it: a short batch is filled up with zeros, so that a row does
    not depend on how many images came with it.

    Args:
        forward: uint8 (size, side, side, 3) to float32 (size, dim).
        size: images in a call.
        out_of_memory: the errors that mean "too large".
        free_memory: called before each new try.
        log: told of every halving.
    """

    def __init__(
        self,
        forward: Forward,
        size: int,
        out_of_memory: type[Exception] | tuple[type[Exception], ...],
        free_memory: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self.size = size
        self._forward = forward
        self._out_of_memory = out_of_memory
        self._free_memory = free_memory
        self._log = log
        self._shrinking = threading.Lock()

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of uint8 (n, side, side, 3), any n >= 1: float32 (n, dim).

        Raises:
            EngineError: not even one image fits.
        """
        rows: list[NDArray[np.float32]] = []
        done = 0
        while done < len(images):
            size = self.size
            piece = images[done : done + size]
            try:
                rows.append(self._forward(_filled_up(piece, size))[: len(piece)])
            except self._out_of_memory as error:
                self._shrink(size, str(error))
                continue
            done += len(piece)
        return np.concatenate(rows)

    def _shrink(self, failed: int, reason: str) -> None:
        with self._shrinking:
            self._free_memory()
            if self.size < failed:  # another caller has shrunk it meanwhile
                return
            if failed == 1:
                raise EngineError(
                    f"the device has no memory for even one image ({reason}); free some, or set RAKUTEN_DEVICE=cpu"
                )
            self.size = failed // 2
            self._log(f"the device has no memory for {failed} images at once; going on with {self.size}")


def _filled_up(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if len(images) == size:
        return images
    filled = np.zeros((size, *images.shape[1:]), np.uint8)
    filled[: len(images)] = images
    return filled
