"""A sensor, off by default, that notices changed CSV files or images."""

from typing import Any

import dagster as dg

from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.catalog.metadata import SIGNATURE
from rakuten_assets.defs.shards import whole_range_request
from rakuten_assets.errors import CatalogError
from rakuten_assets.settings import Settings
from rakuten_assets.source import catalog_signature, synthetic_root

_SECONDS_BETWEEN_LOOKS = 300


def build_sensor(settings: Settings, job: Any) -> dg.SensorDefinition:
    """The sensor `catalog_changed`, over a job that holds all assets."""

    @dg.sensor(
        name="catalog_changed",
        job=job,
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Every five minutes: compares names, sizes and times of the CSV files and images with those that "
        "the manifest was made from, and runs everything if they differ (only changed images are computed). Off until "
        "it is switched on.",
    )
    def catalog_changed(context: dg.SensorEvaluationContext) -> Any:
        return change_request(settings, context.instance)

    return catalog_changed


def change_request(settings: Settings, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    """A run of everything if the catalogue's files are not those of the last manifest; once for each state."""
    try:
        folder = find_catalog(settings.data_dir or synthetic_root(settings))
    except CatalogError as error:
        return dg.SkipReason(str(error))
    signature = catalog_signature(folder)
    if signature == _last_signature(instance):
        return dg.SkipReason("no file has changed")
    return whole_range_request(shard_keys(settings.shards), f"catalog-{signature}")


def _last_signature(instance: dg.DagsterInstance) -> str | None:
    event = instance.get_latest_materialization_event(dg.AssetKey("image_manifest"))
    materialization = event.asset_materialization if event is not None else None
    value = materialization.metadata.get(SIGNATURE) if materialization is not None else None
    return str(value.value) if value is not None else None
