"""A schedule, off by default, that makes just those shards again that are missing or out of date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from rakuten_assets.backbones import Backbone
from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.features.names import matrix_key, metadata_key, shards_key
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.outputs.stored import unpublished_matrices
from rakuten_assets.defs.shards import whole_range_request
from rakuten_assets.extraction.specification import extractor_specs
from rakuten_assets.extraction.storing.features import FeatureArray, content_digest, merged_content
from rakuten_assets.extraction.storing.freshness import ShardState, shard_state
from rakuten_assets.outputs.loading import published_manifest
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage

_SCAN, _MASKS, _OUTPUTS = "image_scan", ("train_valid", "test_valid"), ["outputs"]
_DIGITS = 12

WHY = "rakuten/why"
"""Tag of a run: what was found that it mends."""

Stored = Mapping[str, Mapping[Split, FeatureArray | None]]


def build_schedule(settings: Settings, job: Any) -> dg.ScheduleDefinition:
    """The schedule `refresh_stale_shards`, over a job that holds all assets."""

    @dg.schedule(
        name="refresh_stale_shards",
        job=job,
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every hour: one run for each shard whose features are missing or out of date (other images, "
        "another extractor), then one for the merged outputs. Off until it is switched on.",
    )
    def refresh_stale_shards(context: dg.ScheduleEvaluationContext) -> Any:
        return refresh_requests(settings, context.instance) or dg.SkipReason("everything is up to date")

    return refresh_stale_shards


def refresh_requests(settings: Settings, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """The runs that bring the stored features of all extractors up to date, none if they are.

    A run key holds what was found, what should be, and the shard's last materialisation: the same finding
    launches one run, even if that run failed.
    """
    storage = Storage(settings.storage, settings.shards)
    tables, features = ParquetIOManager(storage), FeatureIOManager(storage)
    keys = shard_keys(settings.shards)
    manifest = tables.find("image_manifest")
    if manifest is None:
        return [whole_range_request(keys, f"first-{_last(instance, ['image_manifest'], None)}")]
    families = [_look(spec.backbone, settings, features, keys) for spec in extractor_specs(settings)]
    requests = []
    for key in keys:
        scan = tables.find("image_scan", key)
        states = [
            shard_state(key, manifest, scan, family.stored[key], family.fingerprint) for family in families
        ]
        stale = [(family, state) for family, state in zip(families, states, strict=True) if state.is_stale]
        if stale:
            requests.append(_shard_request(key, stale, len(families) > 1, instance))
    return (
        requests
        or _merge_request(families, features, instance)
        or _publish_request(families, storage, instance)
    )


@dataclass(frozen=True)
class _Family:
    """One extractor's features in the storage, and the fingerprint that they should have ({}: nothing fits)."""

    backbone: Backbone
    fingerprint: Mapping[str, Any]
    stored: Stored

    @property
    def digest(self) -> str:
        return content_digest(repr(sorted(self.fingerprint.items())))[:_DIGITS]


def _look(backbone: Backbone, settings: Settings, features: FeatureIOManager, keys: list[str]) -> _Family:
    from rakuten_assets.extraction.preparation import known_fingerprint

    known = known_fingerprint(settings, backbone.name)
    stored = {
        key: {split: features.find(shards_key(backbone, split), key) for split in SPLITS} for key in keys
    }
    return _Family(backbone, known.as_dict() if known else {}, stored)


def _shard_request(
    shard: str, stale: list[tuple[_Family, ShardState]], several: bool, instance: dg.DagsterInstance
) -> dg.RunRequest:
    keys = [[_SCAN], *(shards_key(family.backbone, split) for family, _ in stale for split in SPLITS)]
    last = "-".join(str(_last(instance, key, shard)) for key in keys)
    wanted = content_digest(*(family.digest for family, _ in stale))[:_DIGITS]
    why = [
        f"{family.backbone.name}: {reason}" if several else reason
        for family, state in stale
        for reason in state.reasons
    ]
    return dg.RunRequest(
        run_key=f"{shard}-{wanted}-{stale[0][1].content[:_DIGITS]}-{last}",
        partition_key=shard,
        asset_selection=[dg.AssetKey(key) for key in keys],
        tags={WHY: "; ".join(why)},
    )


def _merge_request(
    families: list[_Family], features: FeatureIOManager, instance: dg.DagsterInstance
) -> list[dg.RunRequest]:
    stale, contents, last, why = [], [], [], []
    for family in families:
        for split in SPLITS:
            shards = {
                key: one for key, by_split in family.stored.items() if (one := by_split[split]) is not None
            }
            content, key = merged_content(shards), matrix_key(family.backbone, split)
            matrix = features.find(key)
            if matrix is None or matrix.made_of != content:
                why.append(f"{'/'.join(key)} is not merged from the present shards")
                contents.append(content)
                last.append(str(_last(instance, key, None)))
                stale.append(family.backbone)
    if not stale:
        return []
    backbones = list(dict.fromkeys(stale))
    keys = [[name] for name in _MASKS]
    for backbone in backbones:
        keys += [*(matrix_key(backbone, split) for split in SPLITS), metadata_key(backbone)]
    keys.append(_OUTPUTS)
    return [
        dg.RunRequest(
            run_key=f"merge-{content_digest(*contents)[:_DIGITS]}-{'-'.join(last)}",
            asset_selection=[dg.AssetKey(key) for key in keys],
            tags={WHY: "; ".join(why)},
        )
    ]


def _publish_request(
    families: list[_Family], storage: Storage, instance: dg.DagsterInstance
) -> list[dg.RunRequest]:
    """A run of the last step, if what is published is not what is merged."""
    names = unpublished_matrices(storage, [family.backbone for family in families])
    if not names:
        return []
    manifest = published_manifest(storage.root)
    why = [f"{name} is not the present matrix" for name in names]
    state = content_digest("" if manifest is None else manifest.set_id, *why)[:_DIGITS]
    return [
        dg.RunRequest(
            run_key=f"publish-{state}-{_last(instance, _OUTPUTS, None)}",
            asset_selection=[dg.AssetKey(_OUTPUTS)],
            tags={WHY: "; ".join(why)},
        )
    ]


def _last(instance: dg.DagsterInstance, asset: list[str], partition: str | None) -> int:
    """Number of the last materialisation's event, 0 if there is none."""
    chosen = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(asset), asset_partitions=[partition] if partition else None
    )
    records = instance.fetch_materializations(chosen, limit=1).records
    return records[0].storage_id if records else 0
