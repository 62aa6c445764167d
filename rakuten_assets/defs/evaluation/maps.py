"""One extractor's features on a plane: a picture, and a page to explore."""

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import Field

from rakuten_assets.defs.evaluation.metadata import map_metadata
from rakuten_assets.defs.evaluation.names import evaluation_folder
from rakuten_assets.defs.features.metadata import extractor_metadata
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.evaluation.feature_map.points import COLUMNS, POINTS
from rakuten_assets.evaluation.inputs import codes_of
from rakuten_assets.extraction.metadata import weights_note
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.outputs.names import MAP_FILE
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.runtime.progress import Progress, paced
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage

SYNTHETIC_POINTS = 1000
"""Rows of the synthetic catalogue: enough to see how a map works, in the few seconds that a first run has for it."""


class FeatureMapConfig(dg.Config):
    """What a map shows; in the launchpad, `ops: <extractor>__feature_map: config:`."""

    points: int | None = Field(
        None,
        ge=10,
        le=20_000,
        description=f"Rows on the map, of train and test together; default: {POINTS:,}, of the synthetic catalogue "
        f"{SYNTHETIC_POINTS:,}. Time and the page's size grow with them.",
    )


def build_map_asset(spec: ExtractorSpec) -> dg.AssetsDefinition:
    """The asset, under the extractor's name."""

    @stage_asset(
        "evaluation",
        "parquet",
        {"html", "numba"},
        {},
        prefix=spec.backbone.family,
        own=["train_feature_matrix", "test_feature_matrix", "held_out_predictions"],
        columns=COLUMNS,
        exclusive=True,
        reused=True,
    )
    def feature_map(
        context: dg.AssetExecutionContext,
        config: FeatureMapConfig,
        train_feature_matrix: FeatureArray,
        test_feature_matrix: FeatureArray,
        held_out_predictions: pd.DataFrame,
        train_labels: np.ndarray,
        label_encoder: dict[str, int],
        duplicate_groups: pd.DataFrame,
        settings: dg.ResourceParam[Settings],
        storage: dg.ResourceParam[Storage],
    ) -> Gives[pd.DataFrame]:
        """Features in two dimensions by t-SNE: a sample of train (by class) and test, 5,000 rows by default, without
        quarantined ones. Published as `evaluation_<extractor>/feature_map.html`, which opens from disk: pictures on
        hover, colour by class, split, mistake or duplicates.
        """
        # It compiles on import.
        from rakuten_assets.evaluation.feature_map.contents import SplitFeatures, build_map, points_version
        from rakuten_assets.evaluation.feature_map.page import write_page
        from rakuten_assets.evaluation.feature_map.picture import map_png
        from rakuten_assets.evaluation.feature_map.sprites import sprite_sheets
        from rakuten_assets.evaluation.held_out import IN_FOLDS, held_out_of

        train, test = train_feature_matrix, test_feature_matrix
        workers = settings.threads or usable_cores()
        found = build_map(
            SplitFeatures(train.array, train.rows, train_labels),
            SplitFeatures(test.array, test.rows),
            held_out_of(held_out_predictions, IN_FOLDS),
            codes_of(label_encoder),
            duplicate_groups,
            extractor=spec.name,
            weights_note=weights_note(train.fingerprint),
            points=config.points or (SYNTHETIC_POINTS if settings.is_synthetic else POINTS),
            workers=workers,
            log=paced(context.log.info),
        )
        paths = open_catalog(settings).image_paths(found.files["file"])
        with Progress("pictures of the map", len(paths), log=paced(context.log.info)) as progress:
            sprites = sprite_sheets(paths, found.files["sha256"].tolist(), workers=workers, progress=progress)
        page = evaluation_folder(storage, spec.backbone) / MAP_FILE
        size = write_page(found, sprites, page)
        result = dg.MaterializeResult(
            value=found.points,
            metadata={
                **extractor_metadata(train.fingerprint),
                **map_metadata(found, map_png(found), page, size),
            },
            data_version=dg.DataVersion(points_version(found)),
        )
        yield from publish(context, result, [])

    return feature_map
