"""Tables as parquet files that prove themselves: pandas frames in and out, index and dtypes kept.

Between a file's data and its footer, where no reader of parquet looks (all finds its place from the footer, and the
footer from the end), lie 72 bytes: `sha256:`, 64 hexadecimal digits and a line feed. The digest is taken over all
other bytes and over what the table is (`image_scan/03.parquet`), so that any change of any byte is noticed, and a
table in the place of another. One file, one commit, readable by any tool.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.storage.files import atomic_file, identity, is_local
from rakuten_assets.storage.reading import read_bytes

_MAGIC = b"PAR1"
_MARK = b"sha256:"
_DIGEST_BYTES = len(_MARK) + 64 + 1
_TAIL_BYTES = 4 + len(_MAGIC)  # The footer's length and the magic.
_CHUNK_BYTES = 1 << 20


def write_table(target: Path | UPath, frame: pd.DataFrame) -> int:
    """Replace `target` by a parquet file of `frame`, atomically.

    Returns:
        The file's size in bytes.

    Raises:
        StoreError: if a column's values are of no single type that parquet knows.
        WriteError: if it cannot be written.
    """
    return _write(target, _sealed(_parquet(frame, str(target)), identity(target)))


def table_bytes(frame: pd.DataFrame, name: str) -> bytes:
    """A parquet file of `frame` with its digest, for a folder that may be renamed: what it is, is its name alone.

    Raises:
        StoreError: if a column's values are of no single type that parquet knows.
    """
    return b"".join(_sealed(_parquet(frame, name), name))


def read_table(
    path: Path | UPath, name: str | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table that `write_table` wrote, and verify every byte of it first.

    Args:
        name: of a table of `table_bytes`.
        columns: those that are wanted, in this order; None: all.

    Raises:
        FileNotFoundError: if there is none.
        StoreError: if it is damaged, or another table than the one that belongs here, or lacks a column.
    """
    with _opened(path) as file:
        place = _place_of_digest(file, path)
        recorded = _at(file, place, _DIGEST_BYTES)
        if not recorded.startswith(_MARK):
            raise StoreError(f"{path} holds no digest: it is damaged")
        found = _MARK + _digest_around(file, place, _DIGEST_BYTES, name or identity(path)).encode() + b"\n"
        if recorded != found:
            raise StoreError(
                f"{path} does not have the sha256 that was recorded in it: its content was changed, or it was "
                "put in the place of another table"
            )
        return _parsed(file, path, columns)


def seal_table(path: Path | UPath) -> None:
    """Add the digest to a parquet file that has none; one that has it is left alone.

    Raises:
        FileNotFoundError: if there is no file.
        StoreError: if it is not a whole parquet file.
    """
    with _opened(path) as file:
        place = _place_of_digest(file, path)
        if place >= len(_MAGIC) and _at(file, place, len(_MARK)) == _MARK:
            return
        _parsed(file, path)
        file.seek(0)
        content = file.read()
    _write(path, _sealed(memoryview(content), identity(path)))


def _parquet(frame: pd.DataFrame, name: str) -> memoryview:
    content = io.BytesIO()
    try:
        pq.write_table(pa.Table.from_pandas(frame), content, compression="zstd", write_page_checksum=True)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise StoreError(f"{name}: the table cannot be written as parquet: {error}") from None
    # No view of the buffer: one that outlives it is an error at garbage collection.
    return memoryview(content.getvalue())


def _sealed(content: memoryview, what: str) -> tuple[memoryview, bytes, memoryview]:
    """The parts of a parquet file with its digest."""
    footer_at = len(content) - _TAIL_BYTES - int.from_bytes(content[-_TAIL_BYTES : -len(_MAGIC)], "little")
    body, footer = content[:footer_at], content[footer_at:]
    digest = _starting_digest(what)
    digest.update(body)
    digest.update(footer)
    return body, _MARK + digest.hexdigest().encode() + b"\n", footer


def _write(target: Path | UPath, parts: Sequence[memoryview | bytes]) -> int:
    with atomic_file(target) as file:
        for part in parts:
            file.write(part)
    return sum(len(part) for part in parts)


def _opened(path: Path | UPath) -> IO[bytes]:
    """The file, opened once for all reading: another that takes its place meanwhile is not seen."""
    return Path(path).open("rb") if is_local(path) else io.BytesIO(read_bytes(path))


def _place_of_digest(file: IO[bytes], path: Path | UPath) -> int:
    size = file.seek(0, io.SEEK_END)
    tail = _at(file, size - _TAIL_BYTES, _TAIL_BYTES) if size >= _TAIL_BYTES else b""
    place = size - _TAIL_BYTES - int.from_bytes(tail[:4], "little") - _DIGEST_BYTES
    if not tail.endswith(_MAGIC) or place < 0:
        raise StoreError(f"{path} is not a whole parquet file: it is damaged")
    return place


def _digest_around(file: IO[bytes], place: int, length: int, what: str) -> str:
    """Digest of what a table is and of everything but `length` bytes at `place`."""
    digest = _starting_digest(what)
    file.seek(0)
    left = place
    while left and (piece := file.read(min(left, _CHUNK_BYTES))):
        digest.update(piece)
        left -= len(piece)
    file.seek(place + length)
    while piece := file.read(_CHUNK_BYTES):
        digest.update(piece)
    return str(digest.hexdigest())


def _starting_digest(what: str) -> Any:
    return hashlib.sha256(f"{what}\0".encode())


def _at(file: IO[bytes], place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _parsed(file: IO[bytes], path: Path | UPath, columns: Sequence[str] | None = None) -> pd.DataFrame:
    file.seek(0)
    wanted = None if columns is None else list(columns)
    try:
        missing = set(wanted or ()) - set(pq.read_schema(file).names)
        if not missing:
            file.seek(0)
            table = pq.read_table(
                file, columns=wanted, use_pandas_metadata=True, page_checksum_verification=True
            )
            frame: pd.DataFrame = table.to_pandas()
    except Exception as error:  # pandas' part of the footer can be wrong in any way: KeyError, TypeError...
        raise StoreError(f"{path} is not a whole parquet file: {type(error).__name__}: {error}") from None
    if missing:
        raise StoreError(f"{path} has no column {', '.join(sorted(missing))}: it is of another release")
    return frame if wanted is None else frame[wanted]
