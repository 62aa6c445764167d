"""Which catalogue a run works on: the real files, or the synthetic ones that stand in for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.dataset.layout import CatalogFolder, find_catalog
from rakuten_assets.project import project_root
from rakuten_assets.settings import Settings
from rakuten_assets.storage.content_cache import GIGABYTE, keep_images
from rakuten_assets.storage.files import is_local, sha256_of_bytes
from rakuten_assets.storage.reading import bucket_files


def open_catalog(settings: Settings, log: Callable[[str], None] | None = None) -> CatalogFolder:
    """Find the catalogue that the settings name; without a data folder, generate the synthetic one if needed.

    Args:
        log: where the generator's progress goes.

    Raises:
        CatalogError: if files are missing.
        WriteError: if the synthetic catalogue cannot be written.
    """
    if settings.data_dir is not None:
        if not is_local(settings.data_dir):
            keep_images(round(settings.image_cache_gb * GIGABYTE))
        return find_catalog(settings.data_dir)
    # Only here: the drawing code is of no use with real data.
    from rakuten_assets.synthetic import generate_catalog

    root = synthetic_root(settings)
    generate_catalog(
        root,
        train_rows=settings.synthetic_train_rows,
        test_rows=settings.synthetic_test_rows,
        seed=settings.synthetic_seed,
        workers=settings.threads or None,
        log=log,
    )
    return find_catalog(root)


def present_catalog(settings: Settings) -> CatalogFolder:
    """The catalogue that the settings name, as it lies there now: nothing is generated.

    Raises:
        CatalogError: if files are missing.
    """
    return find_catalog(settings.data_dir or synthetic_root(settings))


def synthetic_root(settings: Settings) -> Path:
    """Folder of the synthetic catalogue: in the storage, or below the project's root where that is a bucket."""
    base = Path(settings.storage) if is_local(settings.storage) else project_root() / "storage"
    name = f"{settings.synthetic_train_rows}x{settings.synthetic_test_rows}-seed{settings.synthetic_seed}"
    return base / "synthetic" / name


def image_version(images: UPath) -> str:
    """A digest of the names, sizes and modification times of a folder's files (98,728 of them: about a second); on a
    bucket, of what its listing says of an object's version.
    """
    return sha256_of_bytes("\n".join(sorted(_entries(images))).encode())


def image_versions(folder: CatalogFolder) -> dict[str, str]:
    """`image_version` of each split's images."""
    return {split: image_version(images) for split, images in sorted(folder.images.items())}


def catalog_signature(folder: CatalogFolder, images: Mapping[str, str] | None = None) -> str:
    """A cheap fingerprint of a catalogue's files: names, sizes and modification times, not their content.

    For noticing that something changed; never for deciding what to compute.

    Args:
        images: what `image_versions` gives for the folder, where it is known already.
    """
    digest = hashlib.sha256()
    for path in (folder.x_train, folder.y_train, folder.x_test):
        status = path.stat()
        digest.update(f"{path.name}:{status.st_size}:{status.st_mtime}\n".encode())
    for split, version in (images or image_versions(folder)).items():
        digest.update(f"{split}:{version}\n".encode())
    return digest.hexdigest()


def _entries(folder: UPath) -> list[str]:
    if is_local(folder):
        with os.scandir(Path(folder)) as entries:
            return [f"{entry.name}:{entry.stat().st_size}:{entry.stat().st_mtime_ns}" for entry in entries]
    # One listing: asking for each of 98,728 objects would take an hour.
    return [f"{name}:{entry['size']}:{_changed(entry)}" for name, entry in bucket_files(folder).items()]


def _changed(entry: dict[str, Any]) -> str:
    """What a store says of an object's version in a listing: its digest, else its time."""
    named = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "updated", "mtime", "created")
    return next((str(entry[name]) for name in named if entry.get(name)), "")
