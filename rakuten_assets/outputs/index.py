"""`index.parquet`: one row an image, in the order of the arrays, with everything that tells what a row is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.errors import ManifestError, StoreError
from rakuten_assets.outputs.names import make_command
from rakuten_assets.storage.files import atomic_path

_COLUMNS: list[tuple[str, pa.DataType, str]] = [
    ("split", pa.string(), "train or test"),
    ("row", pa.int64(), "row of the split's arrays, and of its CSV file, from 0"),
    ("index", pa.int64(), "the CSV file's own index"),
    ("image_id", pa.int64(), "imageid of the CSV file, unique"),
    ("product_id", pa.int64(), "productid of the CSV file, unique"),
    ("code", pa.int64(), "class code (prdtypecode); null for test"),
    ("label", pa.int64(), "class as in train_labels.npy, 0 to n-1; null for test"),
    ("valid", pa.bool_(), "whether the image decodes whole; if not, its vector is exactly zero"),
    ("exact_group", pa.string(), "group of images with the same bytes"),
    ("pixel_group", pa.string(), "group of images with the same pixels"),
    ("near_group", pa.string(), "group of images that show the same picture; keep it on one side of a split"),
    ("file", pa.string(), "image file, below images/"),
    ("shard", pa.string(), "partition that the image is scanned and computed in"),
]
INDEX_SCHEMA: pa.Schema = pa.schema(
    [pa.field(name, kind, metadata={"description": text}) for name, kind, text in _COLUMNS]
)
INDEX_COLUMNS: list[str] = list(INDEX_SCHEMA.names)

# Of two catalogues with the same values here, features of one are features of the other: the exact group of a valid
# image has the beginning of its file's sha256 as id, and the vectors of the others are zero.
_CATALOGUE_COLUMNS = (
    "split",
    "row",
    "index",
    "image_id",
    "product_id",
    "code",
    "valid",
    "exact_group",
)


def column_descriptions() -> dict[str, str]:
    """Column name -> meaning, in the order of the columns."""
    return {name: text for name, _, text in _COLUMNS}


def build_index(
    manifest: pd.DataFrame,
    labels: npt.NDArray[np.int64],
    valid: Mapping[Split, npt.NDArray[np.bool_]],
    groups: pd.DataFrame,
) -> pd.DataFrame:
    """Put together what is known of each row.

    Args:
        manifest: the image manifest, train rows then test rows, in CSV order.
        labels: int64 (train rows,).
        valid: by split, bool (rows,).
        groups: duplicate groups, one row an image, in the order of `manifest`.

    Returns:
        `INDEX_COLUMNS`: train rows then test rows. Text columns are str, `code` and `label` are Int64 (<NA> for
        test), `valid` is bool, the others int64.

    Raises:
        ManifestError: if the parts have other rows than the manifest, naming the asset to make again.
    """
    for split in SPLITS:
        of_split = manifest["split"] == split
        rows = int(of_split.sum())
        if not np.array_equal(manifest.loc[of_split, "row"], np.arange(rows)):
            raise ManifestError(
                f"the {split} rows of the image manifest are not in CSV order; {make_command('image_manifest')}"
            )
        if len(valid[split]) != rows:
            raise _other_rows(f"{split}_valid", f"{len(valid[split]):,} rows", rows)
    train_rows = int((manifest["split"] == "train").sum())
    if len(labels) != train_rows:
        raise _other_rows("train_labels", f"{len(labels):,} rows", train_rows)
    if len(groups) != len(manifest) or not np.array_equal(
        groups["file"].to_numpy(), manifest["file"].to_numpy()
    ):
        raise _other_rows("duplicate_groups", f"{len(groups):,} rows, or others", len(manifest))
    unlabelled = np.full(len(manifest) - train_rows, pd.NA, dtype=object)
    columns = {name: manifest[name].reset_index(drop=True) for name in INDEX_COLUMNS if name in manifest}
    columns["label"] = pd.Series([*labels.tolist(), *unlabelled], dtype="Int64")
    columns["valid"] = pd.Series(np.concatenate([valid[split] for split in SPLITS]), dtype=bool)
    for level in ("exact", "pixel", "near"):
        columns[f"{level}_group"] = groups[f"{level}_group"].reset_index(drop=True).astype("str")
    return pd.DataFrame({name: columns[name] for name in INDEX_COLUMNS})


def index_content(index: pd.DataFrame) -> str:
    """Hexadecimal digest of an index's rows."""
    return content_version(index.assign(valid=index["valid"].astype("int64")))


def catalogue_digest(index: pd.DataFrame) -> str:
    """Hexadecimal digest of the catalogue: ids, codes, images, which of them are valid."""
    return index_content(index[list(_CATALOGUE_COLUMNS)])


def write_index(path: Path, index: pd.DataFrame) -> None:
    """Write `path`, a file in a scratch folder; each page has a checksum, each column its description."""
    table = pa.Table.from_pandas(index, schema=INDEX_SCHEMA, preserve_index=False)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_index(file: IO[bytes] | io.BytesIO, name: str) -> pd.DataFrame:
    """Read what `write_index` wrote; `name` is for messages.

    Raises:
        StoreError: if it is damaged or has other columns.
    """
    try:
        table = pq.read_table(file, page_checksum_verification=True)
        frame: pd.DataFrame = table.to_pandas()
    except Exception as error:  # pandas' part of the footer can be wrong in any way: KeyError, TypeError...
        raise StoreError(f"{name} is not a whole parquet file: {type(error).__name__}: {error}") from None
    if table.schema.names != INDEX_COLUMNS or table.schema.types != INDEX_SCHEMA.types:
        raise StoreError(
            f"{name} does not have the columns of an index: {', '.join(table.schema.names[:20])}"
        )
    try:
        return frame.astype(_pandas_types())
    except (KeyError, TypeError, ValueError) as error:  # A column is another's index, or holds no numbers.
        raise StoreError(f"{name} does not have the columns of an index: {error}") from None


def _pandas_types() -> dict[str, Any]:
    kinds: dict[pa.DataType, Any] = {pa.string(): "str", pa.int64(): "int64", pa.bool_(): "bool"}
    return {name: kinds[kind] for name, kind, _ in _COLUMNS} | {"code": "Int64", "label": "Int64"}


def _other_rows(asset: str, found: str, expected: int) -> ManifestError:
    return ManifestError(
        f"{asset} holds {found}; the image manifest has {expected:,} of them: the catalogue has changed since. "
        f"Make it again: {make_command(asset)}"
    )
