"""Splits into train and validation, with what leaks through each."""

import dagster as dg
import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.defs.catalog.metadata import contact_sheet
from rakuten_assets.defs.evaluation.checks import GROUPED_CHECKS, RANDOM_CHECKS
from rakuten_assets.defs.evaluation.metadata import split_metadata
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.evaluation import splits
from rakuten_assets.evaluation.inputs import Mask, codes_of, rows_of_split, train_groups
from rakuten_assets.evaluation.leakage import leaking_rows
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage.arrays import array_version
from rakuten_assets.verdicts import Verdict

_MOST_TILES = 9


@stage_asset("evaluation", "npy", {"numpy"}, RANDOM_CHECKS, only_warn=RANDOM_CHECKS, light=True, reused=True)
def random_split(
    context: dg.AssetExecutionContext,
    train_labels: np.ndarray,
    label_encoder: dict[str, int],
    duplicate_groups: pd.DataFrame,
    settings: dg.ResourceParam[Settings],
) -> Gives[np.ndarray]:
    """The customary split, bool (train rows,), True for validation: stratified 80/20, seed 42, the rows of
    scikit-learn's `train_test_split`. It parts duplicates; how many leak is counted.
    """
    yield from _split(
        context, splits.random_split(train_labels), train_labels, label_encoder, duplicate_groups, settings
    )


@stage_asset("evaluation", "npy", {"numpy"}, GROUPED_CHECKS, only_warn=RANDOM_CHECKS, light=True, reused=True)
def grouped_split(
    context: dg.AssetExecutionContext,
    train_labels: np.ndarray,
    label_encoder: dict[str, int],
    duplicate_groups: pd.DataFrame,
    settings: dg.ResourceParam[Settings],
) -> Gives[np.ndarray]:
    """The split to score on, bool (train rows,), True for validation: as large as the customary one, stratified, and
    every group of pictures that are the same is on one side.
    """
    from rakuten_assets.evaluation.verdicts import no_group_spans

    groups = train_groups(duplicate_groups)
    validation = splits.grouped_split(train_labels, groups)
    spanning = no_group_spans(groups, validation)
    yield from _split(
        context, validation, train_labels, label_encoder, duplicate_groups, settings, [spanning]
    )


def _split(
    context: dg.AssetExecutionContext,
    validation: Mask,
    labels: npt.NDArray[np.int64],
    label_encoder: dict[str, int],
    duplicate_groups: pd.DataFrame,
    settings: Settings,
    verdicts: list[Verdict] | None = None,
) -> Gives[np.ndarray]:
    from rakuten_assets.evaluation.verdicts import classes_on_both_sides

    groups, codes = train_groups(duplicate_groups), codes_of(label_encoder)[labels]
    described = splits.describe_split(codes, groups, validation)
    metadata = split_metadata(described, codes, validation, context.asset_key.path[-1].replace("_", " "))
    leaking = np.flatnonzero(leaking_rows(groups, validation))[:_MOST_TILES]
    if len(leaking):
        shown = rows_of_split(duplicate_groups, "train").iloc[leaking]
        texts = [f"row {row}, class {code}" for row, code in zip(shown["row"], shown["code"], strict=True)]
        metadata["validation pictures that also stand in train"] = contact_sheet(
            shown, open_catalog(settings), texts
        )
    result = dg.MaterializeResult(
        value=validation, metadata=metadata, data_version=dg.DataVersion(array_version(validation))
    )
    yield from publish(context, result, [*(verdicts or []), classes_on_both_sides(described)])
