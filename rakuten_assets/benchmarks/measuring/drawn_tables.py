"""Tables of drawn rows, as the graph makes them: what a row takes on storage and in memory is measured on these."""

from __future__ import annotations

import functools
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from upath import UPath

from rakuten_assets.benchmarks.near_duplicates import drawn_images
from rakuten_assets.dataset.layout import SPLITS, CatalogFolder
from rakuten_assets.dataset.manifest import build_manifest
from rakuten_assets.extraction.storing.features import shard_table
from rakuten_assets.extraction.storing.key_index import KeyIndex
from rakuten_assets.extraction.storing.segments import KEY_BYTES, SegmentIndex
from rakuten_assets.integrity.duplicates.candidates import CANDIDATE_COLUMNS, Candidates
from rakuten_assets.integrity.duplicates.groups import duplicate_groups
from rakuten_assets.integrity.duplicates.verification import OUTLINE_SIDE
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS, SCAN_SCHEMA, SCAN_VERSION, typed
from rakuten_assets.integrity.validation import GROUPED_COLUMNS
from rakuten_assets.storage.tables import table_bytes

DRAWN_ROWS = 20_000


@dataclass(frozen=True)
class BytesARow:
    """What one image takes.

    Attributes:
        manifest_file, scan_file, sidecar_file: on storage.
        manifest, scan, groups, sidecar: as a frame in memory.
        grouped_scan: of the scan, the columns that images are grouped by.
        index: in the row store's index, once built; index_peak: while it is built.
        search: the hash search at its peak; outlines: those of the images that are compared on pixels.
        path: what an image's path is made from.
    """

    manifest_file: float
    scan_file: float
    sidecar_file: float
    manifest: float
    scan: float
    grouped_scan: float
    groups: float
    sidecar: float
    index: float
    index_peak: float
    search: float
    outlines: float
    path: float


def measured(rows: int = DRAWN_ROWS) -> BytesARow:
    """Draw a shard of rows, write its tables, build its index, search it."""
    manifest = drawn_manifest(rows)
    scan = drawn_scan(manifest)
    sidecar = shard_table(scan)
    images = scan[list(CANDIDATE_COLUMNS)]
    index, index_peak = _held(lambda: _index(rows))
    # Of two sizes: the room for tiles is the same for any number of images.
    half, whole = (_held(functools.partial(_search, part))[1] for part in (images.iloc[: rows // 2], images))
    root = UPath("memory://bucket")
    catalog = CatalogFolder(root, root, root, root, {split: root / split for split in SPLITS})
    path, _ = _held(lambda: catalog.image_paths(manifest["file"]))
    # Nothing is near a blank image: no file is looked for.
    groups = duplicate_groups(scan.assign(blank=True), catalog.image_paths(manifest["file"]))
    small = KEY_BYTES + 4  # of a segment's keys and checksums, as they are read
    frames = {"manifest": manifest, "scan": scan, "sidecar": sidecar}
    files = {f"{name}_file": len(table_bytes(frame, name)) / rows for name, frame in frames.items()}
    frames |= {"grouped_scan": scan[list(GROUPED_COLUMNS)], "groups": groups}
    weights = {
        name: frame.memory_usage(deep=True, index=False).sum() / rows for name, frame in frames.items()
    }
    return BytesARow(
        **files,
        **weights,
        index=index / rows,
        index_peak=max(index_peak / rows, small),
        search=max(whole - half, 0) / (rows - rows // 2),
        outlines=OUTLINE_SIDE**2 * 3,
        path=path / rows,
    )


def drawn_manifest(rows: int, shards: int = 16) -> pd.DataFrame:
    """The manifest of a catalogue of drawn ids, 14 % of them test rows."""
    random = np.random.default_rng(1)
    ids = 500_000_000 + random.permutation(8 * rows)[: 2 * rows].reshape(2, rows) * 97
    products = pd.DataFrame({"imageid": ids[0], "productid": ids[1]})
    train = products.iloc[: rows * 86 // 100]
    test = products.iloc[len(train) :]
    codes = random.choice([10, 40, 50, 60, 1140, 1280, 2403, 2583, 2905], len(train))
    return build_manifest(train, pd.DataFrame({"prdtypecode": codes}, index=train.index), test, shards)


def drawn_scan(manifest: pd.DataFrame) -> pd.DataFrame:
    """The scan of a manifest's images, all of them whole."""
    rows = len(manifest)
    random = np.random.default_rng(2)
    scan = pd.DataFrame({field.name: _drawn(str(field.type), rows, random) for field in SCAN_SCHEMA})
    scan = scan.assign(
        **drawn_images(rows),
        status="ok", reason="", detail="", format="JPEG", mode="RGB", subsampling="4:2:0", orientation=0,
        quality=75, bytes=random.integers(8_000, 60_000, rows), blank=False, near_blank=False, has_icc=False,
        scan_version=SCAN_VERSION, sha256=_digests(rows, random), pixel_sha256=_digests(rows, random),
    )  # fmt: skip
    return pd.concat([manifest.reset_index(drop=True), typed(scan[SCAN_COLUMNS])], axis=1)


def _drawn(kind: str, rows: int, random: np.random.Generator) -> object:
    if kind == "double":
        return random.normal(100, 30, rows)
    return (
        random.integers(0, 500, rows)
        if kind.endswith("int64")
        else [""] * rows
        if kind == "string"
        else False
    )


def _digests(rows: int, random: np.random.Generator) -> list[str]:
    return [random.bytes(32).hex() for _ in range(rows)]


def _index(rows: int) -> tuple[KeyIndex, dict[str, SegmentIndex]]:
    keys = np.random.default_rng(3).integers(0, 256, (rows, KEY_BYTES), dtype=np.uint8)
    segments = {"one": SegmentIndex(keys, np.zeros(rows, np.uint32), 1, 0)}
    return KeyIndex(segments), segments


def _search(images: pd.DataFrame) -> int:
    return sum(len(left) for left, _ in Candidates(images).pairs())


def _held(make: Callable[[], object]) -> tuple[int, int]:
    """Bytes that what `make` gives holds, and the peak on the way."""
    tracemalloc.start()
    try:
        made = make()
        held, peak = tracemalloc.get_traced_memory()
        del made
        return held, peak
    finally:
        tracemalloc.stop()
