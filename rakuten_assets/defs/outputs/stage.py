"""The stage as a whole: the published set."""

import dagster as dg

from rakuten_assets.defs.outputs.assets import build_outputs
from rakuten_assets.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """Definitions of the stage."""
    return dg.Definitions(assets=[build_outputs(settings)])
