"""Small documents as JSON, readable by people."""

import json
from typing import Any, ClassVar

import dagster as dg
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.files import sha256_of_bytes
from rakuten_assets.records import read_record, write_document
from rakuten_assets.units import human_bytes


class JsonIOManager(FileIOManager):
    """Stores what JSON can express (mappings with text keys, lists, text, numbers, booleans) as `.json`.

    A mapping's order is kept; NaN and infinities, which JSON does not know, are refused. The document is as it was
    given, so that any tool reads it; in the asset's own folder stands `<name>.record.json` with its sha256, and with
    those of the versions before it. The record is written first: whenever a process is killed, and however runs meet,
    the document that is there is one that the record knows. Any other is refused.
    """

    suffix: ClassVar[str] = ".json"

    def write(self, value: Any, own: UPath, published: UPath | None) -> dict[str, Any]:
        target = published or own
        try:
            content = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise StoreError(f"{target}: the value cannot be written as JSON: {error}") from None
        write_document(target, content, document_record(own))
        return {
            "path": dg.MetadataValue.path(str(target)),
            "size": human_bytes(len(content)),
            "bytes": len(content),
        }

    def read(self, own: UPath, published: UPath | None) -> Any:
        path = published or own
        record = document_record(own)
        content = path.read_bytes()
        try:
            recorded = read_record(record)
        except FileNotFoundError:
            raise StoreError(f"{path} is not whole: its record {record} is missing") from None
        if recorded.get("document") != path.name or sha256_of_bytes(content) not in recorded.get(
            "sha256", ()
        ):
            raise StoreError(f"{path} does not have the sha256 recorded in {record}: its content was changed")
        return json.loads(content)

    def commit_file(self, own: UPath, published: UPath | None) -> UPath:
        return document_record(own)


def document_record(own: UPath) -> UPath:
    """Path of the record of a document."""
    return own.with_name(f"{own.name.removesuffix(JsonIOManager.suffix)}.record.json")
