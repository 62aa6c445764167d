"""Verdicts on tables, manifest and labels: good ones pass, each defect is found and located."""

import numpy as np
import pandas as pd
import pytest

from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS, fit_label_encoder
from rakuten_assets.dataset.manifest import build_manifest
from rakuten_assets.dataset.validation import (
    catalog_consistent,
    encoder_is_bijection,
    known_classes,
    labels_match_rows,
    manifest_complete,
    weights_are_balanced,
)
from rakuten_assets.imbalance.class_weights import balanced_class_weights


def _products(first: int, count: int) -> pd.DataFrame:
    numbers = np.arange(first, first + count, dtype=np.int64)
    index = pd.Index(numbers, name="index")
    return pd.DataFrame(
        {"designation": "x", "description": None, "productid": numbers * 10, "imageid": numbers * 100},
        index=index,
    )


def _labels(codes: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {"prdtypecode": np.array(codes, dtype=np.int64)}, index=pd.RangeIndex(len(codes), name="index")
    )


TRAIN, TEST = _products(0, 6), _products(6, 3)
CODES = [10, 2905, 40, 10, 40, 10]


def test_known_classes_pass_unknown_ones_are_located() -> None:
    assert known_classes(_labels(CODES)).passed
    verdict = known_classes(_labels([*CODES, 77]))
    assert verdict.stops
    assert verdict.summary == (
        "Y_train_CVw08PX.csv, row 6: index 6 has prdtypecode 77, which is not one of the challenge's 27 classes (1 "
        "such row). Correct this field, or restore the original file"
    )
    several = known_classes(_labels([10, 77, 40, 99999]), lambda row: f"y.csv, line {row + 2} (row {row})")
    assert several.summary == (
        "y.csv, line 3 (row 1): index 1 has prdtypecode 77, which is not one of the challenge's 27 classes (2 such "
        "rows). Correct these fields, or restore the original file"
    )


def test_a_table_of_the_full_size_must_have_the_real_counts() -> None:
    codes = [code for code, count in KNOWN_CLASS_COUNTS.items() for _ in range(count)]
    verdict = known_classes(_labels(codes))
    assert verdict.passed
    assert "the real data set's counts" in verdict.summary
    codes[0] = 40
    wrong = known_classes(_labels(codes))
    assert wrong.stops
    assert "class 10 has 3,115 rows, the real data set 3,116" in wrong.summary


def test_a_consistent_catalog_passes_others_say_what_is_wrong() -> None:
    labels = _labels(CODES)
    assert catalog_consistent(TRAIN, labels, TEST).passed
    assert "has no label" in catalog_consistent(TRAIN, labels.iloc[1:], TEST).summary
    assert catalog_consistent(TRAIN, labels, _products(5, 3)).stops


@pytest.mark.parametrize("shards", [1, 4])
def test_a_manifest_is_compared_with_its_tables(shards: int) -> None:
    manifest = build_manifest(TRAIN, _labels(CODES), TEST, shards)
    assert manifest_complete(manifest, TRAIN, TEST, shards).passed
    wrong = {
        "in its order": manifest.iloc[::-1],
        "the test rows are not": manifest.iloc[:-1],
        "occur twice": manifest.assign(file=manifest["file"].iloc[0]),
        "another file name or shard": manifest.assign(file=manifest["file"] + "x"),
    }
    for problem, other in wrong.items():
        verdict = manifest_complete(other, TRAIN, TEST, shards)
        assert verdict.stops
        assert problem in verdict.summary
    assert manifest_complete(manifest.assign(shard="99"), TRAIN, TEST, shards).stops


def test_an_encoder_is_one_to_one_in_numeric_order() -> None:
    encoder = fit_label_encoder(CODES)
    assert encoder_is_bijection(encoder, CODES).passed
    as_text = {10: 0, 2905: 1, 40: 2}
    for wrong in (
        as_text,
        {**encoder, 50: 3},
        {10: 0, 40: 1},
        {10: 0, 40: 0, 2905: 1},
        {10: 1, 40: 2, 2905: 3},
    ):
        assert encoder_is_bijection(wrong, CODES).stops, wrong


def test_labels_decode_to_the_codes_of_their_rows() -> None:
    encoder, codes = fit_label_encoder(CODES), np.array(CODES)
    labels = np.array([encoder[code] for code in CODES])
    assert labels_match_rows(labels, codes, encoder).passed
    wrong = labels.copy()
    wrong[2] = 0
    assert "row 2, label 0, code 40" in labels_match_rows(wrong, codes, encoder).summary
    for other in (labels[:-1], labels.astype(np.int32), labels + 1):
        assert labels_match_rows(other, codes, encoder).stops


def test_weights_of_all_rows_sum_to_their_number() -> None:
    labels = np.array([0, 2, 1, 0, 1, 0])
    weights = balanced_class_weights(labels, 3)
    assert weights_are_balanced(weights, labels).passed
    for wrong in (weights * 1.001, -weights, np.array([0, 6 / 2, 0.0]), weights * np.nan):
        assert weights_are_balanced(wrong, labels).stops
