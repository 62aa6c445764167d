"""The pre-production checklist, answered after everything else."""

import dagster as dg
import pandas as pd

from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.presentation import table
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.extraction.specification import evaluated_specs
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_json

_OF_THE_CATALOGUE = ("outputs", "integrity_report", "class_weights")
_OF_AN_EXTRACTOR = ("validation_report", "feature_quality", "feature_map", "imbalance_comparison", "metadata")


def build_readiness(settings: Settings) -> dg.AssetsDefinition:
    """The asset, over the evaluated extractors."""
    families = [spec.backbone.family for spec in evaluated_specs(settings)]
    keys = [dg.AssetKey(name) for name in _OF_THE_CATALOGUE]
    keys += [dg.AssetKey([family, name]) for family in families for name in _OF_AN_EXTRACTOR]

    @stage_asset("evaluation", "json", {"json"}, {}, deps=keys, fresh=True)
    def readiness(
        context: dg.AssetExecutionContext, storage: dg.ResourceParam[Storage]
    ) -> Gives[dict[str, object]]:
        """The document's pre-production checklist (11.3), each box answered from what is stored, with where to look;
        and its decision trees (11.1, 11.2) for these data and this machine. On a terminal:
        `python -m rakuten_assets.readiness`.
        """
        from rakuten_assets.readiness.checklist import check_readiness
        from rakuten_assets.readiness.stored import Stored

        found = check_readiness(Stored(storage), families)
        boxes = pd.DataFrame([vars(box) for box in found.boxes])
        decisions = pd.DataFrame([vars(decision) for decision in found.decisions])
        value = dict(found.as_dict())
        result = dg.MaterializeResult(
            value=value,
            metadata={
                "what it says": found.headline,
                "checklist": table(boxes, rows=len(boxes), longest_cell=400),
                "decisions": table(decisions, rows=len(decisions), longest_cell=400),
                "yes": found.count("yes"),
                "no": found.count("no"),
                "not yet": found.count("not yet"),
            },
            data_version=dg.DataVersion(sha256_of_json(value)),
        )
        yield from publish(context, result, [])

    return readiness
