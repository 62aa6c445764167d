from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.dataset.labels import (
    CLASS_NAMES,
    KNOWN_CLASS_COUNTS,
    KNOWN_TEST_ROWS,
    KNOWN_TRAIN_ROWS,
    class_counts,
    decode_labels,
    differences_from_known,
    encode_labels,
    fit_label_encoder,
    has_known_size,
)
from rakuten_assets.errors import CatalogError

codes = st.lists(st.integers(1, 2**62), min_size=1, max_size=50)


def test_classes_are_numbered_in_numeric_order() -> None:
    encoder = fit_label_encoder(np.array([1140, 40, 2583, 40, 10, 60]))
    assert list(encoder.items()) == [(10, 0), (40, 1), (60, 2), (1140, 3), (2583, 4)]
    assert all(type(code) is int and type(label) is int for code, label in encoder.items())


@given(codes)
def test_the_encoder_is_a_bijection_that_labels_follow(values: list[int]) -> None:
    encoder = fit_label_encoder(values)
    assert list(encoder.values()) == list(range(len(set(values))))
    assert list(encoder) == sorted(set(values))
    labels = encode_labels(values, encoder)
    assert labels.dtype == np.int64
    assert labels.tolist() == [encoder[value] for value in values]
    assert decode_labels(labels, encoder).tolist() == values


def test_an_unknown_class_is_named_with_its_row() -> None:
    with pytest.raises(
        CatalogError, match=r"row 1: class code 99 is unknown \(3 such rows, codes 98, 99\); known are 10"
    ):
        encode_labels([10, 99, 98, 60, 99], {10: 0, 60: 1})


def test_an_unknown_label_is_named_with_its_row() -> None:
    with pytest.raises(CatalogError, match="row 2: label 7 belongs to no class; the encoder knows 2 classes"):
        decode_labels([0, 1, 7], {10: 0, 60: 1})


def test_nothing_to_encode() -> None:
    assert encode_labels([], {10: 0}).tolist() == []
    with pytest.raises(CatalogError, match="no class code"):
        fit_label_encoder([])


def test_what_is_known_is_consistent() -> None:
    assert len(KNOWN_CLASS_COUNTS) == 27
    assert sum(KNOWN_CLASS_COUNTS.values()) == KNOWN_TRAIN_ROWS == 84_916
    assert KNOWN_TEST_ROWS == 13_812
    assert KNOWN_CLASS_COUNTS.keys() == CLASS_NAMES.keys()
    assert len(set(CLASS_NAMES.values())) == 27
    assert round(max(KNOWN_CLASS_COUNTS.values()) / min(KNOWN_CLASS_COUNTS.values()), 2) == 13.36


def test_the_real_catalogue_is_recognised_and_every_difference_named() -> None:
    assert not differences_from_known(KNOWN_CLASS_COUNTS)
    assert not differences_from_known(
        class_counts(np.repeat(list(KNOWN_CLASS_COUNTS), list(KNOWN_CLASS_COUNTS.values())))
    )
    other = {**KNOWN_CLASS_COUNTS, 10: 3115, 99: 1}
    del other[2905]
    assert differences_from_known(other)
    assert differences_from_known(other) == [
        "class 10 has 3,115 rows, the real data set 3,116",
        "class 99 is not one of the 27 (1 rows)",
        "class 2905 has 0 rows, the real data set 872",
    ]


def test_the_known_size_needs_both_splits() -> None:
    assert has_known_size(84_916, 13_812)
    assert not has_known_size(84_916, 320)
    assert not has_known_size(2_000, 13_812)
