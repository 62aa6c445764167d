"""Files on a folder or a bucket: atomic writes and content hashes. The one place that does either.

A reader sees the old file or the new one, never a half: a local write goes to a temporary file in the same
folder, is flushed to the disk and then renamed over the target; an object store commits on close.
"""

import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeGuard

from upath import UPath

TEMPORARY_SUFFIX = ".partial"
_CHUNK_BYTES = 1 << 20


def is_local(path: Path | UPath) -> TypeGuard[Path]:
    """Whether `path` lies on a file system that this process can memory-map."""
    return isinstance(path, Path) and getattr(path, "protocol", "") in ("", "file", "local")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; at the end it becomes `target`, on an error it is removed.

    For writers that need a path (a memory map, parquet). The file's bytes and then the folder's entry are
    flushed to the disk before the block ends.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        _flush_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_file(target: Path | UPath) -> Iterator[IO[bytes]]:
    """Yield a binary file whose content replaces `target` when the block ends without an error."""
    if not is_local(target) and getattr(target, "protocol", "") in ("file", "local"):
        target = Path(UPath(target).path)  # A `file:` address.
    if is_local(target):
        with atomic_path(Path(target)) as temporary, temporary.open("wb") as file:
            yield file
            file.flush()
        return
    # An object store shows the new object only once the upload is complete. Buffering here keeps an error
    # inside the block from completing an upload of half the content.
    buffer = io.BytesIO()
    yield buffer
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(buffer.getvalue())


def write_bytes(target: Path | UPath, content: bytes) -> None:
    """Replace `target` by `content`, atomically."""
    with atomic_file(target) as file:
        file.write(content)


def sha256_of_bytes(content: Any) -> str:
    """Hexadecimal sha256 of a bytes-like object."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path | UPath) -> str:
    """Hexadecimal sha256 of a file's content, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is journaled by the file system.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
