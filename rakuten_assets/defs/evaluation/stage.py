"""The stage as a whole: the splits, and for each evaluated extractor a head and what it is worth."""

import dagster as dg

from rakuten_assets.defs.evaluation.comparison import build_comparison
from rakuten_assets.defs.evaluation.heads import build_heads
from rakuten_assets.defs.evaluation.maps import build_map_asset
from rakuten_assets.defs.evaluation.readiness import build_readiness
from rakuten_assets.defs.evaluation.reports import build_reports
from rakuten_assets.defs.evaluation.splits import grouped_split, random_split
from rakuten_assets.extraction.specification import evaluated_specs
from rakuten_assets.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """Definitions of the stage."""
    families = [
        asset
        for spec in evaluated_specs(settings)
        for asset in (*build_heads(spec), *build_reports(spec), build_map_asset(spec))
    ]
    return dg.Definitions(
        assets=[random_split, grouped_split, *families, build_comparison(settings), build_readiness(settings)]
    )
