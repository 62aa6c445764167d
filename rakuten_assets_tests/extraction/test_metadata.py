"""metadata.json: the document's keys, JSON to the last value, and a version that ignores the time of making."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rakuten_assets.extraction.metadata import (
    METADATA_KEYS,
    column_statistics,
    content_version,
    describe_outputs,
    fingerprint_digest,
    metadata_verdict,
    weights_note,
    weights_sha256,
)
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.settings import Settings
from rakuten_assets.storage.arrays import ArrayRecord

FINGERPRINT = {"backbone": "efficientnet_b0", "weights": "sha256:abc", "feature_dim": 3}


def _matrix(rows: int, bad: int, **fingerprint: Any) -> FeatureArray:
    valid = np.arange(rows) >= bad
    vectors = np.where(valid[:, None], np.arange(rows * 3).reshape(rows, 3), 0).astype(np.float32)
    rows_of = pd.DataFrame({"row": np.arange(rows), "valid": valid})
    record = ArrayRecord("<f4", vectors.shape, vectors.nbytes, "0" * 64)
    return FeatureArray(vectors, rows_of, {**FINGERPRINT, **fingerprint}, record, "made of")


def _scan() -> pd.DataFrame:
    rows = [
        ("train", "unreadable", "empty"),
        ("train", "missing", "missing"),
        ("train", "ok", "trailing_bytes"),
    ]
    rows += [("test", "unreadable", "truncated"), ("test", "ok", "")]
    return pd.DataFrame(rows, columns=["split", "status", "reason"])


def _document(now: datetime | None = None, **settings: Any) -> dict[str, Any]:
    return describe_outputs(
        Settings(**settings),
        _matrix(8, 2),
        _matrix(5, 1),
        {"10": 0, "40": 1},
        np.array([0.5, 2.0]),
        _scan(),
        now,
    )


def test_the_documents_keys_and_more_are_there_as_plain_json() -> None:
    document = json.loads(json.dumps(_document(), allow_nan=False))
    assert list(document)[: len(METADATA_KEYS)] == list(METADATA_KEYS)
    assert (document["model"], document["feature_dim"]) == ("efficientnet_b0", 3)
    assert (document["train_samples"], document["test_samples"], document["num_classes"]) == (8, 5, 2)
    assert document["class_weights"] == [0.5, 2.0]
    assert document["quarantined"] == {"train": {"empty": 1, "missing": 1}, "test": {"truncated": 1}}
    assert document["weights_sha256"] == "abc"
    assert document["fingerprint"] == fingerprint_digest(FINGERPRINT)
    assert document["packages"].keys() >= {"numpy", "openvino", "torch", "rakuten_assets"}
    assert document["settings"]["shards"] == 16
    assert "storage" not in document["settings"]


def test_the_time_of_making_is_kept_and_is_no_part_of_the_version() -> None:
    early, late = (_document(datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC)) for year in (2020, 2021))
    assert early["timestamp"] == "2020-01-02T03:04:05+00:00"
    assert early != late
    assert content_version(early) == content_version(late)
    other = {**early, "class_weights": [1.0, 1.0]}
    assert content_version(other) != content_version(early)


def test_counts_that_disagree_are_found() -> None:
    document = _document()
    assert metadata_verdict(document, _matrix(8, 2), _matrix(5, 1)).passed
    for train, test, expected in (
        (_matrix(8, 3), _matrix(5, 1), "2 images are quarantined by the scan, 3 by the matrix's mask"),
        (_matrix(8, 2), _matrix(5, 1, weights="sha256:x"), "different extractors"),
    ):
        verdict = metadata_verdict(document, train, test)
        assert verdict.stops
        assert expected in verdict.summary
    del document["timestamp"]
    assert "key timestamp is missing" in metadata_verdict(document, _matrix(8, 2), _matrix(5, 1)).summary


@pytest.mark.parametrize(
    ("weights", "digest", "note"),
    [
        ("sha256:abc", "abc", "abc"),
        ("seeded:b0:recipe 1", None, "SEEDED"),
        ("fine_tuned:sha256:abc", "abc", "those of the customary split and of cross-validation are not"),
    ],
)
def test_what_the_weights_are_is_said(weights: str, digest: str | None, note: str) -> None:
    assert weights_sha256({"weights": weights}) == digest
    assert note in weights_note({"weights": weights})


@pytest.mark.parametrize("block", [1, 3, 100])
def test_statistics_are_those_of_valid_rows(block: int) -> None:
    matrix = _matrix(8, 2)
    statistics = column_statistics(matrix, block)
    np.testing.assert_allclose(statistics.mean, matrix.array[2:].mean(axis=0))
    np.testing.assert_allclose(statistics.std, matrix.array[2:].std(axis=0))


def test_settings_that_say_where_are_left_out(tmp_path: Path) -> None:
    document = _document(storage=str(tmp_path), data_dir=str(tmp_path), weights=str(tmp_path / "b0.pth"))
    assert str(tmp_path) not in json.dumps(document)
    assert document["settings"]["weights"] == "b0.pth"
