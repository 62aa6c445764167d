"""A budget of memory that threads share: several giants at once wait for one another, small images never do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rakuten_assets.runtime.machine import release_free_memory

# What every thread may take without asking: a photo of 1.7 megapixels.
_SMALL = 12_000_000

# From here on what was freed goes back to the system before the next one starts: the C library would keep it for each
# thread, and the threads together would hold several giants' worth.
_GIANT = 100_000_000


class MemoryBudget:
    """Bytes that threads hold together. Who asks for more than its limit leaves waits; who asks for more than the
    limit itself waits to be alone.

    Asking again while holding some would wait for itself: take everything that an image needs at once.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, count: int, limit: int) -> Iterator[None]:
        """Hold `count` bytes inside the block, so that no more than `limit` are held by all; 0: hold them alone."""
        if count <= _SMALL:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + count <= limit)
            self._taken += count
        try:
            yield
        finally:
            if count > _GIANT:
                release_free_memory()
            with self._changed:
                self._taken -= count
                self._changed.notify_all()


DECODING = MemoryBudget()
"""The budget of every decode in this process."""
