"""Feature shards and matrices: stored with what belongs to them, whole or not at all."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.storage import Storage
from rakuten_assets_tests.extraction.storing.test_matrix import FINGERPRINT, make_manifest, make_shard


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    root = UPath(tmp_path / "storage") if request.param == "folder" else UPath(f"memory://features{tmp_path}")
    return Storage(root, 2)


def _shard(tmp_path: Path, rows: int = 30, **fingerprint: Any) -> FeatureArray:
    folder = tmp_path / "made"
    folder.mkdir(exist_ok=True)
    return make_shard(make_manifest(rows, 1), "00", folder, **fingerprint)


def test_a_shard_comes_back_with_rows_and_fingerprint(storage: Storage, tmp_path: Path) -> None:
    manager, shard = FeatureIOManager(storage), _shard(tmp_path)
    own = manager.own_file(["train_features"], "00")
    metadata = manager.write(shard, own)
    assert metadata["shape"] == "(30, 4)"
    loaded = manager.read(own)
    np.testing.assert_array_equal(loaded.array, shard.array)
    assert loaded.rows.equals(shard.rows)
    assert loaded.content == shard.content
    assert sorted(path.name for path in own.parent.iterdir()) == ["00.json", "00.npy", "00.parquet"]


def test_what_was_replaced_alone_is_refused(storage: Storage, tmp_path: Path) -> None:
    manager = FeatureIOManager(storage)
    own = manager.own_file(["train_features"], "00")
    manager.write(_shard(tmp_path, 20), own)
    old = {path.name: path.read_bytes() for path in own.parent.iterdir()}
    manager.write(_shard(tmp_path, 30), own)
    for name in ("00.npy", "00.parquet"):
        new = (own.parent / name).read_bytes()
        (own.parent / name).write_bytes(old[name])
        with pytest.raises(StoreError):
            manager.read(own)
        assert manager.find("train_features", "00") is None
        (own.parent / name).write_bytes(new)
    assert manager.find("train_features", "00") is not None
    (own.parent / "00.json").unlink()
    assert not manager.present(own)
    assert manager.find("train_features", "00") is None


def test_a_split_keeps_what_it_was_made_of(storage: Storage, tmp_path: Path) -> None:
    manager = FeatureIOManager(storage)
    split = dataclasses.replace(_shard(tmp_path), made_of="made of these")
    key = ["resnet18", "test_feature_matrix"]
    file = manager.own_file(key, None)
    manager.write(split, file)
    loaded = manager.find(key)
    assert loaded is not None
    np.testing.assert_array_equal(loaded.array, split.array)
    assert loaded.valid.tolist() == split.valid.tolist()
    assert (loaded.fingerprint, loaded.made_of) == (FINGERPRINT, "made of these")
    file.unlink()
    assert manager.find(key) is None


def test_anything_else_is_refused(tmp_path: Path) -> None:
    manager = FeatureIOManager(Storage(UPath(tmp_path), 2))
    with pytest.raises(StoreError, match="not a ndarray"):
        manager.write(np.zeros(3), manager.own_file(["a"], "00"))
    assert not list(tmp_path.iterdir())
