"""What the last run of everything was made of and left, and every way in which that can be no longer so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from rakuten_assets.outputs.whole_run import (
    WholeRun,
    changes_since,
    files_left,
    keep_whole_run,
    last_whole_run,
    whole_run_file,
)
from rakuten_assets.storage import Storage
from rakuten_assets.storage.records import read_record, write_record

RUN = WholeRun(
    run="8d2f",
    ended="2026-01-02 03:04 UTC",
    code="c0de",
    settings={"RAKUTEN_SHARDS": "16", "RAKUTEN_CROP": "none", "RAKUTEN_WEIGHTS": ""},
    extractors={"resnet18": "1", "swin_t": "2"},
    files={"x_train_csv": "a", "train_images": "b"},
    assets=["x_train", "resnet18/metadata"],
    left={f"assets/x_train/{number}.parquet": f"{number} 1" for number in range(6)},
    told=["rows: 3", "warnings: none"],
)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(UPath(tmp_path / "storage"), 16)


def test_a_run_is_kept_as_it_was(storage: Storage) -> None:
    assert last_whole_run(storage) is None
    keep_whole_run(storage, RUN)
    assert last_whole_run(storage) == RUN
    keep_whole_run(storage, replace(RUN, run="another"))
    assert last_whole_run(storage) == replace(RUN, run="another")


def test_a_record_that_is_not_what_was_written_is_none(storage: Storage) -> None:
    keep_whole_run(storage, RUN)
    file = whole_run_file(storage)
    whole = file.read_bytes()
    for content in (whole.replace(b"c0de", b"c1de"), whole[:100], b"", b"[]", b"{}"):
        file.write_bytes(content)
        assert last_whole_run(storage) is None


@pytest.mark.parametrize(
    "change",
    [
        {"left": None},
        {"left": ["a"]},
        {"told": "text"},
        {"settings": {"RAKUTEN_SHARDS": 16}},
        {"more": 1},
        {"run": 7},
    ],
)
def test_a_record_of_another_shape_is_none(storage: Storage, change: dict[str, Any]) -> None:
    keep_whole_run(storage, RUN)
    write_record(whole_run_file(storage), {**read_record(whole_run_file(storage)), **change})
    assert last_whole_run(storage) is None


def test_nothing_has_changed_where_all_is_as_it_was() -> None:
    assert changes_since(RUN, RUN) == []
    # When it is looked at, there is no run, and whatever else lies there is not the run's.
    more = {**RUN.left, "outputs/notes.txt": "1 1"}
    assert changes_since(RUN, replace(RUN, run="", ended="", told=[], assets=[], left=more)) == []


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (
            {"settings": {**RUN.settings, "RAKUTEN_SHARDS": "8"}},
            ["RAKUTEN_SHARDS was 16 and is 8"],
        ),
        (
            {"settings": {**RUN.settings, "RAKUTEN_WEIGHTS": "seeded", "RAKUTEN_NEW": "1"}},
            ["RAKUTEN_NEW was unset and is 1", "RAKUTEN_WEIGHTS was unset and is seeded"],
        ),
        ({"code": "other"}, ["the code, a package that it needs or the kind of processor is another one"]),
        ({"code": ""}, ["the code, a package that it needs or the kind of processor is another one"]),
        (
            {"extractors": {"resnet18": "1", "swin_t": "3"}},
            ["the extractor of swin_t is another one (weights, engine or kernels)"],
        ),
        (
            {"extractors": {"resnet18": "", "swin_t": "2"}},
            ["the extractor of resnet18 is another one (weights, engine or kernels)"],
        ),
        ({"files": {**RUN.files, "train_images": "c"}}, ["train_images changed"]),
        ({"files": {"x_train_csv": "a"}}, ["train_images changed"]),
        (
            {"left": {name: version for name, version in RUN.left.items() if "/0" not in name}},
            ["assets/x_train/0.parquet in the storage: missing"],
        ),
        (
            {"left": {name: f"{version}!" for name, version in RUN.left.items()}},
            [
                "assets/x_train/0.parquet, assets/x_train/1.parquet, assets/x_train/2.parquet and 3 more in the "
                "storage: not what the run left"
            ],
        ),
    ],
)
def test_each_change_is_told(change: dict[str, Any], reasons: list[str]) -> None:
    assert changes_since(RUN, replace(RUN, **change)) == reasons


def test_what_no_version_is_known_of_may_have_changed() -> None:
    unknown = replace(RUN, left={**RUN.left, "assets/x_train/1.parquet": ""})
    assert changes_since(unknown, unknown) == [
        "assets/x_train/1.parquet in the storage: of a store that tells no versions"
    ]
    without_extractor = replace(RUN, extractors={"resnet18": ""})
    assert changes_since(without_extractor, without_extractor) != []


def test_what_a_run_leaves_is_what_lies_in_assets_and_outputs(storage: Storage) -> None:
    for name in ("assets/x/0.parquet", "outputs/deep/r.html", "cache/rows/1", "synthetic/x.csv", "scratch/y"):
        (storage.root / name).parent.mkdir(parents=True, exist_ok=True)
        (storage.root / name).write_bytes(b"1")
    assert sorted(files_left(storage)) == ["assets/x/0.parquet", "outputs/deep/r.html"]
