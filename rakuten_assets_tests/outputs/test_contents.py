"""What does not belong together is told, with the file and the command that mends it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rakuten_assets.errors import ManifestError, StoreError
from rakuten_assets.outputs.contents import SetContents, StoredFile, belong_together, read_metadata
from rakuten_assets.outputs.index import build_index
from rakuten_assets.storage.arrays import write_array
from rakuten_assets_tests.outputs.storages import catalogue, duplicate_groups, stored_set, with_extractor


@pytest.fixture
def contents(tmp_path: Path) -> SetContents:
    return stored_set(tmp_path / "storage", extractors=("one", "two"))


def array(folder: Path, values: Any) -> StoredFile:
    path = folder / "other.npy"
    return StoredFile.array(path, write_array(path, np.asarray(values)))


def test_a_set_of_one_run_belongs_together(contents: SetContents) -> None:
    verdict = belong_together(contents)
    assert verdict.passed
    assert verdict.summary.startswith("12 train and 5 test rows, 2 extractors")


def test_each_part_of_another_set_is_found(contents: SetContents, tmp_path: Path) -> None:
    first = contents.extractors[0]
    rows = first.rows["train"]
    other = {**first.fingerprints["test"], "weights": "others"}
    cases: list[tuple[SetContents, str, str]] = [
        (
            replace(contents, labels=array(tmp_path, np.zeros(500, np.int64))),
            "train_labels.npy holds <i8 (500,), index.parquet asks for <i8 (12,)",
            "--select train_labels",
        ),
        (
            replace(contents, labels=array(tmp_path, np.zeros(12, np.int32))),
            "train_labels.npy holds <i4 (12,)",
            "--select train_labels",
        ),
        (
            replace(contents, valid={**contents.valid, "test": array(tmp_path, np.ones(6, bool))}),
            "test_valid.npy holds |b1 (6,)",
            "--select test_valid",
        ),
        (
            replace(contents, label_encoder={**contents.label_encoder, "40": 2, "2583": 1}),
            "train_labels.npy is not what label_encoder makes of the codes",
            "--select label_encoder,train_labels",
        ),
        (
            with_extractor(
                contents,
                features={**first.features, "train": array(tmp_path, np.zeros((540, 4), np.float32))},
            ),
            "train_features_one.npy holds <f4 (540, 4), index.parquet asks for <f4 (12, 4)",
            "--select one/train_feature_matrix",
        ),
        (
            with_extractor(
                contents, features={**first.features, "test": array(tmp_path, np.zeros((5, 7), np.float32))}
            ),
            "test_features_one.npy holds <f4 (5, 7)",
            "--select one/test_feature_matrix",
        ),
        (
            with_extractor(contents, rows={**first.rows, "train": rows.assign(valid=rows.index != 0)}),
            "train_features_one.npy was made of another validity mask than index.parquet lists",
            "--select one/train_feature_matrix",
        ),
        (
            with_extractor(contents, rows={**first.rows, "train": rows.iloc[::-1]}),
            "train_features_one.npy was made of other rows than index.parquet lists",
            "--select one/train_feature_matrix",
        ),
        (
            with_extractor(
                contents,
                rows={
                    **first.rows,
                    "train": rows.assign(sha256=[rows["sha256"][0], "0" * 64, *rows["sha256"][2:]]),
                },
            ),
            "train_features_one.npy was made of other image files (1, the first of imageid 1001)",
            "--select one/train_feature_matrix",
        ),
        (
            with_extractor(contents, fingerprints={**first.fingerprints, "test": other}),
            "train and test features of one are by different extractors (they differ in weights: seeded:0 or others)",
            "--select one/train_feature_matrix,one/test_feature_matrix",
        ),
        (
            with_extractor(contents, metadata={**first.metadata, "train_samples": 13}),
            "metadata_one.json says something else than the arrays do (train_samples)",
            "--select one/metadata",
        ),
        (
            with_extractor(contents, metadata={**first.metadata, "fingerprint": "0"}),
            "metadata_one.json says something else than the arrays do (fingerprint)",
            "--select one/metadata",
        ),
        (
            replace(
                contents,
                extractors=[
                    first,
                    replace(
                        contents.extractors[1],
                        metadata={**contents.extractors[1].metadata, "class_weights": []},
                    ),
                ],
            ),
            "metadata_two.json has other class weights than metadata.json",
            "--select two/metadata",
        ),
        (replace(contents, extractors=[first, first]), "extractor one is given twice", ""),
        (with_extractor(contents, name="../evil"), "cannot name a file", ""),
        (with_extractor(contents, name="valid"), "an extractor cannot be called valid", ""),
        (replace(contents, extractors=[]), "there is no extractor; set RAKUTEN_BACKBONE", ""),
    ]
    for changed, sentence, command in cases:
        verdict = belong_together(changed)
        assert not verdict.passed, sentence
        assert sentence in verdict.summary
        assert command in verdict.summary


def test_a_document_of_the_same_content_has_the_same_version(tmp_path: Path) -> None:
    first = stored_set(tmp_path / "a", timestamp="1").extractors[0].metadata_file.published
    later = stored_set(tmp_path / "b", timestamp="2").extractors[0].metadata_file.published
    other = stored_set(tmp_path / "c", seed=1).extractors[0].metadata_file.published
    assert first.content == later.content != other.content
    assert first.sha256 != later.sha256


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metadata.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"metadata\.json is not a"):
        read_metadata(tmp_path / "metadata.json")


def index_parts(rows: int = 6) -> dict[str, Any]:
    manifest = catalogue(rows, 2)
    return {
        "manifest": manifest,
        "labels": np.arange(rows) % 3,
        "valid": {"train": np.ones(rows, bool), "test": np.ones(2, bool)},
        "groups": duplicate_groups(manifest),
    }


def test_the_index_has_a_row_an_image_in_csv_order() -> None:
    index = build_index(**index_parts())
    assert index["row"].tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    assert index["split"].tolist() == ["train"] * 6 + ["test"] * 2
    assert index["label"].tolist()[:6] == [0, 1, 2, 0, 1, 2]
    assert index["label"].isna().tolist() == index["code"].isna().tolist() == [False] * 6 + [True] * 2
    assert index["near_group"].nunique() == 4


@pytest.mark.parametrize(
    ("part", "change", "asset"),
    [
        ("labels", lambda labels: labels[:-1], "train_labels"),
        ("valid", lambda valid: {**valid, "test": valid["train"]}, "test_valid"),
        ("groups", lambda groups: groups.iloc[:-1], "duplicate_groups"),
        ("groups", lambda groups: groups.iloc[::-1], "duplicate_groups"),
        ("manifest", lambda manifest: manifest.iloc[::-1], "image_manifest"),
    ],
)
def test_parts_with_other_rows_are_refused(part: str, change: Any, asset: str) -> None:
    parts = index_parts()
    parts[part] = change(parts[part])
    with pytest.raises(ManifestError, match=f"--select {asset}"):
        build_index(**parts)


def test_an_index_of_no_test_rows_has_its_types() -> None:
    manifest = catalogue(3, 0)
    index = build_index(
        manifest,
        np.arange(3),
        {"train": np.ones(3, bool), "test": np.ones(0, bool)},
        duplicate_groups(manifest),
    )
    assert index.dtypes["label"] == pd.Int64Dtype()
    assert len(index) == 3
