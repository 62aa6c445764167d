"""A run of everything is recorded, so that `python -m rakuten_assets.refresh` can tell whether another one is due."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.raw.files import FILES, file_versions
from rakuten_assets.defs.resources import shown_settings
from rakuten_assets.defs.steps.inputs import CODE
from rakuten_assets.outputs.whole_run import (
    WholeRun,
    extractors_now,
    files_left,
    keep_whole_run,
)
from rakuten_assets.runtime.code_identity import code_identity
from rakuten_assets.settings import MAY_DIFFER, Settings
from rakuten_assets.source import synthetic_root
from rakuten_assets.storage import Storage
from rakuten_assets.variables import PREFIX

_FIRST, _LAST, _ONE = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
    "dagster/partition",
)


def is_whole(run: dg.DagsterRun, steps: Collection[str], everything: Collection[str], shards: int) -> bool:
    """Whether a run makes everything, over all shards, as the settings say and with nothing changed at its launch."""
    keys, tags = shard_keys(shards), run.tags
    span = (tags.get(_FIRST, tags.get(_ONE)), tags.get(_LAST, tags.get(_ONE)))
    return not run.run_config and span == (keys[0], keys[-1]) and set(everything) <= set(steps)


def keep_if_unchanged(settings: Settings, run: str, read: Mapping[str, str], told: Sequence[str]) -> bool:
    """Record a run of everything that has ended well, unless it is not known what it was made of.

    Args:
        read: of each asset that is not made here, the version that all of the run's steps have read.
        told: lines of its summary.

    Returns:
        Whether it was recorded. Not where sources or the catalogue's files were changed while it ran.

    Raises:
        OSError, RakutenAssetsError: it cannot be looked at or written.
    """
    storage = Storage(settings.storage, settings.shards)
    files = {key: read[key] for key in FILES if key in read}
    if len(files) < len(FILES) or not CODE or code_identity() != CODE:
        return False
    keep_whole_run(storage, _state(settings, storage, run, files, told))
    return True


def state_now(settings: Settings) -> WholeRun:
    """What a run would be made of if it began now, and the files that would be there before it.

    Raises:
        CatalogError: the catalogue is not there.
        OSError, RakutenAssetsError: something cannot be looked at.
    """
    storage = Storage(settings.storage, settings.shards)
    folder = find_catalog(settings.data_dir or synthetic_root(settings))
    return _state(settings, storage, "", file_versions(folder), ())


def _state(
    settings: Settings, storage: Storage, run: str, files: Mapping[str, str], told: Sequence[str]
) -> WholeRun:
    return WholeRun(
        run=run,
        ended=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        code=CODE,
        settings={
            f"{PREFIX}{name.upper()}": str(value)
            for name, value in shown_settings(settings).items()
            if name not in MAY_DIFFER
        },
        extractors=extractors_now(settings),
        files=dict(files),
        left=files_left(storage),
        told=list(told),
    )
