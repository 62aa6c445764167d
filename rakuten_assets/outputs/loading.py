"""Opens a published set, and refuses one whose files do not belong together.

- the manifest says which files there are; of a committed set that is not wholly moved, the one in `publishing/`;
- each file is opened once: the same open file is compared with the manifest, hashed, and mapped;
- where that fails while the set is being replaced, it is done again, and gives the new set.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from upath import UPath

from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.index import read_index
from rakuten_assets.outputs.manifest import Manifest, PublishedExtractor, PublishedFile
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
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import is_local, sha256_of_bytes

_MOST_TRIES = 20
_PIECE = 1 << 20

Seen = tuple[bytes | None, bytes | None, tuple[str, ...]]

_verified: set[tuple[int, int, int, int, str]] = set()
"""Files (device, inode, times) and the sha256 that this process found in them: read once, not at each load."""


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
        with _Opened(places, name, manifest, committed) as opened:
            opened.verify()
    return manifest


def published_manifest(storage: str | Path | UPath) -> Manifest | None:
    """The manifest of the published set; None where nothing whole is published. No other file is read."""
    try:
        return _manifest(_find(storage)[1])[0]
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
    if not (place / OUTPUTS).is_dir() and (root is not None or (place / MANIFEST_FILE).is_file()):
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
    if (places.outputs / METADATA_FILE).is_file():
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
    reader = _Reader(places, manifest, committed, verify)
    document = reader.document(metadata_file(chosen.name))
    reader.document(METADATA_FILE)
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
                f"of {INDEX_FILE}: the files do not belong together. {_WAY_OUT}"
            )
        splits[split] = SplitArrays.of(split, vectors, valid, y, frame)
    return PublishedSet(
        train=splits["train"],
        test=splits["test"],
        extractor=chosen.name,
        metadata=document,
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


@dataclass(frozen=True)
class _Reader:
    """Reads files of one set."""

    places: Places
    manifest: Manifest
    committed: bool
    verify: bool

    def array(self, name: str) -> npt.NDArray[Any]:
        with self._opened(name) as opened:
            return opened.array()

    def table(self, name: str) -> Any:
        with self._opened(name) as opened:
            return read_index(opened.file, opened.name)

    def document(self, name: str) -> Mapping[str, Any]:
        with self._opened(name) as opened:
            try:
                document = json.loads(opened.file.read())
            except ValueError as error:
                raise StoreError(f"{opened.name} is not a JSON document: {error}. {_WAY_OUT}") from None
        if not isinstance(document, dict):
            raise StoreError(f"{opened.name} is not a metadata document: it holds no mapping. {_WAY_OUT}")
        return document

    def _opened(self, name: str) -> _Opened:
        opened = _Opened(self.places, name, self.manifest, self.committed)
        if self.verify:
            opened.verify()
        return opened


class _Opened:
    """A published file, open and of the recorded size: on a bucket, its content."""

    def __init__(self, places: Places, name: str, manifest: Manifest, committed: bool) -> None:
        self.name = str(places.outputs / name)
        self.wanted: PublishedFile = manifest.files[name]
        self.file: IO[bytes] = self._open(places, name, committed)
        self.is_local = is_local(places.outputs)
        if not self.is_local:
            with self.file as stream:
                self.file = io.BytesIO(stream.read())
        self.size = os.fstat(self.file.fileno()).st_size if self.is_local else self.file.seek(0, io.SEEK_END)
        self.file.seek(0)
        if self.size != self.wanted.bytes:
            self.file.close()
            raise StoreError(
                f"{self.name} has {self.size:,} bytes; the manifest of the set says {self.wanted.bytes:,}: it is "
                f"damaged, or of another set. {_WAY_OUT}"
            )

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_local:
            self.file.close()

    def verify(self) -> None:
        """Raises: StoreError if the content does not have the recorded sha256."""
        if self.is_local:
            found = os.fstat(self.file.fileno())
            known = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, self.wanted.sha256)
            if known in _verified:
                return
        digest = hashlib.sha256()
        while piece := self.file.read(_PIECE):
            digest.update(piece)
        self.file.seek(0)
        if digest.hexdigest() != self.wanted.sha256:
            self.file.close()
            raise StoreError(
                f"{self.name} does not have the sha256 that the manifest of the set says: it is damaged, or of another "
                f"set. {_WAY_OUT}"
            )
        if self.is_local:
            _verified.add(known)

    def array(self) -> npt.NDArray[Any]:
        """The array, read-only; of a local file memory-mapped.

        Raises:
            StoreError: if its header is not as recorded.
        """
        dtype, shape, fortran = self._header()
        whole = self.file.tell() + dtype.itemsize * math.prod(shape) == self.size
        if (dtype.str, shape, fortran, whole) != (self.wanted.dtype, self.wanted.shape, False, True):
            raise StoreError(
                f"{self.name} holds {dtype.str} {shape}; the manifest of the set says {self.wanted.dtype} "
                f"{self.wanted.shape}. {_WAY_OUT}"
            )
        array: npt.NDArray[Any]
        if not math.prod(shape):
            array = np.empty(shape, dtype)
        elif self.is_local:
            # Of the open file, not by its name, which may be another file's by now.
            return np.memmap(self.file, dtype, "r", self.file.tell(), shape)
        else:
            array = np.frombuffer(self.file.read(), dtype).reshape(shape)
        array.flags.writeable = False
        return array

    def _header(self) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
        try:
            if np.lib.format.read_magic(self.file) != (1, 0):
                raise ValueError("it is a .npy file of another version than 1.0")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(self.file)
        except ValueError as error:
            raise StoreError(f"{self.name} is not an array of a set: {error}. {_WAY_OUT}") from None
        return dtype, shape, fortran

    def _open(self, places: Places, name: str, committed: bool) -> IO[bytes]:
        try:
            return places.open(name, committed)
        except FileNotFoundError:
            raise StoreError(f"{self.name} is missing. {_WAY_OUT}") from None
        except OSError as error:
            raise StoreError(f"{self.name} cannot be read: {error}. {_WAY_OUT}") from error


_WAY_OUT = f"Publish the set again: {make_command('outputs')}"


def _seen(places: Places) -> Seen:
    """What shows that a set is being replaced: both manifests, and which files are on their way."""
    forget_listings(places.outputs)
    manifests: list[bytes | None] = []
    for folder in (places.publishing, places.outputs):
        try:
            manifests.append(sha256_of_bytes((folder / MANIFEST_FILE).read_bytes()).encode())
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
            shards = int(json.loads((storage / "assets" / "layout.json").read_bytes())["shards"])
    keys = shard_keys(max(1, shards))
    return f"{make_command(EVERYTHING)} --partition-range {keys[0]}...{keys[-1]}"
