import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.integrity.duplicates import near_duplicates
from rakuten_assets.integrity.duplicates.candidates import Candidates
from rakuten_assets_tests.integrity.gallery import scan_table


def found(images: pd.DataFrame, distance: int) -> list[tuple[int, int]]:
    blocks = [
        pair
        for left, right in Candidates(images, distance).pairs(workers=2)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    ]
    assert len(blocks) == len(set(blocks)), "a pair came twice"
    return sorted(blocks)


def alike(images: pd.DataFrame, i: int, j: int, distance: int) -> bool:
    one, other = images.iloc[i], images.iloc[j]
    return one.width > 0 < other.width and (
        (int(one.phash) ^ int(other.phash)).bit_count() <= distance
        and (int(one.dhash) ^ int(other.dhash)).bit_count() <= 20
        and abs(one.brightness - other.brightness) <= 20
        and abs(one.contrast - other.contrast) <= 10
        and abs(one.saturation - other.saturation) <= 15
        and abs(one.entropy - other.entropy) <= 2
        and abs(np.log(one.width / one.height) - np.log(other.width / other.height)) <= 0.05
    )


_IMAGE = st.fixed_dictionaries(
    {
        "phash": st.sampled_from([0, 1, 3, 7, 2**63, 2**63 + 1]),
        "dhash": st.sampled_from([0, 1, 2**20 - 1, 2**21 - 1]),
        "brightness": st.sampled_from([100.0, 115.0, 130.0, np.nan]),
        "contrast": st.sampled_from([40.0, 55.0]),
        "saturation": st.sampled_from([20.0, 30.0, 50.0]),
        "entropy": st.sampled_from([2.0, 3.5, 5.0]),
        "width": st.sampled_from([500, 520, 700, 0]),
    }
)


@given(st.lists(_IMAGE, max_size=14), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_candidates_are_the_pairs_alike_in_every_measure(rows, distance):
    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    if rows:
        columns |= {name: np.array(columns[name], dtype=np.uint64) for name in ("phash", "dhash")}
    images = scan_table(len(rows), **columns)
    every = [(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    expected = [alike(images, i, j, distance) for i, j in every]
    assert found(images, distance) == [pair for pair, is_one in zip(every, expected, strict=True) if is_one]
    left, right = np.array(every, dtype=np.int64).reshape(-1, 2).T
    assert Candidates(images, distance).among(left, right).tolist() == expected


@pytest.mark.parametrize("count", [63, 64, 65, 130])
def test_a_cluster_of_equal_hashes_gives_each_pair_once(count):
    same = dict.fromkeys(("phash", "dhash"), 5) | dict.fromkeys(
        ("brightness", "contrast", "saturation", "entropy"), 50.0
    )
    images = scan_table(count, **same)
    images.loc[count // 2 :, "phash"] = np.uint64(4)
    assert len(found(images, distance=1)) == count * (count - 1) // 2
    assert len(found(images, distance=0)) == sum(k * (k - 1) // 2 for k in (count // 2, count - count // 2))


def test_blocks_stay_small_however_many_are_alike(monkeypatch):
    monkeypatch.setattr(near_duplicates, "_TILE_ROWS", 8)
    monkeypatch.setattr(near_duplicates, "_TILE_COLUMNS", 100)
    same = {"phash": 5, "dhash": 5} | dict.fromkeys(("brightness", "contrast", "saturation", "entropy"), 50.0)
    blocks = [len(left) for left, _ in Candidates(scan_table(400, **same)).pairs()]
    assert sum(blocks) == 400 * 399 // 2
    assert max(blocks) <= 800


def test_thousands_of_pictures_give_the_pairs_of_a_comparison_of_all(monkeypatch):
    """Measures spread as in a catalogue, hashes in clouds: most tiles are passed over, and no pair is lost."""
    monkeypatch.setattr(near_duplicates, "_TILE_ROWS", 16)
    rng = np.random.default_rng(0)
    count = 3000
    noise = np.bitwise_or.reduce(
        np.left_shift(np.uint64(1), rng.integers(0, 64, (count, 5)).astype(np.uint64)), axis=1
    )
    centres = rng.integers(0, 2**64, 5, dtype=np.uint64)
    images = scan_table(
        count,
        phash=centres[rng.integers(0, 5, count)] ^ noise,
        dhash=np.left_shift(np.uint64(1), rng.integers(0, 24, count).astype(np.uint64)) - np.uint64(1),
        brightness=rng.integers(0, 250, count).astype(float),
        width=rng.integers(450, 551, count),
    )
    left, right = np.triu_indices(count, k=1)
    alike_ = Candidates(images, 8).among(left, right)
    pairs = found(images, 8)
    assert len(pairs) > 1000
    assert pairs == list(zip(left[alike_].tolist(), right[alike_].tolist(), strict=True))


def test_no_image_has_no_candidate():
    assert found(scan_table(0), 10) == []
    assert found(scan_table(1), 10) == []
