"""A process computes for the code location that launched the run, on another machine perhaps: it must have the same
settings.

Dagster keeps a snapshot of the launched job, in which the resource `settings` has the launcher's values as defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

from rakuten_assets.errors import SettingsError
from rakuten_assets.settings import MAY_DIFFER
from rakuten_assets.variables import PREFIX


def refuse_other_settings(own: Mapping[str, Any], run: dg.DagsterRun, instance: dg.DagsterInstance) -> None:
    """Refuse a run that was launched under other settings than this process has.

    Args:
        own: this process' settings, as its resource `settings` shows them.

    Raises:
        SettingsError: naming each that differs.
    """
    if run.job_snapshot_id is None:
        return
    launched = settings_of(instance.get_job_snapshot(run.job_snapshot_id))
    other = [
        f"{PREFIX}{name.upper()} is {own[name]!r} here and {launched[name]!r} where the run was launched"
        for name in sorted(own.keys() & launched.keys())
        if name not in MAY_DIFFER and own[name] != launched[name]
    ]
    if other:
        raise SettingsError(
            f"this process has other settings than the code location that launched the run: {'; '.join(other)}. "
            "Nothing was computed. Give code location and workers the same environment, restart (or reload) them, and "
            "launch the run again"
        )


def settings_of(snapshot: Any) -> dict[str, Any]:
    """The values of the resource `settings` in a job's snapshot; {} where the job does not use it."""
    types = snapshot.config_schema_snapshot.all_config_snaps_by_key
    key = snapshot.mode_def_snaps[0].root_config_key
    for name in ("resources", "settings", "config"):
        field = next((field for field in types[key].fields or () if field.name == name), None)
        if field is None:
            return {}
        key = field.type_key
    return {
        field.name: json.loads(field.default_value_as_json_str)
        for field in types[key].fields or ()
        if field.default_provided
    }
