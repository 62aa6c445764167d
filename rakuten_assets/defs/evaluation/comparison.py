"""Which extractor to take: speed against score, for all that the storage holds."""

import dagster as dg
import numpy as np
import pandas as pd

from rakuten_assets.defs.evaluation.metadata import backbones_metadata
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.evaluation.inputs import train_groups
from rakuten_assets.extraction.specification import evaluated_specs, extractor_specs
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_json


def build_comparison(settings: Settings) -> dg.AssetsDefinition:
    """The asset, over the extractors of the settings; those that the storage has besides are found when it runs."""
    families = [spec.backbone.family for spec in extractor_specs(settings)]
    evaluated = [spec.backbone.family for spec in evaluated_specs(settings)]
    keys = [
        dg.AssetKey([family, name]) for family in families for name in ("train_feature_matrix", "metadata")
    ]
    keys += [
        dg.AssetKey([family, name])
        for family in evaluated
        for name in ("held_out_predictions", "validation_report", "head")
    ]

    @stage_asset("evaluation", "json", {"json"}, {}, deps=keys)
    def backbone_comparison(
        context: dg.AssetExecutionContext,
        train_labels: np.ndarray,
        duplicate_groups: pd.DataFrame,
        storage: dg.ResourceParam[Storage],
    ) -> Gives[dict[str, object]]:
        """Speed against score, one row an extractor of the storage: weighted F1 on the grouped split, images a second
        as measured when its rows were computed here, parameters, dimension, size; and which one to take. Nothing is
        computed for it: a speed that nobody measured is not shown.
        """
        from rakuten_assets.evaluation.backbone_comparison import compare, comparison_document
        from rakuten_assets.readiness.extractors import stored_extractors
        from rakuten_assets.readiness.stored import Stored

        found = stored_extractors(Stored(storage), families)
        comparison = compare(found.candidates, train_labels, train_groups(duplicate_groups))
        value = {**comparison_document(comparison), "left_out": dict(found.left_out)}
        result = dg.MaterializeResult(
            value=value,
            metadata=backbones_metadata(comparison, found.left_out),
            data_version=dg.DataVersion(sha256_of_json(value)),
        )
        yield from publish(context, result, [])

    return backbone_comparison
