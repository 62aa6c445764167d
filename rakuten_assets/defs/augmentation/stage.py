"""The stage as a whole: channel sums by shard, the statistics of all, and the gallery."""

import dagster as dg

from rakuten_assets.defs.augmentation.assets import build_augmentation
from rakuten_assets.defs.shards import ShardPartitions


def build(shards: ShardPartitions) -> dg.Definitions:
    """Definitions of the stage, for a set of shards."""
    return dg.Definitions(assets=build_augmentation(shards))
