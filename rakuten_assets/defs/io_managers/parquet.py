"""Tables as parquet: pandas frames in and out, index and dtypes kept."""

from typing import Any, ClassVar

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.files import atomic_file
from rakuten_assets.units import human_bytes


class ParquetIOManager(FileIOManager):
    """Stores a `pandas.DataFrame` as `.parquet`; a checksum on each page shows a damaged one on reading."""

    suffix: ClassVar[str] = ".parquet"

    def write(self, value: Any, own: UPath, published: UPath | None) -> dict[str, Any]:
        if not isinstance(value, pd.DataFrame):
            raise StoreError(f"{own}: a pandas.DataFrame is stored here, not a {type(value).__name__}")
        target = published or own
        write_table(target, value)
        size = target.stat().st_size
        return {
            "path": dg.MetadataValue.path(str(target)),
            "size": human_bytes(size),
            "bytes": size,
            "dagster/row_count": len(value),
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(str(name), str(dtype)) for name, dtype in value.dtypes.items()]
            ),
        }

    def read(self, own: UPath, published: UPath | None) -> pd.DataFrame:
        return read_table(published or own)


def write_table(target: UPath, frame: pd.DataFrame) -> None:
    """Replace `target` by a parquet file of `frame`, atomically."""
    table = pa.Table.from_pandas(frame)
    with atomic_file(target) as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def read_table(path: UPath) -> pd.DataFrame:
    """Read a parquet file.

    Raises:
        FileNotFoundError: if there is none.
        StoreError: if it is damaged.
    """
    with path.open("rb") as file:
        try:
            frame: pd.DataFrame = pq.read_table(file, page_checksum_verification=True).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise StoreError(f"{path} is not a whole parquet file: {error}") from None
    return frame
