"""Which rows have a usable image, as arrays beside the labels."""

import dagster as dg
import numpy as np
import pandas as pd

from rakuten_assets.dataset.layout import Split
from rakuten_assets.dataset.validity import mask_verdict, validity_mask
from rakuten_assets.defs.catalog.checks import MASK_CHECKS
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.presentation import details
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.storage.arrays import array_version

_READS = {"image_scan": ("split", "row", "file", "status")}


@stage_asset("catalog", "npy", {"numpy"}, MASK_CHECKS, reads=_READS)
def train_valid(
    context: dg.AssetExecutionContext, image_manifest: pd.DataFrame, image_scan: dict[str, pd.DataFrame]
) -> Gives[np.ndarray]:
    """Whether each train row has a usable image, bool (n,), in CSV order.

    False: the image is quarantined, its feature vectors are exactly zero.
    """
    yield from _mask(context, image_manifest, image_scan, "train")


@stage_asset("catalog", "npy", {"numpy"}, MASK_CHECKS, reads=_READS)
def test_valid(
    context: dg.AssetExecutionContext, image_manifest: pd.DataFrame, image_scan: dict[str, pd.DataFrame]
) -> Gives[np.ndarray]:
    """Whether each test row has a usable image, as `train_valid`."""
    yield from _mask(context, image_manifest, image_scan, "test")


def _mask(
    context: dg.AssetExecutionContext, manifest: pd.DataFrame, scans: dict[str, pd.DataFrame], split: Split
) -> Gives[np.ndarray]:
    mask = validity_mask(manifest, scans.values(), split)
    verdict = mask_verdict(mask, manifest, split)
    result = dg.MaterializeResult(
        value=mask,
        metadata={"dagster/row_count": len(mask), **details(verdict.details)},
        data_version=dg.DataVersion(array_version(mask)),
    )
    yield from publish(context, result, [verdict])
