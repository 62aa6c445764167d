"""Verdicts on features: each defect is found by its check, located, and no other check complains."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rakuten_assets.extraction.storing.matrix import ColumnStatistics, merge_shards
from rakuten_assets.extraction.validation import comparable_statistics, matrix_verdicts, shard_verdicts
from rakuten_assets.verdicts import Verdict
from rakuten_assets_tests.extraction.storing.test_matrix import DIM, make_manifest, make_shard, make_shards


def _verdicts(vectors: np.ndarray, rows: pd.DataFrame, manifest: pd.DataFrame) -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in shard_verdicts(vectors, rows, manifest, DIM)}


@pytest.fixture
def shard(tmp_path: Path) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    manifest = make_manifest(40, 1)
    made = make_shard(manifest, "00", tmp_path)
    vectors = np.array(made.array)
    vectors[made.rows["valid"], 0] += 0.5  # not constant
    return vectors, made.rows, manifest


def _failed(verdicts: dict[str, Verdict]) -> list[str]:
    return [name for name, verdict in verdicts.items() if not verdict.passed]


def test_a_good_shard_passes_every_check(shard: tuple[np.ndarray, pd.DataFrame, pd.DataFrame]) -> None:
    verdicts = _verdicts(*shard)
    assert _failed(verdicts) == []
    assert len(verdicts) == 5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_located(
    value: float, shard: tuple[np.ndarray, pd.DataFrame, pd.DataFrame]
) -> None:
    vectors, rows, manifest = shard
    vectors[7, 2] = vectors[9, 1] = value
    verdict = _verdicts(vectors, rows, manifest)["finite"]
    assert verdict.stops
    assert "2 rows" in verdict.summary
    assert rows["file"][7] in verdict.summary
    table = verdict.details["rows"]
    assert isinstance(table, pd.DataFrame)
    assert table["row"].tolist() == [7, 9]
    assert verdict.details["NaN" if np.isnan(value) else "Inf"] == 2


@pytest.mark.parametrize(("row", "value"), [(7, 0.0), (7, 5.0), (13, 0.25)])
def test_unexpected_zero_constant_and_unquarantined_rows_are_found(
    row: int, value: float, shard: tuple[np.ndarray, pd.DataFrame, pd.DataFrame]
) -> None:
    vectors, rows, manifest = shard
    vectors[row] = value
    verdicts = _verdicts(vectors, rows, manifest)
    assert _failed(verdicts) == ["only_quarantined_rows_are_zero"]
    table = verdicts["only_quarantined_rows_are_zero"].details["rows"]
    assert isinstance(table, pd.DataFrame)
    assert table["row"].tolist() == [row]


def test_a_wrong_shape_or_dtype_is_found(shard: tuple[np.ndarray, pd.DataFrame, pd.DataFrame]) -> None:
    vectors, rows, manifest = shard
    wrong = (vectors[:-1], vectors[:, :-1], vectors.astype(np.float64), np.asfortranarray(vectors))
    for other in wrong:
        assert "shape_and_dtype" in _failed(_verdicts(other, rows, manifest))


def test_other_rows_than_the_manifests_are_found(
    shard: tuple[np.ndarray, pd.DataFrame, pd.DataFrame],
) -> None:
    vectors, rows, manifest = shard
    for other in (manifest.iloc[:-1], manifest.iloc[::-1], manifest.assign(file="x")):
        assert _failed(_verdicts(vectors, rows, other)) == ["rows_match_manifest"]


def test_a_row_that_occurs_twice_is_found(shard: tuple[np.ndarray, pd.DataFrame, pd.DataFrame]) -> None:
    vectors, rows, manifest = shard
    rows = rows.assign(row=rows["row"].replace(5, 4))
    assert "no_duplicate_rows" in _failed(_verdicts(vectors, rows, manifest))


def test_an_engine_that_repeats_itself_is_found_equal_images_are_not(
    shard: tuple[np.ndarray, pd.DataFrame, pd.DataFrame],
) -> None:
    vectors, rows, manifest = shard
    vectors[20:29] = vectors[20]  # row 23 is quarantined and becomes wrong too
    vectors[23] = 0
    assert _failed(_verdicts(vectors, rows, manifest)) == ["no_duplicate_rows"]
    same = rows["sha256"].to_numpy().copy()
    same[20:29] = same[20]
    same[23] = ""
    assert _failed(_verdicts(vectors, rows.assign(sha256=same), manifest)) == []


def test_an_empty_shard_passes(tmp_path: Path) -> None:
    manifest = make_manifest(40, 1)
    made = make_shard(manifest, "00", tmp_path)
    empty = _verdicts(np.zeros((0, DIM), np.float32), made.rows.iloc[:0], manifest.iloc[:0])
    assert _failed(empty) == []


def test_a_matrix_is_compared_with_rows_and_labels(tmp_path: Path) -> None:
    manifest = make_manifest(40, 3)
    merged = merge_shards(manifest, make_shards(manifest, tmp_path / "s"), "resnet18", tmp_path / "m.npy")
    mask = merged.features.valid
    good = {verdict.check: verdict for verdict in matrix_verdicts(merged, mask, np.zeros(40, np.int64))}
    assert _failed(good) == []
    assert good["finite"].details["quarantined"] == 4
    longer = np.append(mask, True)
    for other, labels in ((longer, None), (mask, np.zeros(39, np.int64)), (~mask, None)):
        assert matrix_verdicts(merged, other, labels)[0].stops


def test_train_and_test_are_compared_where_there_are_enough_rows() -> None:
    random = np.random.default_rng(0)
    train = ColumnStatistics.of(random.normal(0, 1, (2000, 16)))
    assert comparable_statistics(train, ColumnStatistics.of(random.normal(0, 1, (400, 16)))).passed
    for other in (
        random.normal(2, 1, (400, 16)),
        random.normal(0, 5, (400, 16)),
        random.normal(0, 0.1, (400, 16)),
    ):
        verdict = comparable_statistics(train, ColumnStatistics.of(other))
        assert not verdict.passed
        assert not verdict.stops, "a drift is a warning"
    few = comparable_statistics(train, ColumnStatistics.of(random.normal(9, 1, (50, 16))))
    assert few.passed
    assert "not compared" in few.summary
