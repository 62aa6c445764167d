"""A small catalogue, scanned, with a damaged and a missing file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.synthetic import generate_catalog
from rakuten_assets.torch_data.tables import ImageTable, scanned_folder

BAD_ROWS = (4, 9)
LIMITS = DecodeLimits(max_file_bytes=10_000_000, max_pixels=10_000_000)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("catalogue")
    generate_catalog(root, train_rows=40, test_rows=3, seed=3, faults=False, workers=1)
    table, _ = scanned_folder(root, "train", LIMITS)
    damaged, missing = (Path(table.paths[row]) for row in BAD_ROWS)
    damaged.write_bytes(damaged.read_bytes()[:900])
    missing.unlink()
    return root


@pytest.fixture(scope="session")
def scanned(catalogue: Path) -> tuple[ImageTable, object]:
    return scanned_folder(catalogue, "train", LIMITS)
