"""A run of everything is recorded, so that `python -m rakuten_assets.refresh` can tell whether another one is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.features.names import matrix_key
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.raw.files import FILES, file_versions
from rakuten_assets.defs.resources import shown_settings
from rakuten_assets.defs.shards import span_of_run
from rakuten_assets.defs.steps.inputs import CODE
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.specification import extractor_specs
from rakuten_assets.outputs.whole_run import WholeRun, extractors_now, files_left, keep_whole_run
from rakuten_assets.runtime.code_identity import code_identity
from rakuten_assets.settings import MAY_DIFFER, Settings
from rakuten_assets.source import present_catalog
from rakuten_assets.storage import Storage
from rakuten_assets.storage.arrays import read_array_record
from rakuten_assets.storage.files import sha256_of_json
from rakuten_assets.storage.tree import versions_below
from rakuten_assets.variables import PREFIX

_CHANGE_NO_RESULT = (*MAY_DIFFER, "keep_runs_days", "shards_per_run")


def is_whole(run: dg.DagsterRun, steps: Collection[str], everything: Collection[str], shards: int) -> bool:
    """Whether a run makes everything, over all shards, as the settings say and with nothing changed at its launch."""
    keys, span = shard_keys(shards), span_of_run(run.tags)
    over_all = bool(span) and (span[0], span[-1]) == (keys[0], keys[-1])
    return bool(everything) and not run.run_config and over_all and set(everything) <= set(steps)


class WholeRunWatch:
    """Watches a run of everything as its events come; records it where it is known what it was made of and left."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._storage = Storage(settings.storage, settings.shards)
        self._assets_of_step: dict[str, set[dg.AssetKey]] = {}
        self._written: dict[dg.AssetKey, dict[str, str]] = {}
        self._unseen = ""

    def add(self, event: Any) -> None:
        """Take note of a `DagsterEvent`: once a step has ended, of which version each of its assets' files is."""
        if event.event_type_value == "ASSET_MATERIALIZATION":
            self._assets_of_step.setdefault(event.step_key, set()).add(event.asset_key)
        elif event.event_type_value == "STEP_SUCCESS":
            try:
                for key in self._assets_of_step.get(event.step_key, ()):
                    self._written[key] = _stored(self._storage, key)
            except OSError as error:  # The step's result does not depend on it.
                self._unseen = str(error)

    def keep(
        self, run: str, read: Mapping[str, str], told: Sequence[str], instance: dg.DagsterInstance
    ) -> str:
        """Record the run, once it has ended well.

        Args:
            read: of each asset that is not made here, the version that all of the run's steps have read.
            told: lines of its summary.

        Returns:
            "", or why it is not recorded.

        Raises:
            OSError, RakutenAssetsError: something cannot be looked at or written.
        """
        files = {key: read[key] for key in FILES if key in read}
        if self._unseen:
            return self._unseen
        if len(files) < len(FILES):
            return "the catalogue's files changed while it ran"
        if not CODE or code_identity() != CODE:
            return "sources or packages changed while it ran"
        left = files_left(self._storage)
        for key, written in self._written.items():
            if {name: left.get(name) for name in written} != written:
                return f"{key.to_user_string()} was changed while it ran"
        assets = list(self._written)
        if older := not_of_run(run, assets, instance):
            return f"another run made {older[0]} meanwhile"
        state = _state(self._settings, extractors_used(self._settings, self._storage), files, left)
        names = sorted(key.to_user_string() for key in assets)
        whole = replace(state, run=run, ended=_now(), assets=names, told=list(told))
        keep_whole_run(self._storage, whole)
        return ""


def not_of_run(run: str, assets: Iterable[dg.AssetKey], instance: dg.DagsterInstance) -> list[str]:
    """Those of the assets whose newest materialisation is not this run's."""
    wanted = list(assets)
    newest = {}
    for record in instance.get_asset_records(wanted):
        event = record.asset_entry.last_materialization_record
        newest[record.asset_entry.asset_key] = event.run_id if event is not None else ""
    return [key.to_user_string() for key in wanted if newest.get(key) != run]


def state_now(settings: Settings) -> WholeRun:
    """What a run would be made of if it began now, and the files that would be there before it.

    Raises:
        CatalogError: the catalogue is not there.
        OSError, RakutenAssetsError: something cannot be looked at.
    """
    storage = Storage(settings.storage, settings.shards)
    versions = file_versions(present_catalog(settings))
    return _state(settings, extractors_now(settings), versions, files_left(storage))


def extractors_used(settings: Settings, storage: Storage) -> dict[str, str]:
    """Backbone -> digest of the fingerprint of the extractor that made its stored matrices; "" where they differ."""
    manager, used = FeatureIOManager(storage), {}
    for spec in extractor_specs(settings):
        digests = set()
        for split in SPLITS:
            record = read_array_record(manager.own_file(matrix_key(spec.backbone, split), None))
            if "fingerprint" not in record:
                raise StoreError(f"the record of {spec.name}'s {split} matrix names no extractor")
            digests.add(sha256_of_json(record["fingerprint"]))
        used[spec.name] = digests.pop() if len(digests) == 1 else ""
    return used


def _stored(storage: Storage, key: dg.AssetKey) -> dict[str, str]:
    folder = "/".join(key.path)
    below = versions_below(storage.assets.joinpath(*key.path))
    return {f"{storage.assets.name}/{folder}/{name}": version for name, version in below.items()}


def _state(
    settings: Settings, extractors: Mapping[str, str], files: Mapping[str, str], left: Mapping[str, str]
) -> WholeRun:
    chosen = {
        f"{PREFIX}{name.upper()}": str(value)
        for name, value in shown_settings(settings).items()
        if name not in _CHANGE_NO_RESULT
    }
    return WholeRun(
        run="",
        ended="",
        code=CODE,
        settings=chosen,
        extractors=dict(extractors),
        files=dict(files),
        assets=[],
        left=dict(left),
        told=[],
    )


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
