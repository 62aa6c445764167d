"""Finished rows of a scan that is under way: what a killed scan need not decode again.

- a shard's rows arrive in pieces: immutable Arrow files, each written whole and renamed into place
- a piece's name holds the digest of its content: a damaged one is passed over, and its images are decoded again
- once the shard itself is stored, the pieces that this run has read or written are removed

Rows are looked up by the sha256 of the image's bytes, so that a piece can be of no use but never wrong. Any number
of runs may share the folder: a removed piece's rows are in the shard that was stored before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from upath import UPath

from rakuten_assets.integrity.reading.record import ImageRecord
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS, SCAN_SCHEMA, scan_frame, typed
from rakuten_assets.storage.files import TEMPORARY_SUFFIX, sha256_of_bytes, write_bytes
from rakuten_assets.storage.reading import read_bytes

SUFFIX = ".arrow"
_FILE_COLUMN = "file"
_SCHEMA = pa.schema(
    [*(field.remove_metadata() for field in SCAN_SCHEMA), pa.field(_FILE_COLUMN, pa.string())]
)
_DIGITS = 32
# A live writer of another machine looks dead from here; no write of a piece takes so long.
_SECONDS_BEFORE_A_LEFTOVER_IS_DEAD = 60.0


class ScanJournal:
    """The pieces of one shard. Used by one thread.

    Args:
        folder: holds the pieces of all shards; made on the first write.
        shard: key of the shard.
        log: told of every damaged piece.
    """

    def __init__(self, folder: Path | UPath, shard: str, log: Callable[[str], None] | None = None) -> None:
        self._folder, self._shard = folder, shard
        self._log = log or (lambda _: None)
        self._mine: set[str] = set()

    def read(self) -> pd.DataFrame:
        """Rows of all whole pieces: the columns of a scan, and `file`, the image file's name."""
        names = [name for name in sorted(_pieces(self._folder)) if _shard_of(name) == self._shard]
        tables = [table for name in names if (table := self._table(name)) is not None]
        if not tables:
            return scan_frame([]).assign(**{_FILE_COLUMN: pd.Series(dtype="str")})
        frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
        return pd.concat([typed(frame[SCAN_COLUMNS]), frame[[_FILE_COLUMN]]], axis=1)

    def append(self, records: Sequence[ImageRecord], files: Sequence[str]) -> None:
        """Write a piece: the records of image files of these names."""
        columns: list[Sequence[Any]] = [*zip(*records, strict=True), files]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, _SCHEMA) as writer:
            writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))
        content = sink.getvalue()
        name = f"{self._shard}-{sha256_of_bytes(content)[:_DIGITS]}{SUFFIX}"
        write_bytes(self._folder / name, content)
        self._mine.add(name)

    def clear(self) -> None:
        """Remove what was read and written here: the rows are stored elsewhere now."""
        for name in self._mine:
            (self._folder / name).unlink(missing_ok=True)
        self._mine.clear()

    def _table(self, name: str) -> pa.Table | None:
        try:
            content = read_bytes(self._folder / name)
        except FileNotFoundError:  # another run has stored the shard since
            return None
        self._mine.add(name)
        try:
            if sha256_of_bytes(content)[:_DIGITS] != name.removesuffix(SUFFIX).rpartition("-")[2]:
                raise ValueError("it is not the content that its name is the digest of")
            table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
            table.validate(full=True)
            if table.schema != _SCHEMA:
                return None  # another release's
        except (pa.ArrowException, ValueError, OSError) as error:
            self._log(f"{self._folder / name} is damaged ({error}): its images are decoded again")
            return None
        return table


def sweep(folder: Path | UPath, shards: Collection[str]) -> None:
    """Remove the pieces of shards that no longer exist, and what killed writers left unfinished."""
    for name in _pieces(folder):
        if _shard_of(name) not in shards:
            (folder / name).unlink(missing_ok=True)
    oldest = time.time() - _SECONDS_BEFORE_A_LEFTOVER_IS_DEAD
    for path in _listed(folder):
        if path.name.endswith(TEMPORARY_SUFFIX):
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)
            except FileNotFoundError:  # its writer has just finished
                continue


def _shard_of(name: str) -> str:
    return name.removesuffix(SUFFIX).rpartition("-")[0]


def _pieces(folder: Path | UPath) -> list[str]:
    return [path.name for path in _listed(folder) if path.name.endswith(SUFFIX)]


def _listed(folder: Path | UPath) -> list[Path | UPath]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
