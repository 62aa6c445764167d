"""Names of the published files, and the commands that make them."""

from __future__ import annotations

from rakuten_assets.dataset.layout import Split
from rakuten_assets.dataset.sharding import shard_keys

MANIFEST_FILE = "manifest.json"
INDEX_FILE = "index.parquet"
LABELS_FILE = "train_labels.npy"
METADATA_FILE = "metadata.json"
MAP_FILE = "feature_map.html"
GALLERY_FILE = "augmentation_gallery.png"

OUTPUTS, PUBLISHING = "outputs", "publishing"
"""Folders of a storage: the published set, and one that is on its way there."""


EVERYTHING = "'*'"
"""The selection of all assets, as it is typed."""


def features_file(split: Split, extractor: str) -> str:
    """Feature vectors of a split by an extractor: float32 (rows, dim)."""
    return f"{split}_features_{extractor}.npy"


def valid_file(split: Split) -> str:
    """Validity mask of a split: bool (rows,)."""
    return f"{split}_valid.npy"


def metadata_file(extractor: str) -> str:
    """What an extractor's arrays are and how they were made."""
    return f"metadata_{extractor}.json"


def evaluation_folder(extractor: str) -> str:
    """What an extractor's features were found to be worth: pages, tables, predictions."""
    return f"evaluation_{extractor}"


def files_of(extractor: str) -> tuple[str, str, str]:
    """The files that are an extractor's own."""
    return features_file("train", extractor), features_file("test", extractor), metadata_file(extractor)


def make_command(*assets: str) -> str:
    """The command that makes assets again.

    >>> make_command("outputs")
    'dagster asset materialize -m rakuten_assets.definitions --select outputs'
    """
    return f"dagster asset materialize -m rakuten_assets.definitions --select {','.join(assets)}"


def materialization(selection: str, shards: int) -> list[str]:
    """Arguments of Python for `dagster asset materialize` of a selection over all shards, in one run.

    >>> " ".join(materialization("*", 16))
    '-m dagster asset materialize -m rakuten_assets.definitions --select * --partition-range 00...15'
    """
    keys = shard_keys(shards)
    command = ["-m", "dagster", "asset", "materialize", "-m", "rakuten_assets.definitions"]
    return [*command, "--select", selection, "--partition-range", f"{keys[0]}...{keys[-1]}"]
