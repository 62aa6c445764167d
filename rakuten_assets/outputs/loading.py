"""Opens a published set, and refuses one whose files do not belong together.

- the manifest says which files there are. While a committed set is being moved, its manifest is in `publishing/`;
- the files are read, compared with the manifest, and must have the same rows;
- if that fails because the set is being replaced, it is tried again, and gives the new set.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from upath import UPath

from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.manifest import Manifest, PublishedExtractor
from rakuten_assets.outputs.names import (
    EVERYTHING,
    INDEX_FILE,
    LABELS_FILE,
    MANIFEST_FILE,
    METADATA_FILE,
    OUTPUTS,
    PUBLISHING,
    features_file,
    make_command,
    metadata_file,
    valid_file,
)
from rakuten_assets.outputs.places import Places, as_place, forget_listings
from rakuten_assets.outputs.published import Origin, PublishedSet, SplitArrays
from rakuten_assets.outputs.reading import WAY_OUT, OpenedFile, SetReader
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import is_local, sha256_of_bytes
from rakuten_assets.storage.reading import is_file, read_bytes

_MOST_TRIES = 20

Seen = tuple[bytes | None, bytes | None, tuple[str, ...]]


def load_set(
    storage: str | Path | UPath | None = None,
    extractor: str | None = None,
    *,
    data_dir: str | Path | UPath | None = None,
    verify: bool = True,
) -> PublishedSet:
    """As `rakuten_assets.load`."""
    chosen: str | Path | UPath = Settings.load().storage if storage is None else storage
    root, places = _find(chosen)
    origin = Origin(root, None if data_dir is None else as_place(data_dir))
    for left in reversed(range(_MOST_TRIES)):
        before = _seen(places)
        try:
            found = _open(places, extractor, origin, verify)
        except (StoreError, OSError) as error:
            if left and _seen(places) != before:
                continue
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"{places.outputs} cannot be read: {error}") from error
        # Without their sha256, files of two sets could look alike.
        if verify or not left or _seen(places) == before:
            return found
    raise AssertionError  # The last try returns or raises.


def verify_set(storage: str | Path | UPath) -> Manifest:
    """Read every file of the published set and compare it with the manifest.

    Raises:
        StoreError: naming the first file that differs and the command that mends it.
    """
    _, places = _find(storage)
    manifest, committed = _manifest(places)
    for one in manifest.extractors:
        load_set(storage, one.name)
    for name in manifest.files:
        with OpenedFile(places, name, manifest, committed) as opened:
            opened.verify()
    return manifest


def read_published_manifest(storage: str | Path | UPath) -> Manifest:
    """The manifest of the published set. No other file is read.

    Raises:
        StoreError: nothing whole is published, with the command that publishes.
    """
    return _manifest(_find(storage)[1])[0]


def published_manifest(storage: str | Path | UPath) -> Manifest | None:
    """As `read_published_manifest`; None where nothing whole is published."""
    try:
        return read_published_manifest(storage)
    except StoreError:
        return None


def _find(storage: str | Path | UPath) -> tuple[Path | UPath | None, Places]:
    """The storage's root (None for a copy of an `outputs` folder) and where its set lies."""
    place = as_place(storage)
    if is_local(place) and not place.is_dir():
        what = "is a file, not a folder" if place.exists() else "does not exist"
        raise StoreError(
            f"the storage {place} {what}. Name the folder that RAKUTEN_STORAGE names where the assets are made, or "
            f"make them: {_make_everything(None)}"
        )
    root = place.parent if place.name == OUTPUTS and (place.parent / "assets").is_dir() else None
    if not (place / OUTPUTS).is_dir() and (root is not None or is_file(place / MANIFEST_FILE)):
        return root, Places(place, place.parent / PUBLISHING)
    return place, Places.of(place)


def _manifest(places: Places) -> tuple[Manifest, bool]:
    """The manifest of the published set, and whether it is committed but not wholly moved."""
    forget_listings(places.outputs)
    if (committed := places.read_manifest(places.publishing)) is not None:
        return committed, True
    manifest = places.read_manifest(places.outputs)
    if manifest is not None:
        return manifest, False
    if is_file(places.outputs / METADATA_FILE):
        raise StoreError(
            f"{places.outputs} has no {MANIFEST_FILE}: its files were put there by an older release, and may not "
            f"belong together. Publish them together: {make_command('outputs')}"
        )
    storage = places.outputs.parent
    raise StoreError(
        f"nothing is published in {storage} yet. Make it: {_make_everything(storage)} "
        f"(with RAKUTEN_STORAGE={storage}); or, if only the last step is missing: {make_command('outputs')}"
    )


def _open(places: Places, extractor: str | None, origin: Origin, verify: bool) -> PublishedSet:
    manifest, committed = _manifest(places)
    chosen = _choose(manifest, extractor, places)
    reader = SetReader(places, manifest, committed, verify)
    metadata = reader.mapping(metadata_file(chosen.name))
    reader.mapping(METADATA_FILE)
    index = reader.table(INDEX_FILE)
    labels = reader.array(LABELS_FILE)
    splits = {}
    for split in SPLITS:
        frame = index[index["split"] == split].reset_index(drop=True)
        vectors = reader.array(features_file(split, chosen.name))
        valid = np.array(reader.array(valid_file(split)))
        y = np.array(labels) if split == "train" else None
        if problems := _differing(split, len(frame), vectors, valid, y):
            raise StoreError(
                f"{places.outputs}: {' and '.join(problems)} of the {split} split do not have the {len(frame):,} rows "
                f"of {INDEX_FILE}: the files do not belong together. {WAY_OUT}"
            )
        splits[split] = SplitArrays.of(split, vectors, valid, y, frame)
    return PublishedSet(
        train=splits["train"],
        test=splits["test"],
        extractor=chosen.name,
        metadata=metadata,
        manifest=manifest,
        origin=origin,
    )


def _differing(
    split: Split,
    rows: int,
    vectors: npt.NDArray[Any],
    valid: npt.NDArray[Any],
    y: npt.NDArray[Any] | None,
) -> list[str]:
    found = {"features": len(vectors), valid_file(split): len(valid)}
    if y is not None:
        found[LABELS_FILE] = len(y)
    return [f"{name} ({count:,} rows)" for name, count in found.items() if count != rows]


def _choose(manifest: Manifest, extractor: str | None, places: Places) -> PublishedExtractor:
    if extractor is None:
        return manifest.extractors[0]
    for one in manifest.extractors:
        if one.name == extractor:
            return one
    raise StoreError(
        f"extractor {extractor!r} is not in {places.outputs}; published are: {', '.join(manifest.names)}. To add it, "
        f"name it in RAKUTEN_BACKBONE and run: {_make_everything(places.outputs.parent)}"
    )


def _seen(places: Places) -> Seen:
    """What shows that a set is being replaced: both manifests, and which files are on their way."""
    forget_listings(places.outputs)
    manifests: list[bytes | None] = []
    for folder in (places.publishing, places.outputs):
        try:
            manifests.append(sha256_of_bytes(read_bytes(folder / MANIFEST_FILE)).encode())
        except OSError:
            manifests.append(None)
    try:
        waiting = tuple(sorted(path.name for path in places.publishing.iterdir()))
    except OSError:
        waiting = ()
    return manifests[0], manifests[1], waiting


def _make_everything(storage: Path | UPath | None) -> str:
    """The command that makes everything, over the shards that the storage has."""
    shards = int(Settings.model_fields["shards"].default)
    if storage is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # A new storage has none.
            shards = int(json.loads(read_bytes(storage / "assets" / "layout.json"))["shards"])
    keys = shard_keys(max(1, shards))
    return f"{make_command(EVERYTHING)} --partition-range {keys[0]}...{keys[-1]}"
