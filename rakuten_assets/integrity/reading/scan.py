"""The scan: one row a file, everything on one strict decode, on all cores.

- read the file, hash it, reuse the row of the same bytes where there is one: an earlier scan's, or a twin's; of a
  bucket's object that its listing says is the one that was read before, the hash is known;
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
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from upath import UPath

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.header import check_header, read_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.reasons import Reason
from rakuten_assets.integrity.reading.journal import ScanJournal
from rakuten_assets.integrity.reading.measures import KERNELS
from rakuten_assets.integrity.reading.record import (
    ImageRecord,
    Workspace,
    expected_format,
    read_image_file,
    record_of_content,
)
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS, SCAN_SCHEMA, SCAN_VERSION, scan_frame, typed
from rakuten_assets.runtime.machine import limit_memory_arenas
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.storage.content_cache import note_content
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.storage.reading import ReadAhead, on_bucket

__all__ = ["SCAN_SCHEMA", "SCAN_VERSION", "Scan", "scan_files", "scan_images"]

# Files that a worker takes at a time: a hundredth of a second between looks at the stop sign, or less.
_BATCH = 16
# A kill loses the rows of at most so many images. Half of them go to the journal at a time: the workers fill the
# other half meanwhile, and wait where the storage is slower than they are.
MOST_ROWS_AT_RISK = 512
# What depends on more than the file: on the limits and the machine. Most were refused before they were decoded.
_NOT_REUSED = frozenset(
    {Reason.FILE_TOO_LARGE, Reason.TOO_MANY_PIXELS, Reason.TOO_MUCH_MEMORY, Reason.DECODER_FAILURE}
)
# Three components in full, twice over, and their padding to whole blocks: what is less needs no look at the header.
_MOST_BYTES_OF_A_JPEGS_PIXEL = 100
# What depends on the file's name, too.
_OF_THE_NAME = frozenset({Reason.WRONG_FORMAT, Reason.ANIMATED})


@dataclass(frozen=True)
class Scan:
    """What a scan found.

    Attributes:
        frame: of `SCAN_SCHEMA`: one row a file, in the order of the files, index 0..n-1. A file that is missing or
            damaged is a row like any other.
        measured: how many images were decoded for it.
    """

    frame: pd.DataFrame
    measured: int


def scan_images(
    files: Sequence[Path | UPath],
    limits: DecodeLimits,
    workers: int,
    known: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The frame of `scan_files`."""
    return scan_files(files, limits, workers, [] if known is None else [known], progress).frame


def scan_files(
    files: Sequence[Path | UPath],
    limits: DecodeLimits,
    workers: int,
    known: Sequence[pd.DataFrame] = (),
    progress: Progress | None = None,
    journal: ScanJournal | None = None,
    unchanged: Sequence[str] = (),
) -> Scan:
    """Scan image files.

    Args:
        files: paths, existing or not; a path may occur more than once.
        limits: what is refused unread and undecoded.
        workers: threads, at least 1. Any number gives the same rows.
        known: earlier scans. An image of the same bytes is not decoded again; rows of another `SCAN_VERSION` are
            ignored. With a column `file`, the file's name, that holds for what depends on the name, too.
        progress: told of every finished file, from the calling thread.
        journal: gets finished rows, so that never more than `MOST_ROWS_AT_RISK` are in memory alone.
        unchanged: for each file the sha256 of its content, where that is known without reading it, else "": its row
            is taken from `known` unread. Empty: every file is read.
    """
    workers = max(1, min(workers, len(files)))
    scan = _Scan(files, limits, known, workers, unchanged)
    KERNELS.expect(len(files) - len(scan.known))
    KERNELS.prepare()
    limit_memory_arenas()
    unsaved = _Unsaved(scan, journal)
    with (
        ReadAhead(range(len(files)), scan.content, on_bucket(files)) as contents,
        ThreadPoolExecutor(workers, thread_name_prefix="image-scan") as pool,
    ):
        try:
            for _ in range(workers):
                pool.submit(scan.work, contents)
            for batch in scan.finished():
                unsaved.add(batch)
                if progress is not None:
                    progress.advance(len(batch))
        finally:
            scan.end(workers)  # after an error or an interrupt the workers end with the image at hand
    return Scan(scan.frame(), scan.measured)


class _Scan:
    """What the workers of one scan share."""

    def __init__(
        self,
        files: Sequence[Path | UPath],
        limits: DecodeLimits,
        known: Sequence[pd.DataFrame],
        workers: int,
        unchanged: Sequence[str],
    ) -> None:
        self.known = _KnownRows(known)
        self.files = files
        self._unchanged = unchanged
        self.records: list[ImageRecord | int | None] = [None] * len(files)  # int: a row of `known`
        self.batch = max(1, min(_BATCH, MOST_ROWS_AT_RISK // 2 // workers))
        # A worker takes one before each batch; a batch gives it back once its rows need not be measured again.
        self.turns = threading.Semaphore(MOST_ROWS_AT_RISK // self.batch)
        self.measured = 0
        self._limits = limits
        self._stop = threading.Event()
        self._scanned: dict[str, ImageRecord] = {}
        self._starts = itertools.count(0, self.batch)
        self._reports: queue.SimpleQueue[range | BaseException] = queue.SimpleQueue()
        self._counting = threading.Lock()

    def content(self, position: int) -> bytes | ImageRecord | int:
        """A file's bytes; the record that says why there are none; the place of its row in `known`, which is enough."""
        path = self.files[position]
        sha256 = self._unchanged[position] if self._unchanged else ""
        if sha256 and (row := self.known.find_unread(sha256, path.suffix, self._limits)) is not None:
            return row
        return read_image_file(path, self._limits)

    def work(self, contents: ReadAhead[int, bytes | ImageRecord | int]) -> None:
        """Take batches of files until there are none; report each, and report an error instead of raising."""
        workspace = Workspace()
        measured = 0
        while True:
            self.turns.acquire()
            if (start := next(self._starts)) >= len(self.files):
                self.turns.release()
                break
            batch = range(start, min(start + self.batch, len(self.files)))
            for position in batch:
                if self._stop.is_set():
                    return
                path = self.files[position]
                try:
                    record, is_new = self._record(contents.get(position), path, workspace)
                except BaseException as error:
                    error.add_note(f"while scanning {path}")
                    self._reports.put(error)
                    return
                self.records[position] = record
                measured += is_new
            self._reports.put(batch)
        with self._counting:
            self.measured += measured

    def end(self, workers: int) -> None:
        """Make the workers stop, those that wait for their turn included."""
        self._stop.set()
        self.turns.release(workers)

    def finished(self) -> Iterator[range]:
        """Yield the positions of newly finished files until all are; raise what a worker ran into."""
        missing = len(self.files)
        while missing:
            report = self._reports.get()
            if isinstance(report, BaseException):
                raise report
            missing -= len(report)
            yield report

    def frame(self) -> pd.DataFrame:
        """The rows of all files, once they are finished."""
        reused = {at: record for at, record in enumerate(self.records) if isinstance(record, int)}
        scanned = {at: record for at, record in enumerate(self.records) if isinstance(record, ImageRecord)}
        parts = [
            self.known.rows(list(reused.values())).set_axis(list(reused), axis=0),
            scan_frame(list(scanned.values())).set_axis(list(scanned), axis=0),
        ]
        return pd.concat(parts).sort_index().reset_index(drop=True)

    def _record(
        self, content: bytes | ImageRecord | int, path: Path | UPath, workspace: Workspace
    ) -> tuple[ImageRecord | int, bool]:
        """The record of a file's content, and whether the image was measured for it."""
        if not isinstance(content, bytes):
            return content, False
        sha256, suffix = sha256_of_bytes(content), path.suffix
        note_content(path, sha256, content)
        if (row := self.known.find(content, sha256, suffix, self._limits)) is not None:
            return row, False
        twin = self._scanned.get(sha256)
        if twin is not None and _is_format_of(twin.format, suffix):
            return twin, False
        record = record_of_content(content, sha256, suffix, self._limits, workspace)
        if record.reason not in _NOT_REUSED | _OF_THE_NAME:
            self._scanned[sha256] = record
        return record, record.reason not in _NOT_REUSED


class _Unsaved:
    """Rows that are measured and not yet in the journal; their batches keep their turns until they are."""

    def __init__(self, scan: _Scan, journal: ScanJournal | None) -> None:
        self._scan, self._journal = scan, journal
        self._rows: list[tuple[ImageRecord, str]] = []
        self._batches = 0

    def add(self, batch: range) -> None:
        """Take note of a finished batch, and write all that wait if they are many."""
        rows = [] if self._journal is None else [at for at in batch if _worth_keeping(self._scan.records[at])]
        if self._journal is None or not rows:
            self._scan.turns.release()
            return
        for at in rows:
            record = self._scan.records[at]
            assert isinstance(record, ImageRecord)
            self._rows.append((record, self._scan.files[at].name))
        self._batches += 1
        if self._batches * self._scan.batch >= MOST_ROWS_AT_RISK // 2:
            self._journal.append(*zip(*self._rows, strict=True))
            self._scan.turns.release(self._batches)
            self._rows, self._batches = [], 0


def _worth_keeping(record: ImageRecord | int | None) -> bool:
    return isinstance(record, ImageRecord) and bool(record.sha256) and record.reason not in _NOT_REUSED


class _KnownRows:
    """The rows of earlier scans that say something about their image's bytes, by sha256."""

    def __init__(self, known: Sequence[pd.DataFrame]) -> None:
        usable = [frame for frame in known if set(SCAN_COLUMNS) <= set(frame.columns)]
        together = pd.concat([scan_frame([]), *(frame[[*SCAN_COLUMNS, *_file(frame)]] for frame in usable)])
        of_the_name = together["reason"].isin(_OF_THE_NAME)
        files = together["file"] if "file" in together else pd.Series(None, together.index, dtype="str")
        reusable = (together["scan_version"] == SCAN_VERSION) & ~together["reason"].isin(_NOT_REUSED)
        reusable &= (together["sha256"] != "") & ~(of_the_name & files.isna())
        self._frame = together.loc[reusable, SCAN_COLUMNS]
        # What depends on the name holds for names of the same suffix.
        suffixes = [
            PurePosixPath(file).suffix if depends else None
            for file, depends in zip(files[reusable], of_the_name[reusable], strict=True)
        ]
        keys = zip(self._frame["sha256"].tolist(), suffixes, strict=True)
        self._place = {key: place for place, key in enumerate(keys)}
        self._bytes = self._frame["bytes"].tolist()
        self._pixels = (self._frame["width"] * self._frame["height"]).tolist()
        self._format = self._frame["format"].tolist()

    def __len__(self) -> int:
        return len(self._frame)

    def find(self, content: bytes, sha256: str, suffix: str, limits: DecodeLimits) -> int | None:
        """The row that holds for a file of these bytes and this suffix under these limits; None where there is none."""
        row = self._row(sha256, suffix)
        if row is None or _is_beyond(limits, content, self._pixels[row], self._format[row]):
            return None
        return row

    def find_unread(self, sha256: str, suffix: str, limits: DecodeLimits) -> int | None:
        """The same for a file whose bytes are not at hand; None also where the limits cannot be held to without."""
        row = self._row(sha256, suffix)
        if row is None or self._bytes[row] > limits.max_file_bytes:
            return None
        return None if _is_beyond(limits, None, self._pixels[row], self._format[row]) else row

    def _row(self, sha256: str, suffix: str) -> int | None:
        row = self._place.get((sha256, None))
        if row is None or not _is_format_of(self._format[row], suffix):
            row = self._place.get((sha256, suffix))
        return row

    def rows(self, places: Sequence[int]) -> pd.DataFrame:
        return typed(self._frame.take(np.asarray(places, dtype=np.int64)))


def _file(frame: pd.DataFrame) -> list[str]:
    return ["file"] if "file" in frame.columns else []


def _is_format_of(format_name: str, suffix: str) -> bool:
    """Whether a format is none that is remarkable under this suffix."""
    return not format_name or format_name == (expected_format(suffix) or format_name)


def _is_beyond(limits: DecodeLimits, content: bytes | None, pixels: int, format_name: str) -> bool:
    """Whether an image that was scanned under other limits is refused under these, as far as its header says; without
    its content, whether it may be."""
    if format_name == "JPEG" and pixels * _MOST_BYTES_OF_A_JPEGS_PIXEL <= limits.max_memory:
        return pixels > limits.max_pixels
    if content is None:
        return True
    try:
        check_header(content, read_header(content), limits)
    except UndecodableImageError as error:
        return error.reason in _NOT_REUSED
    return False
