"""The few lines that the packages' docstrings promise run as they stand, over a storage that the graph filled."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from upath import UPath

import rakuten_assets.augmentation
import rakuten_assets.torch_data
from rakuten_assets.dataset.contract import read_labels, read_products
from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.dataset.manifest import build_manifest, shard_rows
from rakuten_assets.integrity.reading.scan import scan_images
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS
from rakuten_assets.storage import Storage
from rakuten_assets.storage.tables import write_table
from rakuten_assets_tests.torch_data.conftest import LIMITS


def lines_of(module: Any) -> str:
    """What follows the first line of a docstring."""
    block = (module.__doc__ or "").split("\n\n", 1)[1]
    return textwrap.dedent(block)


def _fill(catalogue: Path, storage: Path) -> None:
    folder = find_catalog(catalogue)
    manifest = build_manifest(
        read_products(folder.x_train, "train"), read_labels(folder.y_train), read_products(folder.x_test, "test"), 1
    )  # fmt: skip
    rows = shard_rows(manifest, "00")
    scan = scan_images(folder.image_paths(rows["file"]), LIMITS, 1)
    file = Storage(UPath(storage), 1).asset_file(["image_scan"], "00", ".parquet")
    file.parent.mkdir(parents=True)
    write_table(file, pd.concat([rows, scan[SCAN_COLUMNS]], axis=1))


@pytest.mark.usefixtures("no_settings_of_the_user")
def test_the_lines_run(catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(catalogue, tmp_path / "storage")
    monkeypatch.setenv("RAKUTEN_DATA_DIR", str(catalogue))
    monkeypatch.setenv("RAKUTEN_SHARDS", "1")
    names: dict[str, Any] = {}
    exec(lines_of(rakuten_assets.torch_data), names)
    assert (names["images"].shape, names["images"].dtype) == ((32, 3, 224, 224), torch.float32)
    assert names["labels"].dtype == torch.int64
    names = {"image": Image.fromarray(np.full((50, 60, 3), 200, np.uint8))}
    exec(lines_of(rakuten_assets.augmentation), names)
