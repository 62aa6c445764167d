from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.dataset.sharding import shard_keys, shard_of
from rakuten_assets.errors import ManifestError

ids = st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(
    ("count", "first", "last"), [(1, "00", "00"), (16, "00", "15"), (100, "00", "99"), (101, "000", "100")]
)
def test_keys_are_padded_so_that_text_order_is_numeric_order(count: int, first: str, last: str) -> None:
    keys = shard_keys(count)
    assert (len(keys), keys[0], keys[-1]) == (count, first, last)
    assert keys == sorted(set(keys))


@given(ids, ids, st.integers(1, 4096))
def test_every_row_has_a_shard_that_exists(image_id: int, product_id: int, count: int) -> None:
    assert shard_of(image_id, product_id, count) in set(shard_keys(count))


def test_stored_shards_of_earlier_versions_stay_valid() -> None:
    # Pinned: a changed hash would silently send every stored row to another shard.
    assert shard_of(1263597046, 3804725264, 16) == "09"
    assert shard_of(1, 2, 7) == "01"
    assert shard_of(1, 2, 101) == "070"
    assert shard_of(2**63 - 1, 0, 16) == "04"


def test_a_numpy_integer_and_a_python_integer_have_the_same_shard() -> None:
    image_id, product_id = np.int64(1263597046), np.int64(3804725264)
    assert shard_of(image_id, product_id, 16) == "09"  # type: ignore[arg-type]


def test_both_ids_count_and_their_order_too() -> None:
    shards = {shard_of(image, product, 4096) for image, product in ((12, 3), (1, 23), (3, 12), (123, 0))}
    assert len(shards) == 4


def test_another_process_with_another_hash_seed_agrees() -> None:
    code = "from rakuten_assets.dataset.sharding import shard_of; print(shard_of(123, 456, 1000))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert seen == {shard_of(123, 456, 1000)}


def test_shards_of_the_full_size_are_balanced() -> None:
    counts = np.unique(
        [shard_of(10**9 + row, 3 * 10**9 + row, 16) for row in range(98_728)], return_counts=True
    )[1]
    assert len(counts) == 16
    assert counts.min() > 0.95 * counts.mean()
    assert counts.max() < 1.05 * counts.mean()


@pytest.mark.parametrize("count", [0, -1])
def test_no_shards_is_refused(count: int) -> None:
    with pytest.raises(ManifestError, match="RAKUTEN_SHARDS"):
        shard_keys(count)
    with pytest.raises(ManifestError, match="RAKUTEN_SHARDS"):
        shard_of(1, 2, count)
