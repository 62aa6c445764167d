"""Trained heads: two files that can be copied anywhere, and a record that proves the asset's own."""

from typing import Any, ClassVar

import dagster as dg
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.storing import head_files, read_head, replaced_tensors
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.storage.records import read_recorded, record_file, write_recorded
from rakuten_assets.units import human_bytes


class HeadIOManager(FileIOManager):
    """Stores a `Head`: `head.safetensors` (numbers), `head.json` (what they mean, and their sha256).

    `load_head(folder)` reads the two, wherever they lie. Beside them stands `head.record.json` with the sha256 of
    `head.json`: an asset's head whose files were changed is refused.
    """

    suffix: ClassVar[str] = ".json"

    def write(self, value: Any, file: UPath) -> dict[str, Any]:
        if not isinstance(value, Head):
            raise StoreError(f"{file}: a Head is stored here, not a {type(value).__name__}")
        tensors, description = head_files(value)
        with replaced_tensors(_tensors_file(file), file, tensors):
            write_recorded(file, description, record_file(file))
        return {
            "path": dg.MetadataValue.path(str(file)),
            "size": human_bytes(len(tensors) + len(description)),
            "bytes": len(tensors) + len(description),
            "sha256": sha256_of_bytes(tensors),
        }

    def read(self, file: UPath) -> Head:
        read_recorded(file, record_file(file))
        tensors = _tensors_file(file)
        try:
            return read_head(tensors, file)
        except FileNotFoundError:
            raise StoreError(f"{file} is not whole: its numbers, {tensors}, are missing") from None

    def commit_file(self, file: UPath) -> UPath:
        return record_file(file)


def _tensors_file(file: UPath) -> UPath:
    return file.with_name(f"{file.name.removesuffix(HeadIOManager.suffix)}.safetensors")
