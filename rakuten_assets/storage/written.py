"""What a stretch of work wrote: files, and digests taken before each takes its place, so that no later change of a file
counts as written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

_thread = threading.local()


@contextmanager
def writes_recorded() -> Iterator[dict[str, str]]:
    """Yield a mapping of path -> hexadecimal sha256, which grows by each file that this thread writes in the block.

    A file that is written twice has the later digest. A later block takes over from one that has not ended: that of a
    generator which was given up is ended whenever its memory is freed, and perhaps by another thread.
    """
    written: dict[str, str] = {}
    _thread.written = written
    try:
        yield written
    finally:
        if getattr(_thread, "written", None) is written:
            del _thread.written


def is_recording() -> bool:
    """Whether digests of what this thread writes are asked for."""
    return hasattr(_thread, "written")


def record_write(target: Path | UPath, sha256: Callable[[], str]) -> None:
    """Take note of a file that is about to take its place; its digest is taken only where that is asked for."""
    if is_recording():
        _thread.written[str(target)] = sha256()


def forget_write(target: Path | UPath) -> None:
    """Take note that a file which was written is removed again, by whoever wrote it."""
    if is_recording():
        _thread.written.pop(str(target), None)
