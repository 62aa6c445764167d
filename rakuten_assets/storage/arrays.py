"""`.npy` files: written whole or filled in place, read without unpickling, checked against what was recorded.

Little-endian, C order, no objects, so that any tool reads them. A record (dtype, shape, bytes, sha256) is made
when the file is and kept apart from it; a file that does not fit its record is refused.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.storage.copies import COPIES
from rakuten_assets.storage.files import (
    atomic_file,
    is_local,
    is_settled,
    move_file,
    sha256_of_bytes,
    sha256_of_file,
    write_errors_told,
)
from rakuten_assets.storage.records import read_record, write_record

Result = TypeVar("Result")

# Files whose content this process has compared with their records: a merge and a check of one matrix read it once.
_verified: dict[Path, tuple[Any, ...]] = {}


@dataclass(frozen=True)
class ArrayRecord:
    """What a `.npy` file must be: dtype as numpy writes it (`<f4`), shape, size in bytes, sha256 of the file."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def from_dict(cls, content: Any) -> ArrayRecord:
        """Raises: StoreError if `content` is not a record."""
        try:
            shape = tuple(int(length) for length in content["shape"])
            return cls(str(content["dtype"]), shape, int(content["bytes"]), str(content["sha256"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"not the record of an array: {error!r}") from None


@dataclass(frozen=True)
class StagedArray:
    """A finished `.npy` file in a scratch folder, to be moved to where it belongs."""

    path: Path
    record: ArrayRecord

    def open(self) -> npt.NDArray[Any]:
        """The array, memory-mapped, read-only."""
        return open_array(self.path, self.record)


def stage_array(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, fill: Callable[[npt.NDArray[Any]], Result]
) -> tuple[StagedArray, Result]:
    """Make a `.npy` file at `path` that `fill` writes through a memory map; it starts as zeros.

    The map is closed before this returns: its pages no longer count as this process's memory.

    Returns:
        The file, and what `fill` returned.

    Raises:
        WriteError: if there is no room for it.
    """
    final = _storable(np.dtype(dtype))
    with write_errors_told(path):
        array = np.lib.format.open_memmap(path, mode="w+", dtype=final, shape=shape)
        _take_room(path)
    result = fill(array)
    array.flush()
    del array
    record = ArrayRecord(final.str, shape, path.stat().st_size, sha256_of_file(path))
    return StagedArray(path, record), result


def stage_rows(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[npt.NDArray[Any]]
) -> StagedArray:
    """Make a `.npy` file at `path` from consecutive blocks of rows, never more than one of them in memory.

    Appended, not memory-mapped: the pages of a mapped file count as this process's memory until they are dropped.

    Raises:
        StoreError: if the blocks are not `shape` together.
        WriteError: if there is no room for them.
    """
    final = _storable(np.dtype(dtype))
    rows = 0
    with write_errors_told(path), path.open("wb") as plain:
        file = _HashingFile(plain)
        header = {"descr": final.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            if block.shape[1:] != shape[1:]:
                raise StoreError(f"{path}: a block of shape {block.shape} does not fit into {shape}")
            file.write(np.ascontiguousarray(block, dtype=final).tobytes())
            rows += len(block)
    if rows != shape[0]:
        raise StoreError(f"{path}: {rows:,} rows were given for an array of shape {shape}")
    return StagedArray(path, ArrayRecord(final.str, shape, file.bytes, file.digest.hexdigest()))


def move_array(staged: StagedArray, target: Path | UPath) -> ArrayRecord:
    """Put a staged file in place of `target`, atomically.

    Raises:
        WriteError: if it cannot be written; `target` is what it was.
    """
    move_file(staged.path, target)
    return staged.record


def write_array(target: Path | UPath, array: npt.NDArray[Any]) -> ArrayRecord:
    """Replace `target` by a `.npy` file of `array`, atomically."""
    content = np.ascontiguousarray(array, dtype=_storable(array.dtype)).reshape(array.shape)
    with atomic_file(target) as file:
        hashing = _HashingFile(file)
        np.lib.format.write_array(hashing, content, allow_pickle=False)
    return ArrayRecord(content.dtype.str, content.shape, hashing.bytes, hashing.digest.hexdigest())


def open_array(path: Path | UPath, record: ArrayRecord | None = None) -> npt.NDArray[Any]:
    """The array in a `.npy` file, memory-mapped and read-only; of a bucket, a copy in the system's temporary folder.

    Header, size and, if there is a record, the sha256 of the whole file are compared first.

    Raises:
        FileNotFoundError: if there is no file.
        StoreError: if it is not a whole `.npy` file, holds objects, or does not fit its record.
    """
    if not is_local(path):
        return _open_copy(path, record)
    _refuse_other(path, read_header(path), record)
    if record is not None:
        verify_content(path, record)
    mapped: npt.NDArray[Any] = np.load(Path(path), mmap_mode="r", allow_pickle=False)
    return mapped


def copy_rows(array: npt.NDArray[Any], start: int, stop: int) -> npt.NDArray[Any]:
    """Rows `start` to `stop` of an array, copied.

    Those of a memory-mapped file are read through a map of their own: the pages of a map count as this process's
    memory as long as it lives, so that reading a matrix through one map would hold it whole in the end. A part of such
    an array (a slice) is read as it is.
    """
    if isinstance(array, np.memmap) and _is_whole(array) and array.filename is not None:
        array = np.load(array.filename, mmap_mode="r", allow_pickle=False)
    return np.array(array[start:stop])


def _is_whole(array: npt.NDArray[Any]) -> bool:
    """Whether a memory-mapped array is no part of another one, whose file name it would have."""
    base: Any = array.base
    return isinstance(base, mmap.mmap)


def array_record_file(file: UPath) -> UPath:
    """Path of the record of a stored array."""
    return file.with_name(f"{file.name.removesuffix('.npy')}.json")


def write_array_record(file: UPath, content: dict[str, Any]) -> None:
    """Commit what was written: from here on the arrays that `content` describes count."""
    write_record(array_record_file(file), content)


def read_array_record(file: UPath) -> dict[str, Any]:
    """What `write_array_record` wrote.

    Raises:
        FileNotFoundError: if there is none.
        StoreError: if it is damaged, or belongs to another asset.
    """
    return read_record(array_record_file(file))


def read_array(file: UPath) -> npt.NDArray[Any]:
    """A stored array, memory-mapped, checked against its record.

    Raises:
        FileNotFoundError: if there is none.
        StoreError: if it is damaged.
    """
    return open_array(file, ArrayRecord.from_dict(read_array_record(file).get("array")))


def verify_content(path: Path | UPath, record: ArrayRecord) -> None:
    """Compare a file's sha256 with the record. A local file that this process has read for that is not read again.

    Raises:
        StoreError: if they differ.
    """
    local = Path(path).absolute() if is_local(path) else None
    status = local.stat() if local is not None else None
    state = _state(status, record) if status is not None else None
    if local is not None and _verified.get(local) == state:
        return
    found = sha256_of_file(path)
    if found != record.sha256:
        raise StoreError(f"{path} has sha256 {found}; recorded is {record.sha256}: its content was changed")
    if local is not None and status is not None and state is not None and is_settled(status):
        _verified[local] = state


def array_version(array: npt.NDArray[Any]) -> str:
    """Hexadecimal sha256 of an array's dtype, shape and values."""
    content = np.ascontiguousarray(array, dtype=_storable(array.dtype))
    return sha256_of_bytes(f"{content.dtype.str}{array.shape}".encode() + content.tobytes())


def read_header(path: Path | UPath) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Dtype, shape and size in bytes of a `.npy` file; the size is checked against the other two.

    Raises:
        FileNotFoundError: if there is no file.
        StoreError: if it is not a whole `.npy` file, or holds objects.
    """
    with path.open("rb") as file:
        return _header(file, path.stat().st_size, path)


def _open_copy(path: Any, record: ArrayRecord | None) -> npt.NDArray[Any]:
    """A bucket's array through a local copy."""
    with COPIES.of(path) as copy:
        with copy.path.open("rb") as file:
            _refuse_other(path, _header(file, copy.path.stat().st_size, path), record)
        if record is not None and copy.sha256 != record.sha256:
            raise StoreError(
                f"{path} has sha256 {copy.sha256}; recorded is {record.sha256}: its content was changed"
            )
        return COPIES.map(copy)


def _header(file: IO[bytes], size: int, path: Path | UPath) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        shape, fortran, dtype = read(file) if read is not None else ((), False, np.dtype("u1"))
    except Exception as error:  # The header is Python's syntax: a damaged one fails in any of Python's ways.
        raise StoreError(f"{path} is not a .npy file: {error}") from None
    if read is None:
        raise StoreError(f"{path} is a .npy file of version {version}; 1.0 and 2.0 are read")
    if dtype.hasobject:
        raise StoreError(f"{path} holds Python objects, which are never loaded")
    if fortran:
        raise StoreError(f"{path} is in Fortran order; this project writes C order")
    expected = file.tell() + dtype.itemsize * math.prod(shape)
    if size != expected or min(shape, default=0) < 0:
        raise StoreError(
            f"{path} has {size:,} bytes, but {dtype.str} {shape} takes {expected:,}: it is damaged"
        )
    return dtype, shape, size


def _refuse_other(
    path: Path | UPath, header: tuple[np.dtype[Any], tuple[int, ...], int], record: ArrayRecord | None
) -> None:
    dtype, shape, size = header
    if record is not None and (dtype.str, shape, size) != (record.dtype, record.shape, record.bytes):
        raise StoreError(
            f"{path} holds {dtype.str} {shape} in {size:,} bytes; recorded is {record.dtype} {record.shape} in "
            f"{record.bytes:,} bytes"
        )


def _state(status: os.stat_result, record: ArrayRecord) -> tuple[Any, ...]:
    return (record.sha256, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _take_room(path: Path) -> None:
    """Reserve the file's blocks: a full disk met through a memory map would end the process without a word."""
    if not hasattr(os, "posix_fallocate"):  # macOS, Windows
        return
    with path.open("rb+") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _storable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.hasobject:
        raise StoreError(
            f"an array of {dtype} holds Python objects and cannot be stored; give it a plain dtype"
        )
    return dtype.newbyteorder("<")


class _HashingFile:
    """Passes writes on, and sums them up."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, content: Any) -> int:
        self.digest.update(content)
        self.bytes += len(content)
        return self._file.write(content)
