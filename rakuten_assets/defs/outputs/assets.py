"""The published set: everything that belongs together, put in place in one act."""

import dagster as dg
import numpy as np
import pandas as pd

from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.defs.features.names import matrix_key, metadata_key
from rakuten_assets.defs.outputs.checks import OUTPUT_CHECKS
from rakuten_assets.defs.outputs.metadata import publication_metadata
from rakuten_assets.defs.outputs.stored import stored_contents
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish, refuse
from rakuten_assets.extraction.specification import extractor_specs
from rakuten_assets.outputs import publication
from rakuten_assets.outputs.contents import belong_together
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage


def build_outputs(settings: Settings) -> dg.AssetsDefinition:
    """The asset, over the extractors of the settings."""
    backbones = [spec.backbone for spec in extractor_specs(settings)]
    keys = [matrix_key(backbone, split) for backbone in backbones for split in SPLITS]
    keys += [metadata_key(backbone) for backbone in backbones]

    @stage_asset(
        "outputs",
        None,
        {"numpy", "parquet"},
        OUTPUT_CHECKS,
        deps=[dg.AssetKey(key) for key in keys],
        fresh=True,
    )
    def outputs(
        context: dg.AssetExecutionContext,
        image_manifest: pd.DataFrame,
        duplicate_groups: pd.DataFrame,
        label_encoder: dict[str, int],
        train_labels: np.ndarray,
        train_valid: np.ndarray,
        test_valid: np.ndarray,
        storage: dg.ResourceParam[Storage],
    ) -> Gives[None]:
        """The files in `outputs/`: features, labels, masks, index and metadata of one catalogue, replaced in one act.

        `manifest.json` says what belongs to the set. Whatever moment the run is killed at, `rakuten_assets.load` gives
        the set before or this one. A set that is published already is left as it is.
        """
        contents = stored_contents(
            storage,
            backbones,
            image_manifest,
            train_labels,
            {"train": train_valid, "test": test_valid},
            duplicate_groups,
            label_encoder,
        )
        verdict = belong_together(contents)
        if verdict.stops:
            yield from refuse(context, verdict)
        done = publication.publish(storage.root, contents)
        result: dg.MaterializeResult[None] = dg.MaterializeResult(
            metadata=publication_metadata(done, storage), data_version=dg.DataVersion(done.manifest.set_id)
        )
        yield from publish(context, result, [verdict])

    return outputs
