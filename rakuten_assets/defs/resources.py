"""What assets get besides their inputs: settings, storage, and the IO managers over it. Each can be replaced."""

from typing import Any

import dagster as dg
from pydantic import Field

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.io_managers.head import HeadIOManager
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.steps.retries import asked_again
from rakuten_assets.errors import SettingsError
from rakuten_assets.extraction.extractors import Extractors
from rakuten_assets.settings import Settings, shown_value
from rakuten_assets.storage import Storage, claimed
from rakuten_assets.variables import PREFIX

IO_MANAGERS: dict[str, type[FileIOManager]] = {
    "npy": NpyIOManager,
    "parquet": ParquetIOManager,
    "json": JsonIOManager,
    "features": FeatureIOManager,
    "head": HeadIOManager,
}

AT_LAUNCH = (
    "threads",
    "batch_size",
    "allow_download",
    "finetune_options",
    "max_file_bytes",
    "max_pixels",
    "max_memory",
    "unreadable_warn",
    "unreadable_fail",
    "blank_warn",
    "duplicate_warn",
    "conflict_warn",
    "twin_warn",
    "odd_warn",
    "drift_warn",
    "suspect_warn",
)
"""Settings that a single run may change: they decide how fast it is, what is refused and what a check lets pass. The
others decide what the graph is, where it lies and what its versions mean."""


def build_resources(settings: Settings) -> dict[str, Any]:
    """Resources by name. Building them touches no file; a run's first use of a storage claims it."""
    resources: dict[str, Any] = {
        "settings": settings_resource(settings),
        "storage": Storage(settings.storage, settings.shards),
    }
    resources["extractors"] = dg.ResourceDefinition(
        lambda context: Extractors(context.resources.settings),
        description=Extractors.__doc__,
        required_resource_keys={"settings"},
    )
    for name, kind in IO_MANAGERS.items():
        resources[name] = _over_storage(kind)
    return resources


def settings_resource(settings: Settings) -> dg.ConfigurableResource[Settings]:
    """The settings as a resource: all of them are shown, those of `AT_LAUNCH` can be changed for a run.

    Assets get a `Settings`.
    """

    def create_resource(self: Any, context: dg.InitResourceContext) -> Settings:
        fixed = [name for name in shown if name not in AT_LAUNCH and getattr(self, name) != shown[name]]
        if fixed:
            raise SettingsError(
                "; ".join(
                    f"{name}={shown_value(name, getattr(self, name))} cannot be chosen at launch: it is part of what "
                    f"the graph is. Set {PREFIX}{name.upper()} where the code location starts, and reload it"
                    for name in fixed
                )
            )
        changed = {name: value for name in AT_LAUNCH if (value := getattr(self, name)) != shown[name]}
        return Settings.load(**{**dict(settings), **changed}) if changed else settings

    shown = shown_settings(settings)
    members: dict[str, Any] = {"__annotations__": {}, "__module__": __name__, "__doc__": _ABOUT}
    for name, field in Settings.model_fields.items():
        members["__annotations__"][name] = type(shown[name])
        note = "" if name in AT_LAUNCH else f" Not at launch: set by {PREFIX}{name.upper()}."
        members[name] = Field(shown[name], description=f"{field.description or ''}{note}")
    resource = type(
        "SettingsResource", (dg.ConfigurableResource,), members | {"create_resource": create_resource}
    )
    return resource()  # type: ignore[no-any-return]


def shown_settings(settings: Settings) -> dict[str, Any]:
    """The settings as the resource shows them: numbers and flags that a run may change, texts of all others."""
    return {
        name: getattr(settings, name) if name in AT_LAUNCH else _text(getattr(settings, name))
        for name in Settings.model_fields
    }


_ABOUT = """The project's settings, as the environment gives them. A run may change how fast it is, what is refused and
what a check lets pass."""


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _over_storage(kind: type[FileIOManager]) -> dg.IOManagerDefinition:
    # The claim stands here, not in the IO manager: a run in another shard count is refused before its first step.
    def open_manager(context: dg.InitResourceContext) -> FileIOManager:
        storage: Storage = context.resources.storage
        log = context.log or dg.get_dagster_logger()
        if asked_again(lambda: claimed(storage), log) and context.log is not None:
            context.log.info(f"new storage at {storage.root}")
        return kind(storage)

    about = (kind.__doc__ or "").strip()
    return dg.IOManagerDefinition(open_manager, description=about, required_resource_keys={"storage"})
