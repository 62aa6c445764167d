"""The stage as a whole: a family of assets for each extractor, and the schedule that keeps their shards up to date."""

from typing import Any

import dagster as dg

from rakuten_assets.defs.features.assets import build_features
from rakuten_assets.defs.features.schedules import build_schedule
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.settings import Settings


def build(settings: Settings, shards: ShardPartitions, job: Any) -> dg.Definitions:
    """Definitions of the stage. Its schedule launches `job`."""
    return dg.Definitions(
        assets=build_features(settings, shards),
        schedules=[build_schedule(settings, job)],
    )
