"""The challenge's files as observable external assets: not made here, but looked at.

Every asset that reads a file records the version it saw; so do the sensor `catalog_changed` and the button *Observe*.
A table's data version is a digest of its content. An image folder's is a digest of names, sizes and times: reading
2.5 GB to notice a change would take longer than scanning the images anew.
"""

import dagster as dg

from rakuten_assets.dataset.layout import (
    IMAGE_FOLDERS,
    SPLITS,
    X_TEST_FILE,
    X_TRAIN_FILE,
    Y_TRAIN_FILE,
    CatalogFolder,
)
from rakuten_assets.settings import Settings
from rakuten_assets.source import image_version, open_catalog
from rakuten_assets.storage.files import sha256_of_file

X_TRAIN, Y_TRAIN, X_TEST = "x_train_csv", "y_train_csv", "x_test_csv"
IMAGES: dict[str, str] = {split: f"{split}_images" for split in SPLITS}

_DESCRIPTIONS = {
    X_TRAIN: f"`{X_TRAIN_FILE}`: the train products, as the challenge ships them.",
    Y_TRAIN: f"`{Y_TRAIN_FILE}`: the class codes of the train products, as the challenge ships them.",
    X_TEST: f"`{X_TEST_FILE}`: the test products, as the challenge ships them.",
    **{
        IMAGES[split]: f"`images/{IMAGE_FOLDERS[split]}/`: the {split} images, a JPEG a product."
        for split in SPLITS
    },
}

FILES = tuple(_DESCRIPTIONS)
"""Keys of all of them."""


def file_assets() -> list[dg.AssetsDefinition]:
    """The three tables and the two image folders."""
    return [_file_asset(key, text) for key, text in _DESCRIPTIONS.items()]


def file_versions(folder: CatalogFolder) -> dict[str, str]:
    """Data version of each of the files, by asset."""
    return {key: _version(key, folder) for key in _DESCRIPTIONS}


def _file_asset(key: str, text: str) -> dg.AssetsDefinition:
    spec = dg.AssetSpec(
        key,
        description=f"{text} Data version: a digest, seen on every reading and by the sensor catalog_changed.",
        group_name="files",
        kinds={"jpeg" if key in IMAGES.values() else "csv"},
    )

    def observe(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.ObserveResult:
        version = _version(key, open_catalog(settings, context.log.info))
        return dg.ObserveResult(asset_key=key, data_version=dg.DataVersion(version))

    decorate = dg.multi_observable_source_asset(specs=[spec], name=f"observe_{key}")
    asset: dg.AssetsDefinition = decorate(observe)
    return asset


def _version(key: str, folder: CatalogFolder) -> str:
    tables = {X_TRAIN: folder.x_train, Y_TRAIN: folder.y_train, X_TEST: folder.x_test}
    if key in tables:
        return sha256_of_file(tables[key])
    split = next(split for split, name in IMAGES.items() if name == key)
    return image_version(folder.images[split])
