"""Local copies of a bucket's arrays: a matrix is mapped, not held, and fetched once a run instead of a dozen times."""

from __future__ import annotations

import atexit
import functools
import threading
import uuid
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from upath import UPath

from rakuten_assets.storage.files import sha256_of_file
from rakuten_assets.storage.leftovers import lease_folder, temporary_parent
from rakuten_assets.storage.reading import client_errors

# Copies that are kept though nothing uses them: a run opens the same matrices again and again.
_MOST_IDLE = 4


@dataclass(frozen=True)
class Copy:
    """A bucket's file as a local one.

    Attributes:
        version: of the bucket's file, as its store tells versions apart.
        path: the local file.
        sha256: of its content.
    """

    version: str
    path: Path
    sha256: str


class Copies:
    """Copies in this process's scratch folder: those in use, and a few more. Thread-safe."""

    def __init__(self) -> None:
        self._kept: dict[str, Copy] = {}  # by version; the last used stands last
        self._uses: Counter[str] = Counter()
        self._lock = threading.RLock()  # a finalizer may run on the thread that holds it

    @contextmanager
    def of(self, path: UPath) -> Iterator[Copy]:
        """Yield a copy of the file as it is now; fetched where there is none. It stays while the block runs.

        Raises:
            FileNotFoundError: if there is no such file.
            OSError: if it cannot be read.
        """
        with client_errors():
            version = f"{path} {path.fs.ukey(path.path)}"
            self._begin_use(version)
        try:
            if (copy := self._kept.get(version)) is None:
                with client_errors():
                    file = _folder() / uuid.uuid4().hex
                    path.fs.get_file(path.path, str(file))
                fetched = Copy(version, file, sha256_of_file(file))
                copy = self._kept.setdefault(version, fetched)
                if copy is not fetched:  # another thread was faster
                    file.unlink()
            yield copy
        finally:
            self._end_use(version)

    def map(self, copy: Copy) -> npt.NDArray[Any]:
        """The array of a copy in use, memory-mapped and read-only; the file stays while the array lives."""
        with self._lock:
            self._kept[copy.version] = self._kept.pop(copy.version)
        array: npt.NDArray[Any] = np.load(copy.path, mmap_mode="r", allow_pickle=False)
        self._begin_use(copy.version)
        weakref.finalize(array, self._end_use, copy.version)
        return array

    def _begin_use(self, version: str) -> None:
        with self._lock:
            self._uses[version] += 1

    def _end_use(self, version: str) -> None:
        with self._lock:
            self._uses[version] -= 1
            idle = [one for one in self._kept if not self._uses[one]]
            for one in idle[:-_MOST_IDLE]:
                self._kept.pop(one).path.unlink(missing_ok=True)
                del self._uses[one]


COPIES = Copies()


@functools.cache
def _folder() -> Path:
    lease = lease_folder(temporary_parent())
    atexit.register(lease.release)
    return lease.path
