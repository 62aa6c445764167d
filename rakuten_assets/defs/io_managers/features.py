"""Features as `.npy` with what belongs to them: a shard with its rows, a matrix with its validity mask."""

from typing import Any

import dagster as dg
import numpy as np
from upath import UPath

from rakuten_assets.arrays import ArrayRecord, open_array
from rakuten_assets.defs.io_managers.npy import (
    NpyIOManager,
    describe_array,
    read_record,
    store_array,
    write_record,
)
from rakuten_assets.defs.io_managers.parquet import read_table, write_table
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.shards import FeatureMatrix, FeatureShard, rows_digest


class FeatureShardIOManager(NpyIOManager):
    """Stores a `FeatureShard`: `03.npy` (vectors), `03.parquet` (rows, in the same order), `03.json` (the record).

    The record is written last and names the digests of the other two: a shard is whole when they agree.
    """

    def write(self, value: Any, own: UPath, published: UPath | None) -> dict[str, Any]:
        if not isinstance(value, FeatureShard):
            raise StoreError(f"{own}: a FeatureShard is stored here, not a {type(value).__name__}")
        write_table(_rows_file(own), value.rows)
        record = store_array(value.vectors, own)
        write_record(
            own,
            {
                "array": record.as_dict(),
                "rows": rows_digest(value.rows),
                "fingerprint": dict(value.fingerprint),
            },
        )
        return {**describe_array(record, own), "dagster/row_count": len(value.rows)}

    def read(self, own: UPath, published: UPath | None) -> FeatureShard:
        content = read_record(own)
        record = ArrayRecord.from_dict(content.get("array"))
        rows = read_table(_rows_file(own))
        if rows_digest(rows) != content.get("rows") or len(rows) != record.shape[0]:
            raise StoreError(f"{_rows_file(own)} does not belong to {own}: one of them was replaced")
        return FeatureShard(open_array(own, record), rows, content["fingerprint"], record)


class FeatureMatrixIOManager(NpyIOManager):
    """Stores a `FeatureMatrix`: `train_features_<backbone>.npy`, and beside it its mask, `train_valid.npy`."""

    def write(self, value: Any, own: UPath, published: UPath | None) -> dict[str, Any]:
        if not isinstance(value, FeatureMatrix) or published is None:
            raise StoreError(f"{own}: a FeatureMatrix is published here, not a {type(value).__name__}")
        mask = store_array(value.valid, _mask_file(published))
        record = store_array(value.vectors, published)
        write_record(
            own,
            {
                "array": record.as_dict(),
                "mask": mask.as_dict(),
                "fingerprint": dict(value.fingerprint),
                "made_of": value.made_of,
            },
        )
        return {
            **describe_array(record, published),
            "mask": dg.MetadataValue.path(str(_mask_file(published))),
        }

    def read(self, own: UPath, published: UPath | None) -> FeatureMatrix:
        if published is None:
            raise StoreError(f"{own}: a matrix is published; its asset must name the file")
        content = read_record(own)
        vectors = open_array(published, ArrayRecord.from_dict(content.get("array")))
        valid = open_array(_mask_file(published), ArrayRecord.from_dict(content.get("mask")))
        return FeatureMatrix(vectors, np.asarray(valid), content["fingerprint"], content["made_of"])


def _rows_file(own: UPath) -> UPath:
    return own.with_name(f"{own.name.removesuffix('.npy')}.parquet")


def _mask_file(published: UPath) -> UPath:
    split, _, _ = published.name.partition("_")
    return published.with_name(f"{split}_valid.npy")
