"""A bucket's images on this machine's disk, by content: each is fetched once, not once by every step that reads it.

- only what a scan has found is looked for here: its sha256 says which bytes, and that a copy is whole
- a scan itself reads the bucket, but for images that its listing says are those of the last scan
- any number of processes share the folder; a copy is written whole and renamed into place
"""

from __future__ import annotations

import functools
import logging
import os
import re
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from upath import UPath

from rakuten_assets.storage.files import is_local, sha256_of_bytes
from rakuten_assets.storage.leftovers import TEMPORARY_SUFFIX
from rakuten_assets.storage.reading import read_bytes

GIGABYTE = 10**9
UNUSED_SECONDS = 30 * 86_400
_USED_SECONDS = 86_400  # How exactly it is known when a copy was last used.
_SHARE_AT_A_TIME = 100
# What lies in a copy's place may be anything: a link is not followed, and a pipe not waited for.
_READ_COPY = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
_FULL_SECONDS = 600  # Until a full cache is counted again.
BYTES_LEFT_FREE = 5 * GIGABYTE
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[0-9a-f]{2}")
_UNFINISHED = re.compile(rf"\.[0-9a-f]{{32}}{re.escape(TEMPORARY_SUFFIX)}")
_LOG = logging.getLogger(__name__)


class ContentCache:
    """Copies of files by the sha256 of their content. Thread-safe.

    What has not been used for 30 days goes; once the cache is full, nothing is added: of images that are read in turn,
    as each run and each epoch does, the oldest copy is the next to be wanted. The last 5 GB of the disk are left free.

    Args:
        folder: made on the first write, for this user alone.
        most_bytes: 0: nothing is kept and nothing looked for.
        free: bytes that are free on a folder's disk; default: the system is asked.
    """

    def __init__(self, folder: Path, most_bytes: int, free: Callable[[Path], int] | None = None) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        self._free = free or (lambda place: shutil.disk_usage(place).free)
        self._lock = threading.Lock()
        self._room, self._full_until = 0, float("-inf")
        self._closed = False

    def get(self, sha256: str) -> bytes | None:
        """The content with this digest, hexadecimal; None where there is no whole copy of it."""
        if not self.most_bytes or not _SHA256.fullmatch(sha256):
            return None
        file = self._file(sha256)
        try:
            content, used_at = _read(file)
        except OSError:
            return None
        if sha256_of_bytes(content) != sha256:
            with suppress(OSError):
                file.unlink(missing_ok=True)
            return None
        if time.time() - used_at > _USED_SECONDS:
            with suppress(OSError):  # It may be another user's.
                os.utime(file)
        return content

    def put(self, sha256: str, content: bytes) -> None:
        """Keep a content, if there is room; its digest must be `sha256`."""
        if not self.most_bytes or self._closed or not content:
            return
        file = self._file(sha256)
        try:
            if file.exists() or not self._has_room(len(content)):
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
            try:
                temporary.write_bytes(content)
                temporary.replace(file)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            self._close(error)

    def _file(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def _has_room(self, size: int) -> bool:
        """Take so many bytes of the room that is left."""
        with self._lock:
            if size > self._room and time.monotonic() > self._full_until:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                left = self._free(self.folder) - BYTES_LEFT_FREE
                # Little at a time: other processes write too.
                self._room = min(
                    self.most_bytes - self._tidied(), left, max(size, self.most_bytes // _SHARE_AT_A_TIME)
                )
                if size > self._room:
                    self._full_until = time.monotonic() + _FULL_SECONDS
            if size > self._room:
                return False
            self._room -= size
            return True

    def _tidied(self) -> int:
        """Bytes of the copies, once those are gone that nothing has used for long. Nothing else is touched."""
        now, total = time.time(), 0
        for part in os.scandir(self.folder):
            if not _PART.fullmatch(part.name) or not part.is_dir(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError), os.scandir(part) as entries:
                for entry in entries:
                    kept = _SHA256.fullmatch(entry.name)
                    if not kept and not _UNFINISHED.fullmatch(entry.name):
                        continue
                    with suppress(OSError):  # Another process tidies too.
                        status = entry.stat(follow_symlinks=False)
                        if now - status.st_mtime > (UNUSED_SECONDS if kept else _USED_SECONDS):
                            Path(entry).unlink()
                        else:
                            total += status.st_size
        return total

    def _close(self, error: OSError) -> None:
        """Write nothing more: a cache that the disk refuses is no reason to fail."""
        if not self._closed:
            self._closed = True
            _LOG.warning(
                "no more images are kept in %s: %s; steps fetch them from the bucket instead. Make it writable, or "
                "name another folder with XDG_CACHE_HOME, or switch it off with RAKUTEN_IMAGE_CACHE_GB=0",
                self.folder,
                error.strerror or error,
            )


def default_folder() -> Path | None:
    """Where users' programs keep what they could fetch again: in `$XDG_CACHE_HOME`, else in `~/.cache`; None where this
    user has no home folder."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = named if os.path.isabs(named) else os.path.expanduser("~/.cache")  # noqa: PTH111, PTH117
    return Path(home) / "rakuten_assets" / "images" if os.path.isabs(home) else None  # noqa: PTH117


_cache = ContentCache(Path(), 0)


def keep_images(most_bytes: int) -> None:
    """How many bytes of images this process may keep on the disk, in `default_folder()`; until then, none."""
    global _cache
    folder = default_folder()
    if folder is None:
        if most_bytes:
            _tell_homeless()
        folder, most_bytes = Path(), 0
    if (_cache.folder, _cache.most_bytes) != (folder, most_bytes):
        _cache = ContentCache(folder, most_bytes)


@functools.cache
def _tell_homeless() -> None:
    _LOG.warning(
        "no images are kept on this machine: this user has no home folder; name a folder with XDG_CACHE_HOME, or "
        "switch it off with RAKUTEN_IMAGE_CACHE_GB=0"
    )


def bytes_kept() -> int:
    """What `keep_images` was last told: for processes that begin anew."""
    return _cache.most_bytes


def note_content(file: Path | UPath, sha256: str, content: bytes) -> None:
    """Keep what a scan has read, for those who will ask for it."""
    if not is_local(file):
        _cache.put(sha256, content)


def read_scanned(file: Path | UPath, sha256: str, most: int | None = None) -> bytes:
    """The content that a scan has found in a file: of a bucket's, this machine's copy where there is one.

    Args:
        sha256: of the scanned content, hexadecimal; "" where it is not known. A file that has changed since is read
            as it is, and the caller finds that its digest is another.
        most: bytes to read at most.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it cannot be read.
    """
    if is_local(file) or not sha256:
        return read_bytes(file, most)
    content = _cache.get(sha256)
    if content is None:
        content = read_bytes(file, most)
        if sha256_of_bytes(content) == sha256:
            _cache.put(sha256, content)
    return content


def _read(file: Path) -> tuple[bytes, float]:
    """A regular file's content, and when it was last changed."""
    descriptor = os.open(file, _READ_COPY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{file} is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return opened.read(), status.st_mtime
    finally:
        os.close(descriptor)
