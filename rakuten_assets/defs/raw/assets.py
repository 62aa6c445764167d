"""The challenge's three tables, validated against the CSV contract. What a file breaks is told, never repaired."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from rakuten_assets.dataset.contract import LABEL_COLUMN, content_version, read_labels, read_products
from rakuten_assets.dataset.labels import CLASS_NAMES, class_counts
from rakuten_assets.dataset.layout import Split
from rakuten_assets.dataset.validation import contract_broken, contract_kept, known_classes
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.presentation import picture, table
from rakuten_assets.defs.raw.checks import LABEL_CHECKS, PRODUCT_CHECKS
from rakuten_assets.defs.verdicts import publish, refuse
from rakuten_assets.errors import CatalogError
from rakuten_assets.plots import class_distribution_png
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog

_KINDS = {"csv", "pandas"}


@stage_asset("raw", "parquet", _KINDS, PRODUCT_CHECKS)
def x_train(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[Any]:
    """Train products: designation, description, product id and image id, one row each, in the file's order.

    Read from `X_train_update.csv`. The first column is the index that labels are matched by.
    """
    yield from _products(context, settings, "train")


@stage_asset("raw", "parquet", _KINDS, PRODUCT_CHECKS)
def x_test(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[Any]:
    """Test products, as `x_train`, without labels.

    Read from `X_test_update.csv`.
    """
    yield from _products(context, settings, "test")


@stage_asset("raw", "parquet", _KINDS, LABEL_CHECKS)
def y_train(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[Any]:
    """Class code (prdtypecode) of each train product: 27 classes, the largest 13 times the smallest.

    Read from `Y_train_CVw08PX.csv`.
    """
    try:
        path = open_catalog(settings, context.log.info).y_train
        labels = read_labels(path)
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
    yield from publish(context, result, [contract_kept(labels, "labels"), known_classes(labels)])


def _products(context: dg.AssetExecutionContext, settings: Settings, split: Split) -> Iterator[Any]:
    try:
        folder = open_catalog(settings, context.log.info)
        path = folder.x_train if split == "train" else folder.x_test
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
    yield from publish(context, result, [contract_kept(products, f"{split} products")])
