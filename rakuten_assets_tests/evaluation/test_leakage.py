from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS
from rakuten_assets.evaluation.leakage import (
    duplicate_aware_split,
    expected_leakage,
    leakage,
    leaking_rows,
)
from rakuten_assets.evaluation.splits import random_split

_ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60)


def real_codes() -> np.ndarray:
    codes = np.repeat(list(KNOWN_CLASS_COUNTS), list(KNOWN_CLASS_COUNTS.values()))
    return np.random.default_rng(1).permutation(codes)


@pytest.mark.parametrize("seed", [0, 42, 7])
@pytest.mark.parametrize("share", [0.2, 0.25, 0.1])
def test_random_split_draws_the_rows_of_scikit_learn(share, seed):
    codes = real_codes()[:5003]
    _, expected = train_test_split(np.arange(5003), test_size=share, stratify=codes, random_state=seed)
    np.testing.assert_array_equal(np.flatnonzero(random_split(codes, share, seed)), np.sort(expected))


def test_the_usual_split_of_the_real_labels_is_scikit_learns():
    codes = real_codes()
    _, expected = train_test_split(np.arange(len(codes)), test_size=0.2, stratify=codes, random_state=42)
    np.testing.assert_array_equal(np.flatnonzero(random_split(codes)), np.sort(expected))


def test_leakage_counts_validation_rows_with_a_twin_in_train():
    groups = ["a", "a", "b", "b", "c", "d"]
    validation = [True, False, True, True, True, False]
    assert leaking_rows(groups, validation).tolist() == [True, False, False, False, False, False]
    assert leakage(groups, validation) == 0.25


def test_expected_leakage_is_the_mean_over_every_split():
    codes = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    groups = np.array([0, 0, 0, 1, 2, 1, 3, 3, 4, 5])
    measured = []
    for first in combinations(range(5), 2):
        for second in combinations(range(5, 10), 2):
            validation = np.zeros(10, dtype=bool)
            validation[[*first, *second]] = True
            measured.append(leakage(groups, validation))
    assert expected_leakage(codes, groups, share=0.4) == pytest.approx(np.mean(measured), abs=1e-12)


def test_expected_leakage_is_what_many_draws_average_to():
    codes = real_codes()[:4000]
    groups = np.random.default_rng(2).integers(0, 3500, 4000)
    drawn = [leakage(groups, random_split(codes, seed=seed)) for seed in range(40)]
    assert expected_leakage(codes, groups) == pytest.approx(np.mean(drawn), abs=0.01)


@given(_ROWS, st.integers(0, 5), st.sampled_from([0.2, 0.5, 0.8]))
@settings(max_examples=80, deadline=None)
def test_a_duplicate_aware_split_never_parts_a_group(rows, seed, share):
    codes, groups = np.array(rows).T
    validation = duplicate_aware_split(codes, groups, share, seed)
    assert leakage(groups, validation) == 0.0
    for code in np.unique(codes):
        assert validation[codes == code].sum() <= round((codes == code).sum() * share)


def test_a_duplicate_aware_split_takes_its_share_of_every_class():
    codes = real_codes()
    groups = np.arange(len(codes))
    rng = np.random.default_rng(3)
    twins = rng.permutation(len(codes))[:9000].reshape(-1, 3)
    groups[twins] = groups[twins[:, :1]]

    validation = duplicate_aware_split(codes, groups)

    for code, count in KNOWN_CLASS_COUNTS.items():
        assert validation[codes == code].sum() == round(count * 0.2)
    in_groups = validation[twins.reshape(-1)].mean()
    assert 0.17 < in_groups < 0.23  # duplicates are drawn as often as other rows
    np.testing.assert_array_equal(validation, duplicate_aware_split(codes, groups))
    assert (validation != duplicate_aware_split(codes, groups, seed=43)).any()


def test_text_classes_and_single_rows_are_allowed():
    codes = ["a"] * 10 + ["b"]
    assert random_split(codes).sum() == 3
    assert duplicate_aware_split(codes, range(11)).sum() == 2


@pytest.mark.parametrize("split", [random_split, expected_leakage, duplicate_aware_split])
def test_nothing_to_split_is_no_error(split):
    arguments = ([],) if split is random_split else ([], [])
    assert np.sum(split(*arguments)) == 0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 20])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        random_split([1, 2], share)
