"""A schedule, off by default, that makes just those shards again that are missing or out of date."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.features.names import matrix_asset, matrix_file, shards_asset
from rakuten_assets.defs.io_managers.features import FeatureMatrixIOManager, FeatureShardIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.shards import whole_range_request
from rakuten_assets.extraction.storing.freshness import ShardState, shard_state
from rakuten_assets.extraction.storing.shards import FeatureShard, merged_content
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage

_BY_SHARD = ("image_scan", "train_features", "test_features")
_MERGED = ("train_feature_matrix", "test_feature_matrix", "metadata")
_DIGITS = 12


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
    """The runs that bring the stored features up to date, none if they are.

    A run key holds what was found, what should be, and the shard's last materialisation: the same finding
    launches one run, even if that run failed.
    """
    # It brings numba, and reads the digest of the weights; it loads no engine.
    from rakuten_assets.extraction.pipeline import Extractor

    storage = Storage(settings.storage, settings.shards)
    tables, features = ParquetIOManager(storage), FeatureShardIOManager(storage)
    keys = shard_keys(settings.shards)
    manifest = tables.find("image_manifest")
    if manifest is None:
        return [whole_range_request(keys, f"first-{_last(instance, 'image_manifest', None)}")]
    with Extractor.open(settings) as extractor:
        fingerprint = extractor.fingerprint
    stored: dict[str, dict[Split, FeatureShard | None]] = {
        key: {split: features.find(shards_asset(split), key) for split in SPLITS} for key in keys
    }
    states = [
        shard_state(key, manifest, tables.find("image_scan", key), stored[key], fingerprint.as_dict())
        for key in keys
    ]
    stale = [_shard_request(state, fingerprint.digest, instance) for state in states if state.is_stale]
    return stale or _merge_request(settings, storage, stored, instance)


def _shard_request(state: ShardState, fingerprint: str, instance: dg.DagsterInstance) -> dg.RunRequest:
    last = "-".join(str(_last(instance, asset, state.shard)) for asset in _BY_SHARD)
    return dg.RunRequest(
        run_key=f"{state.shard}-{fingerprint[:_DIGITS]}-{state.content[:_DIGITS]}-{last}",
        partition_key=state.shard,
        asset_selection=[dg.AssetKey(asset) for asset in _BY_SHARD],
        tags={"rakuten/why": "; ".join(state.reasons)},
    )


def _merge_request(
    settings: Settings,
    storage: Storage,
    stored: Mapping[str, Mapping[Split, FeatureShard | None]],
    instance: dg.DagsterInstance,
) -> list[dg.RunRequest]:
    matrices = FeatureMatrixIOManager(storage)
    contents = {}
    for split in SPLITS:
        shards = {key: shard for key, by_split in stored.items() if (shard := by_split[split]) is not None}
        contents[split] = merged_content(shards)
        matrix = matrices.find(matrix_asset(split), published_as=matrix_file(split, settings.backbone))
        if matrix is None or matrix.made_of != contents[split]:
            last = _last(instance, matrix_asset(split), None)
            return [
                dg.RunRequest(
                    run_key=f"merge-{split}-{contents[split][:_DIGITS]}-{last}",
                    asset_selection=[dg.AssetKey(asset) for asset in _MERGED],
                    tags={"rakuten/why": f"the {split} matrix is not merged from the present shards"},
                )
            ]
    return []


def _last(instance: dg.DagsterInstance, asset: str, partition: str | None) -> int:
    """Number of the last materialisation's event, 0 if there is none."""
    chosen = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(asset), asset_partitions=[partition] if partition else None
    )
    records = instance.fetch_materializations(chosen, limit=1).records
    return records[0].storage_id if records else 0
