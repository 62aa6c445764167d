"""What a stretch of work wrote: files, and digests taken before each takes its place, so that no later change of a file
counts as written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

_thread = threading.local()


@contextmanager
def writes_recorded() -> Iterator[dict[str, str]]:
    """Yield a mapping of path -> hexadecimal sha256, which grows by each file that this thread writes in the block.

    A file that is written twice has the later digest.

    Raises:
        RuntimeError: inside another such block.
    """
    if is_recording():
        raise RuntimeError("this thread's writes are being recorded already")
    _thread.written = {}
    try:
        yield _thread.written
    finally:
        del _thread.written


def is_recording() -> bool:
    """Whether digests of what this thread writes are asked for."""
    return hasattr(_thread, "written")


def record_write(target: Path | UPath, sha256: str) -> None:
    """Take note of a file that is about to take its place, where that is asked for."""
    if is_recording():
        _thread.written[str(target)] = sha256
