"""Which rows a map shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.evaluation.feature_map.sampling import sample_rows


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    count=st.integers(1, 200),
    seed=st.integers(0, 2**32),
)
def test_a_sample_is_as_large_as_asked_and_every_class_is_in_it(
    sizes: list[int], count: int, seed: int
) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    ids, valid = np.arange(len(strata)) * 7, np.ones(len(strata), bool)
    rows = sample_rows(ids, strata, valid, count, seed)
    assert len(rows) == min(count, len(strata))
    assert (np.diff(rows) > 0).all()
    assert (rows == sample_rows(ids, strata, valid, count, seed)).all()
    if count >= len(sizes):
        assert set(strata[rows]) == set(range(len(sizes)))


def test_classes_keep_their_shares_and_invalid_rows_are_left_out() -> None:
    strata = np.repeat([0, 1, 2], [6000, 3000, 1000])
    valid = np.ones(10_000, bool)
    valid[::7] = False
    rows = sample_rows(np.arange(10_000), strata, valid, 1000)
    assert valid[rows].all()
    assert np.bincount(strata[rows]).tolist() == [600, 300, 100]
    # Spread over the class, not its first rows.
    assert rows[strata[rows] == 0].mean() == pytest.approx(3000, abs=400)


def test_a_row_that_is_added_displaces_at_most_one_other() -> None:
    ids, strata = np.arange(500) * 3, np.zeros(500, int)
    before = sample_rows(ids, strata, np.ones(500, bool), 50)
    after = sample_rows(np.append(ids, 77_777), np.zeros(501, int), np.ones(501, bool), 50)
    assert len(set(before) - set(after)) <= 1
    assert set(before) != set(sample_rows(ids, strata, np.ones(500, bool), 50, seed=1))
