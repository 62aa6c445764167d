"""A sensor, off by default, that notices changed CSV files or images."""

from typing import Any

import dagster as dg

from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.catalog.metadata import SIGNATURE
from rakuten_assets.defs.observations import new_observations
from rakuten_assets.defs.raw.files import file_versions
from rakuten_assets.defs.shards import whole_range_request
from rakuten_assets.errors import CatalogError
from rakuten_assets.settings import Settings
from rakuten_assets.source import catalog_signature, present_catalog

_SECONDS_BETWEEN_LOOKS = 300


def build_sensor(settings: Settings, job: str = "everything") -> dg.SensorDefinition:
    """The sensor `catalog_changed`, over a job of this name, which holds all assets."""

    @dg.sensor(
        name="catalog_changed",
        job_name=job,
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Every five minutes: compares names, sizes and times of the CSV files and images with those that "
        "the manifest was made from, and runs everything if they differ (only changed images are computed). What it "
        "sees of the files is recorded as observations. Off until it is switched on.",
    )
    def catalog_changed(context: dg.SensorEvaluationContext) -> Any:
        answer = change_request(settings, context.instance)
        seen = observations(settings, context.instance)
        if isinstance(answer, dg.SkipReason):
            return dg.SensorResult(skip_reason=answer, asset_events=seen)
        return dg.SensorResult(run_requests=[answer], asset_events=seen)

    return catalog_changed


def change_request(settings: Settings, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    """A run of everything if the catalogue's files have changed since the last manifest; one run for each change."""
    try:
        folder = present_catalog(settings)
    except CatalogError as error:
        return dg.SkipReason(str(error))
    signature = catalog_signature(folder)
    if signature == _last_signature(instance):
        return dg.SkipReason("no file has changed")
    return whole_range_request(shard_keys(settings.shards), f"catalog-{signature}")


def observations(settings: Settings, instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    """Observations of the catalogue's files that have changed since they were last read or looked at."""
    try:
        versions = file_versions(present_catalog(settings))
    except (CatalogError, OSError):  # What is wrong is told by the sensor's reason or by the run.
        return []
    return list(new_observations(versions, instance))


def _last_signature(instance: dg.DagsterInstance) -> str | None:
    event = instance.get_latest_materialization_event(dg.AssetKey("image_manifest"))
    materialization = event.asset_materialization if event is not None else None
    value = materialization.metadata.get(SIGNATURE) if materialization is not None else None
    return str(value.value) if value is not None else None
