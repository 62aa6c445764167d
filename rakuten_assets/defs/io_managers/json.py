"""Mappings and lists as JSON, readable by people."""

import json
from typing import Any, ClassVar

import dagster as dg
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.storage.records import read_recorded, record_file, write_recorded
from rakuten_assets.units import human_bytes


class JsonIOManager(FileIOManager):
    """Stores what JSON can express (mappings with text keys, lists, text, numbers, booleans) as `.json`.

    A mapping's order is kept; NaN and infinities, which JSON does not know, are refused. The file holds what was
    given, so that any tool reads it; beside it stands `<name>.record.json` with its sha256, and with
    those of the versions before it. The record is written first: whenever a process is killed, and however runs meet,
    the file that is there is one that the record knows. Any other is refused.
    """

    suffix: ClassVar[str] = ".json"

    def write(self, value: Any, file: UPath) -> dict[str, Any]:
        try:
            content = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise StoreError(f"{file}: the value cannot be written as JSON: {error}") from None
        write_recorded(file, content, record_file(file))
        return {
            "path": dg.MetadataValue.path(str(file)),
            "size": human_bytes(len(content)),
            "bytes": len(content),
        }

    def read(self, file: UPath) -> Any:
        return json.loads(read_recorded(file, record_file(file)))

    def commit_file(self, file: UPath) -> UPath:
        return record_file(file)
