"""The scan: one row a file, everything on one strict decode, on all cores.

- read the file, hash it, reuse the row of the same bytes where there is one: an earlier scan's, or a twin's;
- read the header, refuse by the limits;
- decode strictly into the worker's own buffer, measure, hash the pixels;
- rows come back in the order of the files, the same to the bit for any number of workers.

Threads, not processes: decoding, measuring and hashing all release the GIL, and threads end with the run.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from upath import UPath

from rakuten_assets.files import sha256_of_bytes
from rakuten_assets.images.decoding import DecodeLimits
from rakuten_assets.images.reasons import Reason
from rakuten_assets.integrity.reading.measures import KERNELS
from rakuten_assets.integrity.reading.record import (
    ImageRecord,
    Workspace,
    expected_format,
    read_image_file,
    record_of_content,
)
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS, SCAN_SCHEMA, SCAN_VERSION, scan_frame, typed
from rakuten_assets.progress import Progress

__all__ = ["SCAN_SCHEMA", "SCAN_VERSION", "scan_images"]

_BATCH = (
    16  # files that a worker takes at a time: a hundredth of a second between looks at the stop sign, or less
)
# What depends on more than the bytes: on the limits and the machine, or (an animation's detail) on the file's name.
_NOT_REUSED = frozenset(
    {
        Reason.FILE_TOO_LARGE,
        Reason.TOO_MANY_PIXELS,
        Reason.TOO_MUCH_MEMORY,
        Reason.DECODER_FAILURE,
        Reason.WRONG_FORMAT,
        Reason.ANIMATED,
    }
)


def scan_images(
    files: Sequence[Path | UPath],
    limits: DecodeLimits,
    workers: int,
    known: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scan image files.

    Args:
        files: paths, existing or not; a path may occur more than once.
        limits: what is refused unread and undecoded.
        workers: threads, at least 1. Any number gives the same rows.
        known: an earlier scan. An image of the same bytes is not decoded again; rows of another
            `SCAN_VERSION` are ignored.
        progress: told of every finished file, from the calling thread.

    Returns:
        A frame of `SCAN_SCHEMA`: one row a file, in the order of `files`, index 0..n-1. A file that is
        missing or damaged is a row like any other.
    """
    scan = _Scan(files, limits, known)
    KERNELS.expect(len(files) - len(scan.known))
    KERNELS.prepare()
    workers = max(1, min(workers, len(files)))
    with ThreadPoolExecutor(workers, thread_name_prefix="image-scan") as pool:
        try:
            for _ in range(workers):
                pool.submit(scan.work)
            for count in scan.finished():
                if progress is not None:
                    progress.advance(count)
        finally:
            scan.stop.set()  # after an error or an interrupt the workers end with the image at hand
    return scan.frame()


class _Scan:
    """What the workers of one scan share."""

    def __init__(
        self, files: Sequence[Path | UPath], limits: DecodeLimits, known: pd.DataFrame | None
    ) -> None:
        self.known = _KnownRows(known)
        self.stop = threading.Event()
        self._files, self._limits = files, limits
        self._records: list[ImageRecord | int | None] = [None] * len(files)  # int: a row of `known`
        self._scanned: dict[str, ImageRecord] = {}
        self._starts = itertools.count(0, _BATCH)
        self._reports: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()

    def work(self) -> None:
        """Take batches of files until there are none; report each, and report an error instead of raising."""
        workspace = Workspace()
        while (start := next(self._starts)) < len(self._files):
            batch = range(start, min(start + _BATCH, len(self._files)))
            for position in batch:
                if self.stop.is_set():
                    return
                path = self._files[position]
                try:
                    self._records[position] = self._record(path, workspace)
                except BaseException as error:
                    error.add_note(f"while scanning {path}")
                    self._reports.put(error)
                    return
            self._reports.put(len(batch))

    def finished(self) -> Iterator[int]:
        """Yield numbers of newly finished files until all are; raise what a worker ran into."""
        missing = len(self._files)
        while missing:
            report = self._reports.get()
            if isinstance(report, BaseException):
                raise report
            missing -= report
            yield report

    def frame(self) -> pd.DataFrame:
        """The rows of all files, once they are finished."""
        reused = {at: record for at, record in enumerate(self._records) if isinstance(record, int)}
        scanned = {at: record for at, record in enumerate(self._records) if isinstance(record, ImageRecord)}
        parts = [
            self.known.rows(list(reused.values())).set_axis(list(reused), axis=0),
            scan_frame(list(scanned.values())).set_axis(list(scanned), axis=0),
        ]
        return pd.concat(parts).sort_index().reset_index(drop=True)

    def _record(self, path: Path | UPath, workspace: Workspace) -> ImageRecord | int:
        content = read_image_file(path, self._limits)
        if isinstance(content, ImageRecord):
            return content
        sha256 = sha256_of_bytes(content)
        suffix = path.suffix
        if (row := self.known.find(sha256, suffix, self._limits)) is not None:
            return row
        twin = self._scanned.get(sha256)
        if twin is not None and _holds(twin.width * twin.height, twin.format, suffix, self._limits):
            return twin
        record = record_of_content(content, sha256, suffix, self._limits, workspace)
        if record.reason not in _NOT_REUSED:
            self._scanned[sha256] = record
        return record


class _KnownRows:
    """The rows of an earlier scan that say something about their image's bytes alone, by sha256."""

    def __init__(self, known: pd.DataFrame | None) -> None:
        if known is None or not set(SCAN_COLUMNS) <= set(known.columns):
            known = scan_frame([])
        reusable = (known["scan_version"] == SCAN_VERSION) & ~known["reason"].isin(_NOT_REUSED)
        self._frame = known.loc[reusable & (known["sha256"] != ""), SCAN_COLUMNS]
        self._place = {sha256: place for place, sha256 in enumerate(self._frame["sha256"].tolist())}
        self._pixels = (self._frame["width"] * self._frame["height"]).tolist()
        self._format = self._frame["format"].tolist()

    def __len__(self) -> int:
        return len(self._frame)

    def find(self, sha256: str, suffix: str, limits: DecodeLimits) -> int | None:
        """The row that holds for a file of these bytes and this suffix; None where there is none."""
        row = self._place.get(sha256)
        if row is None or not _holds(self._pixels[row], self._format[row], suffix, limits):
            return None
        return row

    def rows(self, places: Sequence[int]) -> pd.DataFrame:
        return typed(self._frame.take(np.asarray(places, dtype=np.int64)))


def _holds(pixels: int, format_name: str, suffix: str, limits: DecodeLimits) -> bool:
    """Whether what is known of the same bytes holds for a file of this suffix and under these limits."""
    if pixels > limits.max_pixels:
        return False
    return not format_name or format_name == (expected_format(suffix) or format_name)
