"""Arrays as `.npy`: written atomically, memory-mapped on reading, checked against a record of what was written."""

from typing import Any, ClassVar

import dagster as dg
import numpy as np
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.storage.arrays import (
    ArrayRecord,
    StagedArray,
    array_record_file,
    move_array,
    read_array,
    write_array,
    write_array_record,
)
from rakuten_assets.units import human_bytes


class NpyIOManager(FileIOManager):
    """Stores a `numpy.ndarray`, or moves a `StagedArray` into place.

    Beside each file stands `<name>.json`: dtype, shape,
    size and sha256. It is written last, so that it is the commit; a file that does not fit it is refused.
    """

    suffix: ClassVar[str] = ".npy"

    def write(self, value: Any, file: UPath) -> dict[str, Any]:
        record = store_array(value, file)
        write_array_record(file, {"array": record.as_dict()})
        return describe_array(record, file)

    def read(self, file: UPath) -> Any:
        return read_array(file)

    def commit_file(self, file: UPath) -> UPath:
        return array_record_file(file)


def store_array(value: Any, target: UPath) -> ArrayRecord:
    """Put an array, or a staged one, at `target`, atomically."""
    if isinstance(value, StagedArray):
        return move_array(value, target)
    if not isinstance(value, np.ndarray):
        raise StoreError(f"{target}: a numpy.ndarray is stored here, not a {type(value).__name__}")
    return write_array(target, value)


def describe_array(record: ArrayRecord, target: UPath) -> dict[str, Any]:
    """Metadata of a stored array."""
    return {
        "path": dg.MetadataValue.path(str(target)),
        "dtype": record.dtype,
        "shape": str(record.shape),
        "size": human_bytes(record.bytes),
        "bytes": record.bytes,
        "sha256": record.sha256,
    }
