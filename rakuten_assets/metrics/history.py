"""Parts of the metrics that Dagster knows: runs, asset checks, and which shards are to be made again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.check_outcomes import newest_outcomes
from rakuten_assets.defs.features.schedules import WHY, refresh_requests
from rakuten_assets.errors import SettingsError, StoreError
from rakuten_assets.metrics.names import (
    EVALUATED_CHECKS,
    FAILING_CHECK_INFO,
    FAILING_CHECKS,
    RUNS,
    SHARDS,
    STALE_SET,
    STALE_SHARDS,
    Values,
)
from rakuten_assets.readiness.stored import Stored
from rakuten_assets.settings import Settings

_SEVERITIES = ("error", "warn")  # the worst first


def runs(instance: dg.DagsterInstance) -> Values:
    """How many runs have each status."""
    return {
        RUNS.name: [
            ((status.value.lower(),), instance.get_runs_count(dg.RunsFilter(statuses=[status])))
            for status in dg.DagsterRunStatus
        ]
    }


def shards(settings: Settings, instance: dg.DagsterInstance) -> Values:
    """How many shards the schedule `refresh_stale_shards` would make again, and whether it would do anything.

    Raises:
        SettingsError: the storage is split into another number of shards.
        StoreError: nothing was made yet.
        RakutenAssetsError: what should be there is not known: no weights, for one.
    """
    split = Stored.open(settings.storage).storage.shards
    if split not in (0, settings.shards):
        raise SettingsError(
            f"RAKUTEN_SHARDS={settings.shards}, but {settings.storage} holds assets in {split} shards; give this "
            "program the settings that the runs have"
        )
    requests = refresh_requests(settings, instance)
    if any(not request.tags.get(WHY) for request in requests):
        raise StoreError(f"image_manifest is not stored whole in {settings.storage}; run the graph first")
    stale = {request.partition_key for request in requests if request.partition_key}
    return {
        SHARDS.name: [((), settings.shards)],
        STALE_SHARDS.name: [((), len(stale))],
        STALE_SET.name: [((), bool(requests))],
    }


@dataclass(frozen=True)
class Check:
    """A check of an asset.

    Attributes:
        key: of the asset, and its name.
        by_shard: whether each shard has an outcome of its own.
    """

    key: dg.AssetCheckKey
    by_shard: bool


def checks_of(definitions: dg.Definitions) -> list[Check]:
    """The checks of the graph; one that was there once and is not now is nobody's concern."""
    graph = definitions.resolve_asset_graph()
    return [Check(key, graph.get(key).partitions_def is not None) for key in sorted(graph.asset_check_keys)]


def asset_checks(instance: dg.DagsterInstance, checks: Sequence[Check], shard_count: int) -> Values:
    """The latest outcome of each check, of each shard where it has them. What a run will say that is under way is not
    known yet: the outcome before counts."""
    whole = [check.key for check in checks if not check.by_shard]
    split = [check.key for check in checks if check.by_shard]
    evaluated: set[dg.AssetCheckKey] = set()
    failing: defaultdict[dg.AssetCheckKey, dict[str, str]] = defaultdict(dict)
    for keys, shard in [(whole, None), *((split, shard) for shard in shard_keys(shard_count))]:
        for key, record in newest_outcomes(instance, keys, shard):
            evaluated.add(key)
            if not record.evaluation.passed:
                failing[key][shard or ""] = record.evaluation.severity.value.lower()
    worst = [min(of_shard.values(), key=_SEVERITIES.index) for of_shard in failing.values()]
    return {
        EVALUATED_CHECKS.name: [((), len(evaluated))],
        FAILING_CHECKS.name: [((severity,), worst.count(severity)) for severity in _SEVERITIES],
        FAILING_CHECK_INFO.name: [
            ((key.asset_key.to_user_string(), key.name, shard, severity), 1)
            for key, of_shard in failing.items()
            for shard, severity in of_shard.items()
        ],
    }
