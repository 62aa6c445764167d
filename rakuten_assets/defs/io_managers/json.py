"""Small documents as JSON, readable by people."""

import json
from typing import Any, ClassVar

import dagster as dg
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.files import write_bytes
from rakuten_assets.units import human_bytes


class JsonIOManager(FileIOManager):
    """Stores what JSON can express (mappings with text keys, lists, text, numbers, booleans) as `.json`.

    A mapping's order is kept; NaN and infinities, which JSON does not know, are refused.
    """

    suffix: ClassVar[str] = ".json"

    def write(self, value: Any, own: UPath, published: UPath | None) -> dict[str, Any]:
        target = published or own
        try:
            content = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise StoreError(f"{target}: the value cannot be written as JSON: {error}") from None
        write_bytes(target, content)
        return {
            "path": dg.MetadataValue.path(str(target)),
            "size": human_bytes(len(content)),
            "bytes": len(content),
        }

    def read(self, own: UPath, published: UPath | None) -> Any:
        path = published or own
        try:
            return json.loads(path.read_bytes())
        except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are both.
            raise StoreError(f"{path} is not a JSON document: {error}") from None
