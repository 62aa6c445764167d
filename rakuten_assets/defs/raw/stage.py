"""The stage as a whole: the challenge's files, the tables read from them, and the sensor that watches them."""

import dagster as dg

from rakuten_assets.defs.raw.assets import x_test, x_train, y_train
from rakuten_assets.defs.raw.files import file_assets
from rakuten_assets.defs.raw.sensors import build_sensor
from rakuten_assets.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """Definitions of the stage. Its sensor launches the job `everything`."""
    return dg.Definitions(
        assets=[*dg.with_source_code_references(file_assets()), x_train, y_train, x_test],
        sensors=[build_sensor(settings)],
    )
