"""The stage as a whole: manifest, scan, masks, duplicate groups and report."""

import dagster as dg

from rakuten_assets.defs.catalog.assets import build_image_scan, image_manifest
from rakuten_assets.defs.catalog.masks import test_valid, train_valid
from rakuten_assets.defs.catalog.report import duplicate_groups, integrity_report
from rakuten_assets.defs.shards import ShardPartitions


def build(shards: ShardPartitions) -> dg.Definitions:
    """Definitions of the stage, for a set of shards."""
    masks = [train_valid, test_valid]
    assets = [image_manifest, build_image_scan(shards), *masks, duplicate_groups, integrity_report]
    return dg.Definitions(assets=assets)
