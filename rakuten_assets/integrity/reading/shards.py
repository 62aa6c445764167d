"""The scan of a catalogue, shard by shard: a shard can be stored as soon as it is scanned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from upath import UPath

from rakuten_assets.dataset.layout import CatalogFolder
from rakuten_assets.dataset.manifest import shard_rows
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.integrity.reading.journal import ScanJournal, sweep
from rakuten_assets.integrity.reading.listed import listed_images
from rakuten_assets.integrity.reading.scan import scan_files
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS
from rakuten_assets.runtime.console import to_standard_error
from rakuten_assets.runtime.progress import Progress


@dataclass(frozen=True)
class ScannedShard:
    """A shard and what its scan found.

    Attributes:
        key: the shard's.
        rows: its rows of the manifest, numbered from 0.
        table: the same rows, with the scan's columns beside the manifest's.
        measured: how many images were decoded and measured; the others' rows were known, or there was nothing to
            decode.
        seconds: how long it took.
    """

    key: str
    rows: pd.DataFrame
    table: pd.DataFrame
    measured: int
    seconds: float


def scan_shards(
    manifest: pd.DataFrame,
    keys: Sequence[str],
    folder: CatalogFolder,
    limits: DecodeLimits,
    workers: int,
    earlier: Callable[[str], pd.DataFrame | None] = lambda _: None,
    journal: Path | UPath | None = None,
    log: Callable[[str], None] | None = None,
    listings: Path | UPath | None = None,
) -> Iterator[ScannedShard]:
    """Scan shards one after another; the caller stores each before it asks for the next one.

    Args:
        manifest: rows of all shards.
        keys: which shards to scan.
        folder: where the image files are.
        limits: what is refused unread and undecoded.
        workers: threads.
        earlier: what an earlier scan found in a shard, None for nothing: the same bytes are not decoded again.
        journal: folder for finished rows of a shard that is not stored yet. After a kill, at most 512 images are
            decoded a second time. None: none are kept.
        listings: folder for what a bucket's listing said of each image when it was scanned: one of which it still
            says so is not read again. None: all are read.
        log: where progress and messages go; default: progress to standard error.
    """
    wanted = {key: shard_rows(manifest, key) for key in keys}
    if journal is not None:
        sweep(journal, set(manifest["shard"]))
    listed = None
    if listings is not None:
        files = set().union(*(rows["file"] for rows in wanted.values()))
        share = len(files) / max(1, len(manifest))
        listed = listed_images(listings, folder, files, share, log or to_standard_error)
    with Progress("scan", sum(map(len, wanted.values())), log=log) as progress:
        for key, rows in wanted.items():
            started = time.perf_counter()
            pieces = ScanJournal(journal, key, log) if journal is not None else None
            # In this order: a run that stores the shard in between removes its pieces after that.
            known = [pieces.read()] if pieces is not None else []
            if (found := earlier(key)) is not None:
                known.append(found)
            names = rows["file"].tolist()
            unchanged = listed.unchanged(key, names) if listed is not None else ()
            scan = scan_files(folder.image_paths(names), limits, workers, known, progress, pieces, unchanged)
            table = pd.concat([rows, scan.frame[SCAN_COLUMNS]], axis=1)
            yield ScannedShard(key, rows, table, scan.measured, time.perf_counter() - started)
            if pieces is not None:
                pieces.clear()
            if listed is not None:
                listed.found(key, names, scan.frame["sha256"].tolist())
    if listed is not None:
        listed.keep()
