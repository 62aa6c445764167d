"""Files on a folder or a bucket: atomic writes and content hashes. The one place that does either.

A reader sees the old file or the new one, never a half, and an error while writing leaves the old one:

- a local write goes to a temporary file in the same folder, is flushed to the disk and then renamed over the target;
- an object store gets the whole content in one upload, which it completes in one step or not at all;
- any other file system completes whatever was sent when the file is closed, so the content goes to a temporary name
  there and takes the target's when it is whole.

Every failed write is a `WriteError`: one sentence with the file, the reason and the way out.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeGuard

from upath import UPath

from rakuten_assets.errors import StoreError, WriteError
from rakuten_assets.storage.leftovers import TEMPORARY_SUFFIX, hold, remove_temporary_files, temporary_name
from rakuten_assets.storage.transient import client_errors
from rakuten_assets.storage.written import record_write

__all__ = [
    "TEMPORARY_SUFFIX", "atomic_file", "atomic_path", "create_bytes", "identity", "is_local", "is_settled",
    "move_file", "sha256_of_bytes", "sha256_of_file", "way_out", "ways_out", "write_bytes",
    "write_errors_told",
]  # fmt: skip

_CHUNK_BYTES = 1 << 20
_NANOSECONDS_OF_A_FRESH_FILE = 2_000_000_000
# Those whose `pipe_file` and `put_file` show the object when the last byte has arrived, and abort on an error.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_PERMISSION = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def is_local(path: Path | UPath) -> TypeGuard[Path]:
    """Whether `path` lies on a file system that this process can memory-map."""
    return isinstance(path, Path) and getattr(path, "protocol", "") in ("", "file", "local")


def identity(path: Path | UPath) -> str:
    """What a stored file is, wherever its storage lies: `image_scan/03.parquet`.

    Digests are taken over it too, so that a file in the place of another is noticed.
    """
    whole = Path(path).absolute() if is_local(path) else path
    return f"{whole.parent.name}/{whole.name}"


def is_settled(status: os.stat_result) -> bool:
    """Whether any later change of a local file shows in its times. A file so young that it may change again within one
    tick of the file system's clock is not settled: a digest of it must not be remembered by its times.
    """
    return time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _NANOSECONDS_OF_A_FRESH_FILE


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; at the end it becomes `target`, on an error it is removed.

    For writers that need a path (a memory map). The file's bytes and then the folder's entry are flushed to the disk
    before the block ends.

    Raises:
        WriteError: if it cannot be written.
    """
    with _replacing(target, temporary_name(target.name, locked=False)) as temporary:
        yield temporary


@contextmanager
def atomic_file(target: Path | UPath) -> Iterator[IO[bytes]]:
    """Yield a binary file whose content replaces `target` when the block ends without an error.

    Raises:
        WriteError: if it cannot be written.
    """
    local = _local(target)
    if local is not None:
        with _replacing(local, temporary_name(local.name)) as temporary, temporary.open("wb") as file:
            hold(file.fileno())
            yield file
            file.flush()
        return
    # Buffered here, so that an error inside the block sends nothing.
    buffer = io.BytesIO()
    yield buffer
    content = buffer.getvalue()
    record_write(target, lambda: sha256_of_bytes(content))
    _upload(target, lambda store, path: store.pipe_file(path, content))


def write_bytes(target: Path | UPath, content: bytes) -> None:
    """Replace `target` by `content`, atomically.

    Raises:
        WriteError: if it cannot be written.
    """
    with atomic_file(target) as file:
        file.write(content)


def create_bytes(target: Path | UPath, content: bytes) -> bool:
    """Write `content` where there is no `target` yet; of several writers one wins. Returns whether this one did.

    On file systems without a conditional write the last of two simultaneous writers wins: read it again.

    Raises:
        WriteError: if it cannot be written.
    """
    local = _local(target)
    if local is None:
        return _create_object(target, content)
    with write_errors_told(local):
        local.parent.mkdir(parents=True, exist_ok=True)
        temporary = local.with_name(temporary_name(local.name))
        try:
            temporary.write_bytes(content)
            _flush_file(temporary)
            try:
                os.link(temporary, local)
            except FileExistsError:
                return False
            except OSError:  # No links on this file system. Of two renames at once the later one stays.
                if local.exists():
                    return False
                temporary.replace(local)
            _flush_folder(local.parent)
        finally:
            temporary.unlink(missing_ok=True)
    return True


def move_file(source: Path, target: Path | UPath) -> None:
    """Put a finished local file in place of `target`, atomically. Nothing is left of `source`.

    Raises:
        WriteError: if it cannot be written; `target` is what it was.
    """
    local = _local(target)
    record_write(local or target, lambda: sha256_of_file(source))
    if local is None:
        _upload(target, lambda store, path: store.put_file(str(source), path))
        source.unlink()
        return
    with write_errors_told(local):
        local.parent.mkdir(parents=True, exist_ok=True)
        try:
            _flush_file(source)
            source.replace(local)
            _flush_folder(local.parent)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with atomic_file(local) as file, source.open("rb") as content:
                shutil.copyfileobj(content, file, _CHUNK_BYTES)
            source.unlink()


@contextmanager
def write_errors_told(target: Path | UPath) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `WriteError` about `target`.

    Raises:
        WriteError: with the file, the reason and the way out.
    """
    try:
        yield
    except (StoreError, FileNotFoundError):  # A missing file is the caller's mistake, not the disk's.
        raise
    except OSError as error:
        raise WriteError(_sentence(target, error), error.errno) from error


def sha256_of_bytes(content: Any) -> str:
    """Hexadecimal sha256 of a bytes-like object."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_json(value: Any) -> str:
    """Hexadecimal sha256 of a value as canonical JSON: the order of a mapping's keys does not count."""
    return sha256_of_bytes(json.dumps(value, sort_keys=True).encode())


def sha256_of_file(path: Path | UPath) -> str:
    """Hexadecimal sha256 of a file's content, read in pieces of 1 MiB.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it cannot be read.
    """
    digest = hashlib.sha256()
    with client_errors(path), path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _replacing(target: Path, name: str) -> Iterator[Path]:
    with write_errors_told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_temporary_files(target.parent, target.name)
        temporary = target.with_name(name)
        try:
            yield temporary
            _flush_file(temporary)
            record_write(target, lambda: sha256_of_file(temporary))
            temporary.replace(target)
            _flush_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _local(target: Path | UPath) -> Path | None:
    """`target` as a plain path; None if it lies on a bucket. A `file:` address is the path that it names."""
    if is_local(target):
        return Path(target)
    return Path(UPath(target).path) if getattr(target, "protocol", "") in ("file", "local") else None


def _upload(target: Any, send: Callable[[Any, str], object]) -> None:
    """Put an object in place with `send(file system, path)`, which may leave half of it when it fails."""
    store = target.fs
    try:
        if target.protocol in _OBJECT_STORES:
            send(store, target.path)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(temporary_name(target.name)).path
        try:
            send(store, temporary)
            _rename(store, temporary, target.path)
        except BaseException:
            with suppress(Exception):  # The first error is the one to tell.
                store.rm_file(temporary)
            raise
    except Exception as error:  # Each store's client has errors of its own.
        raise WriteError(_sentence(target, error), getattr(error, "errno", None)) from error


def _rename(store: Any, source: str, target: str) -> None:
    try:
        store.cp_file(source, target)
    except NotImplementedError:  # One that has no copies has renames.
        store.mv(source, target)
    else:
        store.rm_file(source)


def _create_object(target: Any, content: bytes) -> bool:
    if target.protocol in _OBJECT_STORES:
        try:
            _upload(target, lambda store, path: store.pipe_file(path, content, mode="create"))
        except WriteError as error:
            if isinstance(error.__cause__, FileExistsError):
                return False
            raise
        return True
    if target.exists():
        return False
    _upload(target, lambda store, path: store.pipe_file(path, content))
    return True


def _sentence(target: Path | UPath, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return (
        f"{target} cannot be written: {reason}; what was stored before is intact: {ways_out(target, error)}"
    )


def ways_out(target: Path | UPath, error: BaseException) -> str:
    """What a person can do where the pipeline could not write `target`, as the end of a sentence."""
    return (
        f"{way_out(target, error) or 'mend that'}, or choose another folder (the pipeline's is RAKUTEN_STORAGE), and "
        "run again"
    )


def way_out(target: Path | UPath, error: BaseException) -> str | None:
    """What a person can do about `target` that could not be written, as a part of a sentence; None: not known."""
    number = getattr(error, "errno", None)
    if number in _NO_ROOM:
        return "make room on its disk"
    if not is_local(target):
        return "see that it answers and that this account may write there"
    if number in _NO_PERMISSION:
        folder = next((parent for parent in Path(target).absolute().parents if parent.exists()), "it")
        return f"give this user write permission on {folder}"
    return None


def _flush_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is journaled by the file system.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
