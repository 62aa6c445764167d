"""What assets get besides their inputs: the settings, and the IO managers over the storage that they name."""

from typing import Any

import dagster as dg

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage, claimed

IO_MANAGERS: dict[str, type[FileIOManager]] = {
    "npy": NpyIOManager,
    "parquet": ParquetIOManager,
    "json": JsonIOManager,
    "features": FeatureIOManager,
}


def build_resources(settings: Settings) -> dict[str, Any]:
    """Resources by name. Building them touches no file; a run's first use of a storage claims it."""
    storage = Storage(settings.storage, settings.shards)
    resources: dict[str, Any] = {"settings": dg.ResourceDefinition.hardcoded_resource(settings)}
    for name, kind in IO_MANAGERS.items():
        resources[name] = _over(storage, kind)
    return resources


def _over(storage: Storage, kind: type[FileIOManager]) -> dg.IOManagerDefinition:
    # The claim stands here, not in the IO manager: a run in another shard count is refused before its first step.
    def open_manager(context: dg.InitResourceContext) -> FileIOManager:
        if claimed(storage) and context.log is not None:
            context.log.info(f"new storage at {storage.root}")
        return kind(storage)

    return dg.IOManagerDefinition(open_manager, description=(kind.__doc__ or "").strip())
