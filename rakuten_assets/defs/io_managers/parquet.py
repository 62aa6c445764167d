"""Tables as parquet: pandas frames in and out, index and dtypes kept."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import dagster as dg
import pandas as pd
from upath import UPath

from rakuten_assets.defs.io_managers.base import COLUMNS, FileIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.storage.tables import read_table, write_table
from rakuten_assets.units import human_bytes


class ParquetIOManager(FileIOManager):
    """Stores a `pandas.DataFrame` as `.parquet`, with a digest inside that every byte is checked by on reading."""

    suffix: ClassVar[str] = ".parquet"

    def write(self, value: Any, file: UPath) -> dict[str, Any]:
        if not isinstance(value, pd.DataFrame):
            raise StoreError(f"{file}: a pandas.DataFrame is stored here, not a {type(value).__name__}")
        size = write_table(file, value)
        return {
            "path": dg.MetadataValue.path(str(file)),
            "size": human_bytes(size),
            "bytes": size,
            "dagster/row_count": len(value),
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(str(name), str(dtype)) for name, dtype in value.dtypes.items()]
            ),
        }

    def read(self, file: UPath) -> pd.DataFrame:
        return read_table(file)

    def reader(self, context: dg.InputContext) -> Callable[[UPath], pd.DataFrame]:
        """Of the columns alone that the input's metadata `columns` names, where it does."""
        columns = (context.definition_metadata or {}).get(COLUMNS)
        return self.read if columns is None else partial(read_table, columns=list(columns))
