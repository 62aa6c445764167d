"""Merging shards: rows in CSV order for any shard count, nothing held whole, and every misfit refused."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rakuten_assets.dataset.sharding import shard_of
from rakuten_assets.errors import ManifestError, StoreError
from rakuten_assets.extraction.storing import matrix as matrix_module
from rakuten_assets.extraction.storing.features import FeatureArray, merged_content
from rakuten_assets.extraction.storing.matrix import ColumnStatistics, merge_shards
from rakuten_assets.storage.arrays import stage_array

DIM = 4
FINGERPRINT = {"backbone": "resnet18", "feature_dim": DIM, "weights": "sha256:1"}


def make_manifest(rows: int, shards: int) -> pd.DataFrame:
    ids = np.arange(rows, dtype=np.int64) * 7 + 11
    return pd.DataFrame(
        {
            "split": "train",
            "row": np.arange(rows, dtype=np.int64),
            "index": np.arange(rows, dtype=np.int64),
            "image_id": ids,
            "product_id": ids + 1,
            "file": [f"image_train/image_{n}_product_{n + 1}.jpg" for n in ids],
            "shard": [shard_of(int(n), int(n) + 1, shards) for n in ids],
        }
    )


def make_shard(
    manifest: pd.DataFrame, key: str, folder: Path, dim: int = DIM, **fingerprint: Any
) -> FeatureArray:
    """A shard whose vectors are (row, row, ...), zero where the row number ends in 3: quarantined."""
    rows = manifest[manifest["shard"] == key].reset_index(drop=True)
    valid = (rows["row"] % 10 != 3).to_numpy()
    digests = [f"{row:064x}" if good else "" for row, good in zip(rows["row"], valid, strict=True)]
    sidecar = rows[["row", "index", "image_id", "product_id", "file"]].assign(sha256=digests, valid=valid)

    def fill(out: np.ndarray) -> None:
        out[valid] = (rows["row"].to_numpy()[valid, None] + 1).repeat(dim, axis=1)

    staged, _ = stage_array(folder / f"{key}.npy", (len(rows), dim), np.float32, fill)
    made_by = {**FINGERPRINT, "feature_dim": dim, **fingerprint}
    return FeatureArray(staged.open(), sidecar, made_by, staged.record)


def make_shards(manifest: pd.DataFrame, folder: Path, dim: int = DIM) -> dict[str, FeatureArray]:
    folder.mkdir(parents=True, exist_ok=True)
    return {key: make_shard(manifest, key, folder, dim) for key in sorted(manifest["shard"].unique())}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(1, 90), shards=st.integers(1, 7), block_rows=st.integers(1, 40))
def test_rows_come_in_csv_order_for_any_number_of_shards_and_any_block(
    rows: int, shards: int, block_rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    manifest = make_manifest(rows, shards)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix_module, "_BLOCK_BYTES", block_rows * 4 * DIM)
        made = make_shards(manifest, folder / "shards")
        merged = merge_shards(manifest, made, "resnet18", folder / "matrix.npy")
    numbers = np.arange(rows)
    valid = numbers % 10 != 3
    expected = np.where(valid[:, None], (numbers + 1)[:, None], 0).repeat(DIM, axis=1).astype(np.float32)
    np.testing.assert_array_equal(merged.features.array, expected)
    np.testing.assert_array_equal(merged.features.valid, valid)
    assert merged.broken_rows.size == 0
    assert merged.features.made_of == merged_content(made)
    np.testing.assert_allclose(merged.statistics.mean, expected[valid].mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(
        merged.statistics.std, expected[valid].std(axis=0, dtype=np.float64), atol=1e-12
    )


def test_the_matrix_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "_BLOCK_BYTES", 1 << 18)
    manifest = make_manifest(8000, 4)
    shards = make_shards(manifest, tmp_path / "shards", dim=256)
    tracemalloc.start()
    merged = merge_shards(manifest, shards, "resnet18", tmp_path / "matrix.npy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert merged.features.record.bytes > 8_000_000
    assert peak < 4_000_000


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    manifest = make_manifest(40, 3)
    shards = make_shards(manifest, tmp_path / "shards")
    del shards["01"]
    with pytest.raises(ManifestError, match="shard 01 is in the manifest and has no features"):
        merge_shards(manifest, shards, "resnet18", tmp_path / "matrix.npy")
    with pytest.raises(ManifestError, match="no shard to merge"):
        merge_shards(manifest, {}, "resnet18", tmp_path / "matrix.npy")


def test_features_of_other_rows_are_refused(tmp_path: Path) -> None:
    manifest = make_manifest(40, 3)
    shards = make_shards(manifest, tmp_path / "shards")
    for change in (
        manifest.iloc[1:].assign(row=range(39)),
        manifest.assign(image_id=manifest["image_id"] + 1),
    ):
        with pytest.raises(ManifestError, match=r"the catalogue has changed since"):
            merge_shards(change, shards, "resnet18", tmp_path / "matrix.npy")


def test_extractors_are_never_mixed(tmp_path: Path) -> None:
    manifest = make_manifest(40, 3)
    shards = make_shards(manifest, tmp_path / "shards")
    with pytest.raises(ManifestError, match="features of resnet18, not of resnet50"):
        merge_shards(manifest, shards, "resnet50", tmp_path / "matrix.npy")
    shards["02"] = make_shard(manifest, "02", tmp_path, weights="sha256:2")
    with pytest.raises(ManifestError, match=r"00 and 02 .* differ in weights"):
        merge_shards(manifest, shards, "resnet18", tmp_path / "matrix.npy")


def test_a_changed_shard_ends_the_merge(tmp_path: Path) -> None:
    manifest = make_manifest(40, 3)
    shards = make_shards(manifest, tmp_path / "shards")
    path = tmp_path / "shards" / "01.npy"
    content = bytearray(path.read_bytes())
    content[-2] ^= 4
    path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match="content was changed"):
        merge_shards(manifest, shards, "resnet18", tmp_path / "matrix.npy")


def test_broken_rows_are_located(tmp_path: Path) -> None:
    manifest = make_manifest(40, 1)
    shard = make_shard(manifest, "00", tmp_path)

    def spoil(out: np.ndarray) -> None:
        out[:] = shard.array
        out[5, 1], out[9, 0], out[13, 2] = np.nan, -np.inf, 1  # row 13 is quarantined

    staged, _ = stage_array(tmp_path / "spoilt.npy", shard.array.shape, np.float32, spoil)
    spoilt = FeatureArray(staged.open(), shard.rows, shard.fingerprint, staged.record)
    merged = merge_shards(manifest, {"00": spoilt}, "resnet18", tmp_path / "matrix.npy")
    assert merged.broken_rows.tolist() == [5, 9, 13]
    assert np.isfinite(merged.statistics.mean).all()


@settings(deadline=None)
@given(
    values=st.lists(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_statistics_do_not_depend_on_the_blocks(values: list[list[float]], cuts: list[int]) -> None:
    rows = np.array(values)
    statistics = ColumnStatistics.empty(2)
    for part in np.split(rows, sorted(min(cut, len(rows)) for cut in cuts)):
        statistics.add(part)
    assert statistics.count == len(rows)
    np.testing.assert_allclose(statistics.mean, rows.mean(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(statistics.std, rows.std(axis=0), rtol=1e-6, atol=1e-6)
