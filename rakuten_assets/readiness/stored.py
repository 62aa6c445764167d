"""What a storage holds, for whoever judges it: each asset's file, verified as it is read, read once."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.dataset.layout import Split
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.features import FeatureArray, read_features
from rakuten_assets.storage import Storage
from rakuten_assets.storage.arrays import copy_rows, read_array
from rakuten_assets.storage.records import read_record, read_recorded, record_file
from rakuten_assets.storage.tables import read_table
from rakuten_assets.storage.transient import is_transient

Value = TypeVar("Value")
_BLOCK_ROWS = 4096


class NotStoredError(StoreError):
    """An asset that is not stored (yet).

    Attributes:
        asset: its key, as the command line takes it.
    """

    def __init__(self, asset: str, path: UPath) -> None:
        super().__init__(f"{asset} is not stored: there is no {path}")
        self.asset = asset


@dataclass(frozen=True)
class MatrixContent:
    """What the vectors of a matrix are.

    Attributes:
        finite: bool (n,): rows without NaN and infinities.
        zero: bool (n,): rows of exact zeros.
    """

    finite: npt.NDArray[np.bool_]
    zero: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stored:
    """Reads the assets of a storage.

    Raises, from each method: `NotStoredError` where the asset is missing, `StoreError` where it is damaged.
    """

    storage: Storage
    _read: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, root: UPath) -> Stored:
        """A storage as it lies there, in as many shards as it was made with."""
        try:
            shards = int(read_record(Storage(root, 1).layout_file)["shards"])
        except (FileNotFoundError, NotADirectoryError):
            shards = 0
        except (KeyError, TypeError, ValueError):
            raise StoreError(
                f"{Storage(root, 1).layout_file} names no number of shards; restore it"
            ) from None
        return cls(Storage(root, shards))

    @property
    def extractors(self) -> list[str]:
        """Names of the extractors that have stored features, in alphabetical order."""
        try:
            found = self.storage.assets.glob("*/train_feature_matrix/train_feature_matrix.json")
            return sorted(path.parent.parent.name for path in found)
        except OSError as error:
            if is_transient(error):
                raise
            return []

    def to_judge(self, evaluated: Collection[str]) -> list[str]:
        """Those of `extractors` that are to be evaluated or have been; all, where there are none."""
        chosen = [
            name
            for name in self.extractors
            if name in evaluated or self.file(f"{name}/validation_report", ".json").exists()
        ]
        return chosen or self.extractors

    def table(self, asset: str) -> pd.DataFrame:
        file = self.file(asset, ".parquet")
        return self._once(asset, file, lambda: read_table(file))

    def document(self, asset: str) -> Any:
        file = self.file(asset, ".json")
        return self._once(asset, file, lambda: json.loads(read_recorded(file, record_file(file))))

    def array(self, asset: str) -> npt.NDArray[Any]:
        file = self.file(asset, ".npy")
        return self._once(asset, file, lambda: read_array(file))

    def scan(self) -> pd.DataFrame:
        """The scan of all images, shard after shard."""
        keys = shard_keys(self.storage.shards) if self.storage.shards else ["00"]
        parts = []
        for key in keys:
            file = self.storage.asset_file(["image_scan"], key, ".parquet")
            parts.append(self._once("image_scan", file, partial(read_table, file)))
        return pd.concat(parts, ignore_index=True)

    def features(self, extractor: str, split: Split) -> FeatureArray:
        asset = f"{extractor}/{split}_feature_matrix"
        file = self.file(asset, ".npy")
        return self._once(asset, file, lambda: read_features(file))

    def content(self, extractor: str, split: Split) -> MatrixContent:
        """What a matrix holds, looked at row by row."""
        features = self.features(extractor, split)

        def look() -> MatrixContent:
            finite, zero = np.empty(len(features.rows), bool), np.empty(len(features.rows), bool)
            for start in range(0, len(finite), _BLOCK_ROWS):
                block = copy_rows(features.array, start, start + _BLOCK_ROWS)
                finite[start : start + _BLOCK_ROWS] = np.isfinite(block).all(axis=1)
                zero[start : start + _BLOCK_ROWS] = ~block.any(axis=1)
            return MatrixContent(finite, zero)

        return self._once(f"content of {extractor}, {split}", self.storage.assets, look)

    def output(self, asset: str, *names: str) -> bytes:
        """A file below `outputs/`, that an asset published."""
        file = self.storage.outputs.joinpath(*names)
        return self._once(asset, file, file.read_bytes)

    def file(self, asset: str, suffix: str) -> UPath:
        """An asset's own file."""
        return self.storage.asset_file(asset.split("/"), None, suffix)

    def _once(self, asset: str, file: UPath, read: Callable[[], Value]) -> Value:
        key = (asset, str(file))
        if key not in self._read:
            try:
                self._read[key] = read()
            except (FileNotFoundError, NotADirectoryError):
                raise NotStoredError(asset, file) from None
        found: Value = self._read[key]
        return found
