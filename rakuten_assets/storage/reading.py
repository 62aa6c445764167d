"""Reading from a folder or a bucket: one request a file, many at a time.

A bucket answers each request after 10 to 100 ms, whatever its size. So a file is one GET (its size is not asked for
first), files that will be needed are fetched ahead of their turn on more threads than there are cores, and a listing is
never taken from the client's memory: another process may have written since.
"""

from __future__ import annotations

import functools
import io
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, TypeVar

import fsspec.config
from upath import UPath

from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.transient import client_errors

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECTIONS = 16
"""Requests that are under way at a time. More gain little from one machine, and stores begin to refuse them."""
_AHEAD = 4 * CONNECTIONS
# Fetched and not yet asked for, or on the way: 2,000 of the challenge's images, or a few of the largest allowed.
_MOST_BYTES_AHEAD = 64_000_000
_HEAD_BYTES = 4096
_SOME = 20
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")


def at_address(text: str) -> UPath:
    """A folder's path or a bucket's address (`s3://bucket/folder`) as an object.

    `file:///x` is `/x`, and `~` the home folder. A bucket's client takes its options from its own variables
    (`AWS_ENDPOINT_URL`, ...) and from fsspec's (`FSSPEC_S3='{"anon": true}'`).

    Raises:
        ValueError: for an address of an unknown kind, or one whose client is not installed.
    """
    plain = re.sub(r"^(file|local)://", "", text)
    path = os.path.expanduser(plain)  # noqa: PTH111 - may be a bucket
    if path == plain and plain.startswith("~"):
        raise ValueError(f"no home folder is known for {plain.split('/')[0]}; write the whole path")
    kind = _ADDRESS.match(path)
    if kind is None:
        return UPath(path)
    if "//" in path[kind.end() :]:
        raise ValueError("an address with // within it has a folder without a name; write one slash")
    try:
        place: UPath = UPath(path, **_options(kind[1]))
        place.fs  # noqa: B018 - makes the client, which asks the bucket for nothing yet
    except ImportError as error:
        package = _PACKAGES.get(kind[1])
        way_out = "pip install 'rakuten_assets[s3]'" if package == "s3fs" else f"pip install {package}"
        reason = f"needs the package {package}: {way_out}" if package else str(error)
        raise ValueError(f"an address {kind[1]}://... {reason}") from None
    except (ValueError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f"{kind[1]}://... is no address that can be opened ({error}); a folder's path or s3://bucket/folder can"
        ) from None
    return place


def read_bytes(path: Path | UPath, most: int | None = None) -> bytes:
    """A file's content, or its first `most` bytes. One request on a bucket.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it cannot be read.
    """
    if is_local(path):
        if most is None:
            return path.read_bytes()
        with path.open("rb") as file:
            return file.read(most)
    with client_errors(path):
        return _of_bucket(path, most)


def open_sized(path: UPath, size: int) -> IO[bytes]:
    """A file on a bucket, of a size that a listing has told: to be read in few places."""
    file: Any = _SizedFile(path, size)
    opened: IO[bytes] = file
    return opened


class _SizedFile(io.RawIOBase):
    """A file on a bucket whose size a listing has told: each read is one request, of few bytes at the file's head and
    else of what is asked for.

    Args:
        path: on a bucket.
        size: in bytes.
    """

    def __init__(self, path: UPath, size: int) -> None:
        self._path, self._size, self._at = path, size, 0
        self._head: bytes | None = None

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._size if size < 0 else min(self._at + size, self._size)
        start, self._at = self._at, max(self._at, stop)
        if stop <= start:
            return b""
        if stop > _HEAD_BYTES:
            return self._fetched(start, stop)
        if self._head is None:
            self._head = self._fetched(0, min(_HEAD_BYTES, self._size))
        return self._head[start:stop]

    def _fetched(self, start: int, stop: int) -> bytes:
        with client_errors(self._path):
            return _of_bucket(self._path, stop, start)


def on_bucket(files: Sequence[Path | UPath]) -> bool:
    """Whether files, which are all in one place, lie on a bucket."""
    return len(files) > 0 and not is_local(files[0])


def bucket_files(folder: Path | UPath) -> dict[str, dict[str, Any]]:
    """Name of each file in a bucket's folder, and what its listing says of it: one request for 1,000 files.

    Raises:
        FileNotFoundError: if there is nothing in it.
        NotADirectoryError: if it is a file.
    """
    named = (
        (entry["name"].rpartition("/")[2], entry) for entry in _listed(folder) if entry["type"] == "file"
    )
    return {name: entry for name, entry in named if name}  # without a name: what some tools put for a folder


def listed_files(folder: Path | UPath) -> Iterator[tuple[str, dict[str, Any]]]:
    """As `bucket_files`, page by page where the store can: of millions of files not all are in memory.

    Raises:
        FileNotFoundError: if there is nothing in it; not on S3, where that is a folder without files.
        NotADirectoryError: if it is a file; not on S3.
        OSError: a bucket refuses to say; an `UnreachableError`, where it did not answer.
    """
    far: Any = folder
    if far.protocol not in ("s3", "s3a"):
        yield from bucket_files(folder).items()
        return
    going_on: dict[str, str] = {}
    while True:
        page = _page(folder, **going_on)
        for entry in page.get("Contents", ()):
            if name := entry["Key"].rpartition("/")[2]:
                yield name, {**entry, "size": entry["Size"]}
        if not page.get("IsTruncated"):
            return
        going_on = {"ContinuationToken": page["NextContinuationToken"]}


def _page(folder: Any, **options: Any) -> dict[str, Any]:
    """A page of an S3 bucket's listing, as S3 gives it."""
    bucket, key, _ = folder.fs.split_path(folder.path)
    where = {"Bucket": bucket, "Prefix": f"{key.rstrip('/')}/" if key else "", "Delimiter": "/"}
    with client_errors(folder):
        page: dict[str, Any] = folder.fs.call_s3("list_objects_v2", **where, **options)
    return page


def bucket_folders(folder: Path | UPath) -> list[str]:
    """Names of the folders in a bucket's folder. Errors as `bucket_files`."""
    names = (entry["name"].rstrip("/") for entry in _listed(folder) if entry["type"] == "directory")
    return sorted(name.rpartition("/")[2] for name in names)


def _listed(folder: Path | UPath) -> list[dict[str, Any]]:
    far: Any = folder
    with client_errors(folder):
        far.fs.invalidate_cache(far.path)
        found: list[dict[str, Any]] = far.fs.ls(far.path, detail=True)
    # Of a file, clients give itself.
    if any(entry["type"] == "file" and entry["name"] == far.path.rstrip("/") for entry in found):
        raise NotADirectoryError(f"{folder} is a file")
    return found


def is_folder(path: Path | UPath) -> bool:
    """Whether there is such a folder; of a bucket's, whether anything lies below it. (`is_dir` of a path on a bucket
    lists all that does.)

    Raises:
        OSError: a bucket refuses to say; an `UnreachableError`, where it did not answer.
    """
    return path.is_dir() if is_local(path) else _kind(path) == "directory"


def some_files(folder: Path | UPath) -> list[str]:
    """Names of the first files in a bucket's folder, of all where the store can only list them all; those that begin
    with a dot apart."""
    far: Any = folder
    if far.protocol in ("s3", "s3a"):
        page = _page(folder, MaxKeys=_SOME)
        names = [entry["Key"].rpartition("/")[2] for entry in page.get("Contents", ())]
        if (seen := _visible(names)) or not page.get("IsTruncated"):
            return seen
    try:
        return _visible(bucket_files(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_file(path: Path | UPath) -> bool:
    """Whether a file is there. (`is_file` of a path on a bucket says no where the bucket did not answer.)

    Raises:
        OSError: a bucket refuses to say; an `UnreachableError`, where it did not answer.
    """
    return path.is_file() if is_local(path) else _kind(path) == "file"


def _kind(path: Path | UPath) -> str:
    """What a bucket has under a name: "file", "directory" or "" for nothing."""
    far: Any = path
    try:
        with client_errors(path):
            return str(far.fs.info(far.path)["type"])
    except (FileNotFoundError, NotADirectoryError):
        return ""


def file_size(path: Path | UPath) -> int:
    """Bytes of a file."""
    if is_local(path):
        return path.stat().st_size
    far: Any = path
    with client_errors(path):
        return int(far.fs.info(far.path)["size"])


def read_together(
    read: Callable[[Item], Result], items: Sequence[Item], far: bool
) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Each item, and a function that gives `read(item)` or raises what it raised.

    `far`: all are begun at once, many at a time; else each is read when its function is called.
    """
    if not far or len(items) < 2:
        yield from ((item, functools.partial(read, item)) for item in items)
        return
    pool = ThreadPoolExecutor(min(CONNECTIONS, len(items)), thread_name_prefix="read")
    try:
        yield from zip(items, [pool.submit(read, item).result for item in items], strict=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class ReadAhead(Generic[Item, Result]):
    """What `read` gives for each of a sequence of items; of a bucket, fetched ahead of being asked for.

    Thread-safe. Items are asked for about in their order, each once.

    Args:
        items: files, or what says which.
        read: gives bytes, or something small in their place. What it raises, `get` raises.
        far: whether what is read lies on a bucket; else it is read when it is asked for.
    """

    def __init__(self, items: Sequence[Item], read: Callable[[Item], Result], far: bool) -> None:
        self._items, self._read = items, read
        self._pool: ThreadPoolExecutor | None = None
        if far and len(items) > 1:
            self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="read-ahead")
        self._lock = threading.Lock()
        self._begun: dict[int, Future[Result]] = {}
        self._asked = self._next = 0
        self._running = self._bytes = self._largest = 0
        self._ended = False

    def __enter__(self) -> ReadAhead[Item, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            with self._lock:
                self._ended = True
            self._pool.shutdown(wait=True, cancel_futures=True)

    def get(self, position: int) -> Result:
        """What `read` gives for the item at this position."""
        if self._pool is None:
            return self._read(self._items[position])
        with self._lock:
            future = self._begun.pop(position, None)
            self._asked = max(self._asked, position)
            self._next = max(self._next, position + 1)
            self._begin(self._pool)
        if future is None:  # asked for before it was begun
            return self._read(self._items[position])
        result = future.result()
        with self._lock:
            self._bytes -= _size(result)
            self._begin(self._pool)
        return result

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        """Begin to fetch the next items, unless what waits is too much already. The lock is held."""
        last = min(self._asked + _AHEAD, len(self._items))
        while (
            self._next < last
            and self._running < CONNECTIONS
            and self._bytes + self._running * self._largest < _MOST_BYTES_AHEAD
            and not self._ended
        ):
            self._running += 1
            self._begun[self._next] = pool.submit(self._fetch, pool, self._items[self._next])
            self._next += 1

    def _fetch(self, pool: ThreadPoolExecutor, item: Item) -> Result:
        size = 0
        try:
            result = self._read(item)
            size = _size(result)
            return result
        finally:
            with self._lock:
                self._running -= 1
                self._bytes += size
                self._largest = max(
                    size, self._largest // 2
                )  # of the last few: what is on the way may be as large
                self._begin(pool)


def _options(kind: str) -> dict[str, Any]:
    """What a client is told beside its own variables."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if kind in ("s3", "s3a"):  # It would open ten connections.
        given = fsspec.config.conf.get(kind, {}).get("config_kwargs", {})
        options["config_kwargs"] = {"max_pool_connections": CONNECTIONS, **given}
    return options


def _visible(names: Iterable[str]) -> list[str]:
    return [name for name in names if name and not name.startswith(".")]


def _size(result: object) -> int:
    return len(result) if isinstance(result, bytes) else 0


def _of_bucket(path: Any, stop: int | None, start: int = 0) -> bytes:
    # s3fs asks for the size first where it may fetch parts side by side.
    alone = {"max_concurrency": 1} if path.protocol in ("s3", "s3a") else {}
    if stop is None:
        content: bytes = path.fs.cat_file(path.path, **alone)
        return content
    try:
        content = path.fs.cat_file(path.path, start=start, end=stop, **alone)
    except FileNotFoundError:
        raise
    except Exception:
        if path.fs.info(path.path)["size"]:
            raise
        return b""  # of an empty object there is no range
    return content
