import sys
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.integrity.duplicates import near_duplicates
from rakuten_assets.integrity.duplicates.near_duplicates import (
    HashPairs,
    Nearness,
    iter_near_pairs,
)
from rakuten_assets.runtime.compilation import CompiledKernels

_HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=30)


MODULE = "rakuten_assets.integrity.duplicates.hash_kernels"
NUMPY_ALONE = CompiledKernels(MODULE, worth_from=sys.maxsize)
COMPILED = CompiledKernels(MODULE, worth_from=0)


def near_pairs(
    hashes: npt.ArrayLike, distance: int, workers: int = 1, nearness: Nearness | None = None
) -> HashPairs:
    """All pairs that `iter_near_pairs` finds, in ascending order of (left, right).

    NumPy and the kernels find the same ones, in the same order.
    """
    left, right, bits = in_order(hashes, distance, workers, nearness, NUMPY_ALONE)
    by_kernels = in_order(hashes, distance, workers, nearness, COMPILED)
    for plain, compiled in zip((left, right, bits), by_kernels, strict=True):
        np.testing.assert_array_equal(plain, compiled)
    order = np.lexsort((right, left))
    return HashPairs(left[order], right[order], bits[order])


def in_order(*arguments: Any) -> list[np.ndarray]:
    """Left, right and distance of all pairs, in the order of `iter_near_pairs`."""
    blocks = list(iter_near_pairs(*arguments))
    return [
        np.concatenate([np.empty(0, np.int64), *(getattr(block, name) for block in blocks)])
        for name in ("left", "right", "distance")
    ]


def brute_force(hashes: list[int], distance: int) -> list[tuple[int, int, int]]:
    return [
        (i, j, (a ^ b).bit_count())
        for i, a in enumerate(hashes)
        for j, b in enumerate(hashes[i + 1 :], i + 1)
        if (a ^ b).bit_count() <= distance
    ]


def as_tuples(pairs: HashPairs) -> list[tuple[int, int, int]]:
    return list(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.distance.tolist(), strict=True))


def crowded_hashes(count: int, seed: int) -> np.ndarray:
    """Hashes in clouds around few centres, as those of photos on white are."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, 40, dtype=np.uint64)
    noise = np.zeros(count, dtype=np.uint64)
    for _ in range(9):
        noise ^= np.left_shift(np.uint64(1), rng.integers(0, 64, count).astype(np.uint64))
    return centres[rng.integers(0, 40, count)] ^ noise


@given(_HASHES, st.integers(0, 64), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_pairs_are_those_of_brute_force(hashes, distance, workers):
    assert as_tuples(near_pairs(hashes, distance, workers)) == brute_force(hashes, distance)


@pytest.mark.parametrize("distance", [4, 8, 12])
def test_5000_crowded_hashes_give_exactly_the_pairs_of_brute_force(distance):
    hashes = crowded_hashes(5000, seed=distance)
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    left, right = np.nonzero(np.triu(bits <= distance, k=1))

    pairs = near_pairs(hashes, distance, workers=2)

    assert len(left) >= 10
    np.testing.assert_array_equal(pairs.left, left)
    np.testing.assert_array_equal(pairs.right, right)
    np.testing.assert_array_equal(pairs.distance, bits[left, right])


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 128, 4096, 4097, 4160, 4161])
def test_no_pair_is_lost_where_tiles_meet(count):
    hashes = np.random.default_rng(count).integers(0, 2**64, count, dtype=np.uint64)
    equal = sorted(
        {place for place in (0, 1, 63, 64, 65, 127, 4095, 4096, 4159, count - 1) if 0 <= place < count}
    )
    hashes[equal] = 5
    pairs = near_pairs(hashes, 8, workers=2)
    assert as_tuples(pairs) == [(i, j, 0) for n, i in enumerate(equal) for j in equal[n + 1 :]]


_NEAR = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9), st.integers(0, 9)), max_size=40)


@given(_NEAR, st.integers(0, 3), st.floats(0.1, 9.5), st.floats(0.1, 9.5))
@settings(max_examples=100, deadline=None)
def test_pairs_lie_near_in_every_measure(items, distance, most, most_too):
    hashes = [item[0] for item in items]
    measures = np.array([item[1:] for item in items], dtype=np.float64).reshape(-1, 2) * 0.1
    nearness = Nearness(measures, (most * 0.1, most_too * 0.1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "_TILE_ROWS", 4)
        patch.setattr(near_duplicates, "_TILE_COLUMNS", 8)
        pairs = near_pairs(hashes, distance, 2, nearness)
    assert as_tuples(pairs) == [
        (i, j, bits)
        for i, j, bits in brute_force(hashes, distance)
        if (np.abs(measures[i] - measures[j]) <= nearness.limits).all()
    ]


def test_a_difference_of_exactly_the_limit_is_near():
    """Where rounding decides, the tile is judged as the pair is."""
    measures = np.array([[0.1 * place] for place in range(200)])
    for limit in (0.1, 0.30000000000000004, 0.7):
        pairs = near_pairs(np.zeros(200, dtype=np.uint64), 0, 1, Nearness(measures, (limit,)))
        near = np.abs(measures - measures.T) <= limit
        assert list(zip(pairs.left, pairs.right, strict=True)) == list(
            zip(*np.nonzero(np.triu(near, k=1)), strict=True)
        )


@pytest.mark.parametrize(
    ("measures", "limits"), [([[1.0], [np.nan]], (1.0,)), ([[1.0], [2.0]], (0.0,)), ([[1.0]], (1.0,))]
)
def test_impossible_measures_are_refused(measures, limits):
    with pytest.raises(ValueError, match="measures"):
        near_pairs([1, 2], 3, 1, Nearness(np.array(measures), limits))


@pytest.mark.parametrize("kernels", [NUMPY_ALONE, COMPILED], ids=["numpy", "compiled"])
def test_many_equal_hashes_cost_no_memory_when_read_in_blocks(kernels):
    equal = np.zeros(6000, dtype=np.uint64)
    kernels.prepare()
    tracemalloc.start()
    found = sum(len(block) for block in iter_near_pairs(equal, 0, workers=2, kernels=kernels))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 6000 * 5999 // 2
    assert peak < 120e6  # all pairs at once would be 306 MB


def test_threads_do_not_change_the_result():
    hashes = crowded_hashes(1500, seed=3)
    assert as_tuples(near_pairs(hashes, 12, 1)) == as_tuples(near_pairs(hashes, 12, 4))


@pytest.mark.parametrize(("distance", "workers"), [(-1, 1), (65, 1), (3, 0)])
def test_impossible_arguments_are_refused(distance, workers):
    with pytest.raises(ValueError, match=r"0 to 64|at least one thread"):
        near_pairs([1, 2], distance, workers)


def test_kernels_take_over_in_the_middle_of_a_search():
    hashes = crowded_hashes(4000, seed=5)
    late = CompiledKernels(MODULE, worth_from=40)
    plain = in_order(hashes, 12, 2, None, NUMPY_ALONE)
    both = in_order(hashes, 12, 2, None, late)
    assert late.count()
    for one, other in zip(plain, both, strict=True):
        np.testing.assert_array_equal(one, other)
