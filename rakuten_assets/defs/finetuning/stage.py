"""The stage as a whole: fine-tuned weights of each backbone that `RAKUTEN_FINETUNE` names, and their job.

Without that setting there is nothing of it in the graph: fine-tuning takes hours where there is no GPU, and nobody
should start it by asking for everything.
"""

import dagster as dg

from rakuten_assets.defs.finetuning.assets import build_fine_tuned_weights
from rakuten_assets.finetuning.options import parse_options
from rakuten_assets.settings import Settings

GROUP = "finetuning"


def build(settings: Settings) -> dg.Definitions:
    """Definitions of the stage.

    Raises:
        SettingsError: options of fine-tuning that are not allowed.
    """
    parse_options(settings.finetune_options)
    if not settings.finetune:
        return dg.Definitions()
    job = dg.define_asset_job(
        "fine_tuning",
        selection=dg.AssetSelection.groups(GROUP),
        description="Train the last blocks of a backbone, or all of it, on the training part of the grouped split.",
    )
    deps = ["dataset_statistics"] if settings.normalisation == "dataset" else []
    assets = [build_fine_tuned_weights(name, GROUP, deps) for name in settings.finetune]
    return dg.Definitions(assets=assets, jobs=[job])
