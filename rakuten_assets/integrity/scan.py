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

import pandas as pd
from upath import UPath

from rakuten_assets.files import sha256_of_bytes
from rakuten_assets.integrity.decoding import DecodeLimits
from rakuten_assets.integrity.reasons import Reason
from rakuten_assets.integrity.record import (
    ImageRecord,
    Workspace,
    expected_format,
    read_image_file,
    record_of_content,
)
from rakuten_assets.integrity.schema import SCAN_COLUMNS, SCAN_SCHEMA, SCAN_VERSION, scan_frame
from rakuten_assets.progress import Progress

__all__ = ["SCAN_SCHEMA", "SCAN_VERSION", "scan_images"]

_BATCH = (
    16  # files that a worker takes at a time: a hundredth of a second between looks at the stop sign, or less
)
# Verdicts that depend on more than the bytes: on the limits, or (an animation's detail) on the file's name.
_NOT_REUSED = frozenset({Reason.FILE_TOO_LARGE, Reason.TOO_MANY_PIXELS, Reason.WRONG_FORMAT, Reason.ANIMATED})


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
    scan = _Scan(list(files), limits, known)
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
    return scan_frame([record for record in scan.records if record is not None])


class _Scan:
    """What the workers of one scan share."""

    def __init__(self, files: list[Path | UPath], limits: DecodeLimits, known: pd.DataFrame | None) -> None:
        self.records: list[ImageRecord | None] = [None] * len(files)
        self.stop = threading.Event()
        self._files, self._limits = files, limits
        self._known = _reusable_records(known)
        self._starts = itertools.count(0, _BATCH)
        self._reports: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()
        self._giants_turn = threading.Lock()

    def work(self) -> None:
        """Take batches of files until there are none; report each, and report an error instead of raising."""
        workspace = Workspace(self._giants_turn)
        while (start := next(self._starts)) < len(self._files):
            batch = range(start, min(start + _BATCH, len(self._files)))
            for position in batch:
                if self.stop.is_set():
                    return
                path = self._files[position]
                try:
                    self.records[position] = self._record(path, workspace)
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

    def _record(self, path: Path | UPath, workspace: Workspace) -> ImageRecord:
        content = read_image_file(path, self._limits)
        if isinstance(content, ImageRecord):
            return content
        sha256 = sha256_of_bytes(content)
        known = self._known.get(sha256)
        if known is not None and _holds(known, path.suffix, self._limits):
            return known
        record = record_of_content(content, sha256, path.suffix, self._limits, workspace)
        if record.reason not in _NOT_REUSED:
            self._known[sha256] = record
        return record


def _reusable_records(known: pd.DataFrame | None) -> dict[str, ImageRecord]:
    """sha256 -> record of an earlier scan, where it says something about the bytes alone."""
    if known is None or not set(SCAN_COLUMNS) <= set(known.columns):
        return {}
    usable = known[
        (known["scan_version"] == SCAN_VERSION) & (known["sha256"] != "") & ~known["reason"].isin(_NOT_REUSED)
    ]
    records = map(ImageRecord._make, usable[SCAN_COLUMNS].itertuples(index=False, name=None))
    return {record.sha256: record for record in records}


def _holds(record: ImageRecord, suffix: str, limits: DecodeLimits) -> bool:
    """Whether a record of the same bytes holds for a file of this suffix and under these limits."""
    if record.width * record.height > limits.max_pixels:
        return False
    return not record.format or record.format == (expected_format(suffix) or record.format)
