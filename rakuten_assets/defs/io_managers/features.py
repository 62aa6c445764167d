"""Features as `.npy` with the rows that they belong to, by shard or of a whole split."""

from typing import Any

from upath import UPath

from rakuten_assets.defs.io_managers.npy import NpyIOManager, describe_array, store_array
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.features import FeatureArray, read_features, rows_digest, rows_file
from rakuten_assets.storage.arrays import write_array_record
from rakuten_assets.storage.tables import write_table


class FeatureIOManager(NpyIOManager):
    """Stores a `FeatureArray`: `03.npy` (vectors), `03.parquet` (rows, in the same order), `03.json` (the record).

    The record is written last and names the digests of the other two: features are whole when they agree.
    """

    def write(self, value: Any, file: UPath) -> dict[str, Any]:
        if not isinstance(value, FeatureArray):
            raise StoreError(f"{file}: a FeatureArray is stored here, not a {type(value).__name__}")
        write_table(rows_file(file), value.rows)
        record = store_array(value.vectors, file)
        write_array_record(
            file,
            {
                "array": record.as_dict(),
                "rows": rows_digest(value.rows),
                "fingerprint": dict(value.fingerprint),
                "made_of": value.made_of,
            },
        )
        return {**describe_array(record, file), "dagster/row_count": len(value.rows)}

    def read(self, file: UPath) -> FeatureArray:
        return read_features(file)
