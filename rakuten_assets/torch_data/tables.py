"""Which images a data set consists of: from the asset graph's storage, or from a folder that is scanned now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

from rakuten_assets.dataset.contract import read_labels, read_products
from rakuten_assets.dataset.labels import encode_labels, fit_label_encoder
from rakuten_assets.dataset.layout import CatalogFolder, Split, find_catalog
from rakuten_assets.dataset.manifest import build_manifest
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import ManifestError, StoreError
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.reasons import Status
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage
from rakuten_assets.storage.tables import read_table

_COLUMNS = ["split", "row", "file", "code", "status", "sha256"]


@dataclass(frozen=True, eq=False)
class ImageTable:
    """Images of one split, in the order of its CSV file.

    Attributes:
        paths: each image's file.
        rows: int64 (n,), its row in the CSV file, from 0.
        valid: bool (n,), False: quarantined by the scan.
        sha256: of each file as it was scanned, hexadecimal; "" where that is not known.
    """

    paths: Sequence[Path | UPath]
    rows: NDArray[np.int64]
    valid: NDArray[np.bool_]
    sha256: Sequence[str]

    def __post_init__(self) -> None:
        lengths = {len(self.paths), len(self.rows), len(self.valid), len(self.sha256)}
        if len(lengths) != 1:
            raise ManifestError(f"paths, rows, valid and sha256 differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.rows)


def stored_images(settings: Settings, split: Split) -> tuple[ImageTable, NDArray[np.int64] | None]:
    """A split's images as the asset `image_scan` last found them, and their labels; None for test.

    Raises:
        StoreError: where a shard has not been scanned, or its file is damaged.
        CatalogError: where the catalogue is not there.
    """
    storage = Storage(settings.storage, settings.shards)
    shards = [
        _read(storage.asset_file(["image_scan"], key, ".parquet")) for key in shard_keys(settings.shards)
    ]
    return images_of_scan(pd.concat(shards, ignore_index=True), open_catalog(settings), split)


def scanned_folder(
    root: str | Path | UPath, split: Split, limits: DecodeLimits
) -> tuple[ImageTable, NDArray[np.int64] | None]:
    """A split's images, scanned now (a minute or two for the whole challenge), and their labels; None for test.

    Raises:
        CatalogError: where the folder lacks one of the challenge's files, or a table breaks the contract.
    """
    # Its kernels are compiled: not for who reads a storage.
    from rakuten_assets.integrity.reading.scan import scan_images

    folder = find_catalog(root)
    manifest = build_manifest(
        read_products(folder.x_train, "train"), read_labels(folder.y_train), read_products(folder.x_test, "test"), 1
    )  # fmt: skip
    chosen = manifest[manifest["split"] == split].reset_index(drop=True)
    with Progress("scan", len(chosen)) as progress:
        paths = folder.image_paths(chosen["file"])
        scan = scan_images(paths, limits, usable_cores(), progress=progress)
    return images_of_scan(pd.concat([chosen, scan[["status", "sha256"]]], axis=1), folder, split)


def images_of_scan(
    images: pd.DataFrame, folder: CatalogFolder, split: Split
) -> tuple[ImageTable, NDArray[np.int64] | None]:
    """A split's images, and their labels; None for test.

    Args:
        images: rows of the scan, of all shards.
        folder: the catalogue that was scanned.
    """
    chosen = images[images["split"] == split].sort_values("row", ignore_index=True)
    table = ImageTable(
        folder.image_paths(chosen["file"].tolist()),
        chosen["row"].to_numpy(np.int64),
        (chosen["status"] == Status.OK).to_numpy(np.bool_),
        chosen["sha256"].tolist(),
    )
    if chosen["code"].isna().any() or not len(chosen):
        return table, None
    codes = chosen["code"].to_numpy(np.int64)
    return table, encode_labels(codes, fit_label_encoder(codes))


def _read(path: UPath) -> pd.DataFrame:
    try:
        return read_table(path)[_COLUMNS]
    except FileNotFoundError:
        raise StoreError(
            f"there is no {path}: the images have not been scanned. Materialise image_scan, or use "
            "RakutenImageDataset.from_folder, which scans them itself"
        ) from None
    except (StoreError, OSError, KeyError) as error:
        raise StoreError(
            f"{path} is not a whole scan ({error}); materialise its shard of image_scan again"
        ) from None
