"""A bucket's images on this machine's disk, by content: each is fetched once, not once by every step that reads it.

- only what a scan has found is looked for here: its sha256 says which bytes, and that a copy is whole
- a scan itself reads the bucket, so that a replaced image is noticed as before
- any number of processes share the folder; a copy is written whole and renamed into place
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

from upath import UPath

from rakuten_assets.storage.files import is_local, sha256_of_bytes
from rakuten_assets.storage.leftovers import TEMPORARY_SUFFIX
from rakuten_assets.storage.reading import read_bytes

GIGABYTE = 10**9
UNUSED_SECONDS = 30 * 86_400
_USED_SECONDS = 86_400  # How exactly it is known when a copy was last used.
_COUNTED_SECONDS = 600  # Other processes write too.
_SHARE_OF_THE_DISK_LEFT = 10
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOG = logging.getLogger(__name__)


class ContentCache:
    """Copies of files by the sha256 of their content. Thread-safe.

    What has not been used for 30 days goes; once the cache is full, nothing is added: of images that are read in turn,
    as each run and each epoch does, the oldest copy is the next to be wanted. The last tenth of the disk is left free.

    Args:
        folder: made on the first write, for this user alone.
        most_bytes: 0: nothing is kept and nothing looked for.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        self._lock = threading.Lock()
        self._room, self._counted_at = 0, float("-inf")
        self._closed = False

    def get(self, sha256: str) -> bytes | None:
        """The content with this digest, hexadecimal; None where there is no whole copy of it."""
        if not self.most_bytes or not _SHA256.fullmatch(sha256):
            return None
        file = self._file(sha256)
        try:
            content = file.read_bytes()
            if sha256_of_bytes(content) != sha256:
                file.unlink(missing_ok=True)
                return None
            if time.time() - file.stat().st_mtime > _USED_SECONDS:
                os.utime(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._close(error)
            return None
        return content

    def put(self, sha256: str, content: bytes) -> None:
        """Keep a content, if there is room; its digest must be `sha256`."""
        if not self.most_bytes or self._closed or not content:
            return
        file = self._file(sha256)
        try:
            if file.exists() or not self._has_room(len(content)):
                return
            file.parent.mkdir(exist_ok=True)
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
            if time.monotonic() - self._counted_at > _COUNTED_SECONDS:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                disk = shutil.disk_usage(self.folder)
                left = disk.free - disk.total // _SHARE_OF_THE_DISK_LEFT
                self._room = min(self.most_bytes - self._tidied(), left)
                self._counted_at = time.monotonic()
            if size > self._room:
                return False
            self._room -= size
            return True

    def _tidied(self) -> int:
        """Bytes of the copies, once those are gone that nothing has used for long."""
        now, total = time.time(), 0
        for part in self.folder.iterdir():
            with suppress(NotADirectoryError, FileNotFoundError), os.scandir(part) as entries:
                for entry in entries:
                    status = entry.stat()
                    unfinished = entry.name.endswith(TEMPORARY_SUFFIX)
                    if now - status.st_mtime > (_USED_SECONDS if unfinished else UNUSED_SECONDS):
                        with suppress(FileNotFoundError):
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


def default_folder() -> Path:
    """Where users' programs keep what they could fetch again: in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(named) if os.path.isabs(named) else Path(os.path.expanduser("~/.cache"))  # noqa: PTH111, PTH117
    return home / "rakuten_assets" / "images"


_cache = ContentCache(default_folder(), 0)


def keep_images(most_bytes: int) -> None:
    """How many bytes of images this process may keep on the disk, in `default_folder()`; until then, none."""
    global _cache
    folder = default_folder()
    if (_cache.folder, _cache.most_bytes) != (folder, most_bytes):
        _cache = ContentCache(folder, most_bytes)


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
