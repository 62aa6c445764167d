"""Local copies of a bucket's arrays: a matrix is mapped, not held, and a process fetches it once, not a dozen times."""

from __future__ import annotations

import atexit
import errno
import functools
import os
import threading
import uuid
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.storage.files import sha256_of_file
from rakuten_assets.storage.leftovers import Lease, lease_folder, temporary_parent
from rakuten_assets.storage.transient import client_errors

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
            StoreError: if there is no room for a copy.
        """
        with client_errors(path):
            version = f"{path} {path.fs.ukey(path.path)}"
        with self._lock:
            self._uses[version] += 1
        try:
            copy = self._kept.get(version)
            if copy is None or not copy.path.exists():  # temporary folders are swept on some machines
                copy = self._fetch(path, version)
            yield copy
        finally:
            self._end_use(version, os.getpid())

    def map(self, copy: Copy) -> npt.NDArray[Any]:
        """The array of a copy in use, memory-mapped and read-only; the file stays while the array lives."""
        with self._lock:
            self._kept.pop(copy.version, None)
            self._kept[copy.version] = copy
            self._uses[copy.version] += 1
        array: npt.NDArray[Any] = np.load(copy.path, mmap_mode="r", allow_pickle=False)
        weakref.finalize(array, self._end_use, copy.version, os.getpid())
        return array

    def _fetch(self, path: UPath, version: str) -> Copy:
        file = _folder() / uuid.uuid4().hex
        try:
            with client_errors(path):
                path.fs.get_file(path.path, str(file))
            fetched = Copy(version, file, sha256_of_file(file))
        except BaseException as error:
            file.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreError(
                    f"{path} cannot be copied to {file.parent}: {error.strerror}; make room there, or set TMPDIR to a "
                    "folder that has it"
                ) from None
            raise
        with self._lock:
            if (
                kept := self._kept.get(version)
            ) is not None and kept.path.exists():  # another thread was faster
                file.unlink()
                return kept
            self._kept[version] = fetched
        return fetched

    def _end_use(self, version: str, owner: int) -> None:
        if os.getpid() != owner:  # a forked process's copy of the parent's array
            return
        with self._lock:
            self._uses[version] -= 1
            if not self._uses[version] and version not in self._kept:
                del self._uses[version]
            idle = [one for one in list(self._kept) if not self._uses[one]]
            for one in idle[:-_MOST_IDLE]:
                if (copy := self._kept.pop(one, None)) is not None:
                    with suppress(OSError):  # Windows: while it is mapped
                        copy.path.unlink(missing_ok=True)
                    self._uses.pop(one, None)


COPIES = Copies()


@functools.cache
def _folder() -> Path:
    """This process's folder.

    Raises:
        StoreError: if none can be made.
    """
    try:
        lease = lease_folder(temporary_parent())
    except OSError as error:
        raise StoreError(
            f"no folder for copies of a bucket's arrays can be made: {error}; set TMPDIR to a folder that this user "
            "may write to"
        ) from None
    atexit.register(_release, lease, os.getpid())
    return lease.path


def _release(lease: Lease, owner: int) -> None:
    if os.getpid() == owner:
        lease.release()
