"""The challenge's three tables, validated against the CSV contract. A breach is reported, never repaired."""

from typing import Any

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.contract import (
    LABEL_COLUMN,
    LABEL_DESCRIPTIONS,
    PRODUCT_DESCRIPTIONS,
    content_version,
    read_labels_and_places,
    read_products,
)
from rakuten_assets.dataset.labels import CLASS_NAMES, class_counts
from rakuten_assets.dataset.layout import Split
from rakuten_assets.dataset.validation import contract_broken, contract_kept, known_classes
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.presentation import picture, table
from rakuten_assets.defs.raw.checks import LABEL_CHECKS, PRODUCT_CHECKS
from rakuten_assets.defs.raw.files import X_TEST, X_TRAIN, Y_TRAIN
from rakuten_assets.defs.verdicts import Gives, publish, refuse
from rakuten_assets.errors import CatalogError
from rakuten_assets.plots import class_distribution_png
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage.files import sha256_of_file

_KINDS = {"csv", "pandas"}


@stage_asset(
    "raw", "parquet", _KINDS, PRODUCT_CHECKS, deps=[X_TRAIN], columns=PRODUCT_DESCRIPTIONS, light=True
)
def x_train(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Gives[pd.DataFrame]:
    """Train products: designation, description, product id and image id, one row each, in the file's order.

    Read from `X_train_update.csv`. The first column is the index that labels are matched by.
    """
    yield from _products(context, settings, "train")


@stage_asset(
    "raw", "parquet", _KINDS, PRODUCT_CHECKS, deps=[X_TEST], columns=PRODUCT_DESCRIPTIONS, light=True
)
def x_test(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Gives[pd.DataFrame]:
    """Test products, as `x_train`, without labels.

    Read from `X_test_update.csv`.
    """
    yield from _products(context, settings, "test")


@stage_asset("raw", "parquet", _KINDS, LABEL_CHECKS, deps=[Y_TRAIN], columns=LABEL_DESCRIPTIONS, light=True)
def y_train(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Gives[pd.DataFrame]:
    """Class code (prdtypecode) of each train product: 27 classes, the largest 13 times the smallest.

    Read from `Y_train_CVw08PX.csv`.
    """
    try:
        path = open_catalog(settings, context.log.info).y_train
        version = sha256_of_file(path)
        labels, place_of = read_labels_and_places(path)
    except CatalogError as error:
        yield from refuse(context, contract_broken(error))
        return
    counts = class_counts(labels[LABEL_COLUMN])
    metadata: dict[str, Any] = {
        "source": dg.MetadataValue.path(str(path)),
        "classes": len(counts),
        "largest to smallest": round(max(counts.values()) / min(counts.values()), 2),
        "preview": table(labels.reset_index()),
        "class distribution": picture(class_distribution_png(counts, CLASS_NAMES), "class distribution"),
    }
    result = dg.MaterializeResult(
        value=labels, metadata=metadata, data_version=dg.DataVersion(content_version(labels))
    )
    verdicts = [contract_kept(labels, "labels"), known_classes(labels, place_of)]
    yield from publish(context, result, verdicts, read={Y_TRAIN: version})


def _products(context: dg.AssetExecutionContext, settings: Settings, split: Split) -> Gives[pd.DataFrame]:
    try:
        folder = open_catalog(settings, context.log.info)
        path = folder.x_train if split == "train" else folder.x_test
        version = sha256_of_file(path)
        products = read_products(path, split)
    except CatalogError as error:
        yield from refuse(context, contract_broken(error))
        return
    metadata: dict[str, Any] = {
        "source": dg.MetadataValue.path(str(path)),
        "data": "synthetic catalogue" if settings.is_synthetic else "real files",
        "share without a description": round(float(products["description"].isna().mean()), 4),
        "preview": table(products.reset_index()),
    }
    result = dg.MaterializeResult(
        value=products, metadata=metadata, data_version=dg.DataVersion(content_version(products))
    )
    verdicts = [contract_kept(products, f"{split} products")]
    yield from publish(context, result, verdicts, read={X_TRAIN if split == "train" else X_TEST: version})
