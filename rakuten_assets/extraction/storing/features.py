"""Features as a value, from a shard to a split: vectors, the rows they belong to, the fingerprint they were made by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.storage.arrays import (
    ArrayRecord,
    StagedArray,
    open_array,
    read_array_record,
    stage_array,
)
from rakuten_assets.storage.tables import read_table

if TYPE_CHECKING:  # The pipeline's module is heavy; a value that was stored needs none of it.
    from rakuten_assets.extraction.pipeline import ExtractionReport, Extractor

SCANNED_COLUMNS = ("row", "index", "image_id", "product_id", "file", "sha256")
ROW_COLUMNS = (*SCANNED_COLUMNS, "valid")


@dataclass(frozen=True)
class FeatureArray:
    """Features with the rows that they belong to: of one shard of one split, or of a whole split.

    Attributes:
        vectors: float32 (n, dim), memory-mapped where it was loaded, or a staged file. A shard's rows are in manifest
            order, a split's in CSV order.
        rows: the n rows, with the columns `ROW_COLUMNS`: row (position in the CSV file), index, image_id,
            product_id, file, sha256 ("" where there are no bytes), valid (False: a quarantined zero vector).
        fingerprint: the extractor's, as its `as_dict()`.
        record: what `vectors` must be, for checking its content.
        made_of: of a split: `merged_content` of the shards that it was merged from; of a shard: "".
    """

    vectors: npt.NDArray[np.float32] | StagedArray
    rows: pd.DataFrame
    fingerprint: Mapping[str, Any]
    record: ArrayRecord
    made_of: str = ""

    @property
    def array(self) -> npt.NDArray[np.float32]:
        """The vectors; those of a staged file memory-mapped."""
        return self.vectors.open() if isinstance(self.vectors, StagedArray) else self.vectors

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """bool (n,). False: the image is quarantined and its vector is exactly zero."""
        return self.rows["valid"].to_numpy(dtype=bool)

    @property
    def content(self) -> str:
        """Hexadecimal digest of vectors, rows and fingerprint."""
        fingerprint = json.dumps(dict(self.fingerprint), sort_keys=True)
        return content_digest(self.record.sha256, rows_digest(self.rows), fingerprint)


def shard_table(scanned: pd.DataFrame) -> pd.DataFrame:
    """The row sidecar of a shard, from its scanned manifest rows (columns of manifest and scan)."""
    valid = scanned["status"].eq("ok").to_numpy(dtype=bool)
    columns = {name: scanned[name].reset_index(drop=True) for name in SCANNED_COLUMNS}
    return pd.DataFrame({**columns, "valid": valid})


def rows_digest(rows: pd.DataFrame) -> str:
    """Hexadecimal digest of a sidecar's rows: which images, which bytes, which are valid."""
    digest = hashlib.sha256()
    for name in ("row", "index", "image_id", "product_id"):
        digest.update(rows[name].to_numpy(dtype="<i8").tobytes())
    digest.update("\n".join([*rows["file"], *rows["sha256"]]).encode())
    digest.update(rows["valid"].to_numpy(dtype=bool).tobytes())
    return digest.hexdigest()


def rows_file(file: UPath) -> UPath:
    """Path of the sidecar of stored features."""
    return file.with_name(f"{file.name.removesuffix('.npy')}.parquet")


def read_features(file: UPath) -> FeatureArray:
    """Stored features: vectors (memory-mapped), sidecar and record, which name each other.

    Raises:
        FileNotFoundError: if there are none.
        StoreError: if one of the three is damaged or another's.
    """
    content = read_array_record(file)
    record = ArrayRecord.from_dict(content.get("array"))
    rows = read_table(rows_file(file))
    if rows_digest(rows) != content.get("rows") or len(rows) != record.shape[0]:
        raise StoreError(f"{rows_file(file)} does not belong to {file}: one of them was replaced")
    vectors = open_array(file, record)
    return FeatureArray(vectors, rows, content["fingerprint"], record, content.get("made_of", ""))


def merged_content(shards: Mapping[str, FeatureArray]) -> str:
    """Hexadecimal digest of the content of shards, in the order of their keys."""
    return content_digest(*(shards[key].content for key in sorted(shards)))


def content_digest(*parts: str) -> str:
    """One digest of several."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def extract_shard(
    extractor: Extractor,
    files: Sequence[Path | UPath],
    rows: pd.DataFrame,
    target: Path,
    label: str,
    log: Callable[[str], None] | None = None,
) -> tuple[FeatureArray, ExtractionReport]:
    """Compute a shard's vectors into `target`, a `.npy` file in a scratch folder.

    Args:
        files: the rows' image files, in the same order.
        rows: the sidecar, as `shard_table` makes it.
        label: what the progress line says.
        log: where it goes.
    """
    wanted = [digest if valid else "" for digest, valid in zip(rows["sha256"], rows["valid"], strict=True)]
    staged, report = stage_array(
        target,
        (len(rows), extractor.feature_dim),
        np.float32,
        lambda out: extractor.extract(files, wanted, out, progress_label=label, log=log),
    )
    return FeatureArray(staged, rows, extractor.fingerprint.as_dict(), staged.record), report
