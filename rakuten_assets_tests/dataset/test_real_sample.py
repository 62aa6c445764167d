"""The contract against real files: `REAL_SAMPLE_DIR` names a folder in the challenge's layout."""

from __future__ import annotations

import os

import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.dataset.contract import check_catalog, codes_of_rows, read_labels, read_products
from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS, class_counts, differences_from_known
from rakuten_assets.dataset.layout import CatalogFolder, find_catalog
from rakuten_assets.dataset.manifest import build_manifest

_SAMPLE = os.environ.get("REAL_SAMPLE_DIR", "")
pytestmark = pytest.mark.skipif(
    not (_SAMPLE and UPath(_SAMPLE).is_dir()),
    reason=f"REAL_SAMPLE_DIR={_SAMPLE} is no folder"
    if _SAMPLE
    else "REAL_SAMPLE_DIR is not set (private data)",
)


@pytest.fixture(scope="module")
def folder() -> CatalogFolder:
    return find_catalog(_SAMPLE)


@pytest.fixture(scope="module")
def frames(folder: CatalogFolder) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return (
        read_products(folder.x_train, "train"),
        read_labels(folder.y_train),
        read_products(folder.x_test, "test"),
    )


def test_the_sample_keeps_the_contract(frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    check_catalog(*frames)
    counts = class_counts(codes_of_rows(frames[0], frames[1]))
    assert counts.keys() == KNOWN_CLASS_COUNTS.keys()
    assert differences_from_known(counts)


def test_it_reads_as_pandas_reads_it(
    folder: CatalogFolder, frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    for path, frame in ((folder.x_train, frames[0]), (folder.y_train, frames[1]), (folder.x_test, frames[2])):
        theirs = pd.read_csv(str(path), index_col=0, keep_default_na=False, na_values={"description": [""]})
        pd.testing.assert_frame_equal(frame, theirs.rename_axis("index"), check_dtype=False)


def test_every_image_of_the_manifest_is_there(
    folder: CatalogFolder, frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    manifest = build_manifest(*frames, shards=16)
    assert all(path.is_file() for path in folder.image_paths(manifest["file"]))


def test_the_full_label_file_has_the_known_classes(folder: CatalogFolder) -> None:
    path = folder.root / "full_Y_train_CVw08PX.csv"
    if not path.is_file():
        pytest.skip("the sample has no full label file")
    assert not differences_from_known(class_counts(read_labels(path)["prdtypecode"]))
