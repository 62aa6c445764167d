import threading

import numpy as np
import pytest

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines.batching import ShrinkingBatch, fitting_batch


class OutOfMemoryError(RuntimeError):
    pass


class Device:
    """Holds `room` images at most; a feature is an image's first value."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sizes: list[int] = []
        self.freed = 0

    def forward(self, images: np.ndarray) -> np.ndarray:
        if len(images) > self.room:
            raise OutOfMemoryError(f"tried {len(images)}")
        self.sizes.append(len(images))
        return images[:, 0, 0, :1].astype(np.float32)

    def free(self) -> None:
        self.freed += 1


def images(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)


def opened(device: Device, size: int, messages: list[str] | None = None) -> ShrinkingBatch:
    log = (messages if messages is not None else []).append
    return ShrinkingBatch(device.forward, size, OutOfMemoryError, device.free, log)


@pytest.mark.parametrize("room", [1, 2, 3, 7, 16, 100])
@pytest.mark.parametrize("count", [1, 5, 16, 40])
def test_rows_are_right_whatever_fits(room: int, count: int) -> None:
    run = opened(Device(room), 16)
    assert list(run(images(count))[:, 0]) == list(range(count))
    assert run.size <= max(room, 1)


def test_every_call_has_the_same_size() -> None:
    device = Device(100)
    opened(device, 8)(images(19))
    assert device.sizes == [8, 8, 8]


def test_out_of_memory_halves_once_and_is_told() -> None:
    device, messages = Device(5), []
    run = opened(device, 16, messages)
    run(images(16))
    assert run.size == 4
    assert device.freed == 2
    assert messages == [
        "the device has no memory for 16 images at once; going on with 8",
        "the device has no memory for 8 images at once; going on with 4",
    ]
    run(images(16))
    assert len(messages) == 2


def test_not_even_one_image_ends_the_run() -> None:
    with pytest.raises(EngineError, match=r"no memory for even one image \(tried 1\).*RAKUTEN_DEVICE=cpu"):
        opened(Device(0), 4)(images(4))


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    def broken(batch: np.ndarray) -> np.ndarray:
        raise RuntimeError("a defect")

    run = ShrinkingBatch(broken, 4, OutOfMemoryError, lambda: None, lambda message: None)
    with pytest.raises(RuntimeError, match="a defect"):
        run(images(4))


def test_callers_that_fail_together_halve_together() -> None:
    """Four threads run out of memory at the same size: the size halves once, not four times."""
    barrier = threading.Barrier(4)

    def forward(batch: np.ndarray) -> np.ndarray:
        if len(batch) > 8:
            barrier.wait()
            raise OutOfMemoryError
        return batch[:, 0, 0, :1].astype(np.float32)

    messages: list[str] = []
    run = ShrinkingBatch(forward, 16, OutOfMemoryError, lambda: None, messages.append)
    threads = [threading.Thread(target=run, args=(images(16),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run.size == 8
    assert len(messages) == 1


def test_a_batch_that_fits() -> None:
    assert fitting_batch(64, 1e6, 10**9) == 64
    assert fitting_batch(64, 1e8, 10**9) == 8
    assert fitting_batch(64, 1e12, 10**9) == 1
