"""The manifest: one row an image, train rows then test rows, each in the order of its CSV file."""

from __future__ import annotations

import pandas as pd

from rakuten_assets.dataset.contract import codes_of_rows
from rakuten_assets.dataset.layout import IMAGE_FOLDERS, Split, image_file_name
from rakuten_assets.dataset.sharding import shard_of

COLUMN_DESCRIPTIONS = {
    "split": "train or test",
    "row": "position in the split's CSV file, from 0",
    "index": "the CSV file's own index",
    "image_id": "id of the image, unique",
    "product_id": "id of the product, unique",
    "file": "image file: image_train/image_1_product_2.jpg",
    "code": "class code; missing in test",
    "shard": "which shard the image belongs to, by its ids",
}


def build_manifest(
    x_train: pd.DataFrame, y_train: pd.DataFrame, x_test: pd.DataFrame, shards: int
) -> pd.DataFrame:
    """Lay out every image of the catalogue.

    Args:
        x_train, x_test: as from `rakuten_assets.dataset.contract.read_products`.
        y_train: as from `read_labels`; matched to `x_train` by index.
        shards: number of shards.

    Returns:
        Train rows then test rows, in CSV order, with the columns
        split (str), row (int64, position in its CSV file from 0), index (int64, the CSV's own), image_id
        (int64), product_id (int64), file (str, "image_train/image_1_product_2.jpg"), code (Int64, <NA> for
        test), shard (str, "03").

    Raises:
        CatalogError: if labels and train rows do not match.
        ManifestError: if `shards` is below 1.
    """
    codes = pd.array(codes_of_rows(x_train, y_train), dtype="Int64")
    no_codes = pd.array([pd.NA] * len(x_test), dtype="Int64")
    parts = [
        _part("train", x_train, pd.Series(codes), shards),
        _part("test", x_test, pd.Series(no_codes), shards),
    ]
    return pd.concat(parts, ignore_index=True)


def shard_rows(manifest: pd.DataFrame, shard: str, split: Split | None = None) -> pd.DataFrame:
    """Rows of one shard, of both splits or of one, in manifest order and numbered from 0."""
    chosen = manifest["shard"] == shard
    if split is not None:
        chosen &= manifest["split"] == split
    return manifest.loc[chosen].reset_index(drop=True)


def _part(split: Split, products: pd.DataFrame, codes: pd.Series, shards: int) -> pd.DataFrame:
    ids = list(zip(products["imageid"].tolist(), products["productid"].tolist(), strict=True))
    folder = IMAGE_FOLDERS[split]
    return pd.DataFrame(
        {
            "split": pd.Series([split] * len(ids), dtype="str"),
            "row": pd.Series(range(len(ids)), dtype="int64"),
            "index": products.index.to_numpy(dtype="int64"),
            "image_id": products["imageid"].to_numpy(dtype="int64"),
            "product_id": products["productid"].to_numpy(dtype="int64"),
            "file": pd.Series([f"{folder}/{image_file_name(*pair)}" for pair in ids], dtype="str"),
            "code": codes,
            "shard": pd.Series([shard_of(*pair, shards) for pair in ids], dtype="str"),
        }
    )
