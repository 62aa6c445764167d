"""Shards merged into one matrix in CSV order, without holding either in memory.

- a shard's rows keep manifest order, so the next block of the matrix needs the next rows of each shard;
- a block (4 MiB) is gathered and appended; every shard is read front to back;
- before that, each shard's rows are compared with the manifest, and its content with what was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.errors import ManifestError
from rakuten_assets.extraction.fingerprint import differences
from rakuten_assets.extraction.storing.features import FeatureArray, merged_content
from rakuten_assets.storage.arrays import copy_rows, stage_rows, verify_content

_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class MergedFeatures:
    """A split's features, staged, and what was seen on the way.

    Attributes:
        features: rows in CSV order.
        statistics: of the valid rows' columns.
        broken_rows: int64 (k,), rows that hold NaN or an infinity, or are quarantined and not zero.
    """

    features: FeatureArray
    statistics: ColumnStatistics
    broken_rows: npt.NDArray[np.int64]


@dataclass
class ColumnStatistics:
    """Mean and standard deviation of each column, from blocks of rows, in float64 (Chan, Golub, LeVeque 1983)."""

    count: int
    mean: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, columns: int) -> ColumnStatistics:
        return cls(0, np.zeros(columns), np.zeros(columns))

    @classmethod
    def of(cls, rows: npt.NDArray[Any]) -> ColumnStatistics:
        """Statistics of rows (n, columns)."""
        statistics = cls.empty(rows.shape[1])
        statistics.add(rows)
        return statistics

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """Population standard deviation, float64 (columns,)."""
        return np.sqrt(self.squares / max(self.count, 1))

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Count `rows` (n, columns) in."""
        if not len(rows):
            return
        values = rows.astype(np.float64)
        mean = values.mean(axis=0)
        shift = mean - self.mean
        total = self.count + len(rows)
        self.squares = self.squares + ((values - mean) ** 2).sum(axis=0)
        self.squares += shift**2 * (self.count * len(rows) / total)
        self.mean = self.mean + shift * (len(rows) / total)
        self.count = total


def merge_shards(
    manifest: pd.DataFrame, shards: Mapping[str, FeatureArray], backbone: str, target: Path
) -> MergedFeatures:
    """Write the rows of all shards of one split to `target`, a `.npy` file, in the order of `manifest`.

    Args:
        manifest: the split's manifest rows, in CSV order (`row` counts from 0).
        shards: by shard key; at least those that occur in the manifest.
        backbone: the one that the matrix is named after.

    Raises:
        ManifestError: if a shard is missing, its rows are not the manifest's, or shards come from different
            extractors.
        StoreError: if a shard's content is not what was recorded.
    """
    fingerprint = _common_fingerprint(shards, backbone)
    tables: list[pd.DataFrame] = []
    readers: dict[str, _ShardReader] = {}
    for key, rows in manifest.groupby("shard", sort=True):
        shard = _shard_of(shards, str(key))
        _refuse_other_rows(str(key), rows, shard)
        _verify(shard)
        tables.append(shard.rows)
        readers[str(key)] = _ShardReader(shard.array)
    merged_rows = pd.concat(tables).sort_values("row", ignore_index=True)
    valid = merged_rows["valid"].to_numpy(dtype=bool)
    dim = int(fingerprint["feature_dim"])
    statistics = ColumnStatistics.empty(dim)
    broken: list[npt.NDArray[np.int64]] = []

    def blocks() -> Iterator[npt.NDArray[np.float32]]:
        for start, block in _gathered(manifest["shard"].to_numpy(), readers, dim):
            good = valid[start : start + len(block)]
            # A sum is not finite where an addend is not: one pass instead of a mask of the whole block.
            bad = ~np.isfinite(block.sum(axis=1, dtype=np.float64)) | (~good & block.any(axis=1))
            broken.append(np.flatnonzero(bad) + start)
            statistics.add(block[good & ~bad])
            yield block

    vectors = stage_rows(target, (len(manifest), dim), np.float32, blocks())
    none: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    features = FeatureArray(vectors, merged_rows, fingerprint, vectors.record, merged_content(shards))
    return MergedFeatures(features, statistics, np.concatenate([none, *broken]))


def _gathered(
    keys: npt.NDArray[Any], readers: Mapping[str, _ShardReader], dim: int
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Blocks of rows in manifest order, each with the number of its first row."""
    block_rows = max(1, _BLOCK_BYTES // max(1, 4 * dim))
    for start in range(0, len(keys), block_rows):
        part = keys[start : start + block_rows]
        block = np.empty((len(part), dim), dtype=np.float32)
        for key in np.unique(part):
            places = np.flatnonzero(part == key)
            block[places] = readers[str(key)].next(len(places))
        yield start, block


class _ShardReader:
    """Hands out a shard's rows, front to back."""

    def __init__(self, vectors: npt.NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._position = 0

    def next(self, count: int) -> npt.NDArray[np.float32]:
        start, self._position = self._position, self._position + count
        return copy_rows(self._vectors, start, self._position)


def _common_fingerprint(shards: Mapping[str, FeatureArray], backbone: str) -> Mapping[str, Any]:
    if not shards:
        raise ManifestError("there is no shard to merge; materialise the features first")
    first_key, first = next(iter(shards.items()))
    for key, shard in shards.items():
        if dict(shard.fingerprint) != dict(first.fingerprint):
            different = differences(first.fingerprint, shard.fingerprint)
            way_out = "materialise all shards with the present settings"
            if all(name.startswith("numerics.") for name in different):
                way_out += " on one kind of machine, or set RAKUTEN_NUMERICS=portable, which gives the same bits on all"
            raise ManifestError(
                f"shards {first_key} and {key} were made by different extractors (they differ in "
                f"{', '.join(different)}), and are never mixed; {way_out}"
            )
    if first.fingerprint["backbone"] != backbone:
        raise ManifestError(
            f"the shards hold features of {first.fingerprint['backbone']}, not of {backbone}; materialise all shards "
            "with the present settings"
        )
    return first.fingerprint


def _shard_of(shards: Mapping[str, FeatureArray], key: str) -> FeatureArray:
    if key not in shards:
        raise ManifestError(f"shard {key} is in the manifest and has no features; materialise it first")
    return shards[key]


def _refuse_other_rows(key: str, rows: pd.DataFrame, shard: FeatureArray) -> None:
    found = shard.rows
    for name in ("row", "image_id", "product_id"):
        if len(rows) != len(found) or not np.array_equal(rows[name].to_numpy(), found[name].to_numpy()):
            raise ManifestError(
                f"shard {key} holds features of {len(found):,} rows, which are not the manifest's {len(rows):,} "
                f"(they differ in {name}): the catalogue has changed since; materialise this shard again"
            )


def _verify(shard: FeatureArray) -> None:
    vectors = shard.array
    if isinstance(vectors, np.memmap) and vectors.filename is not None:
        verify_content(Path(vectors.filename), shard.record)
