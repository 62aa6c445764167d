from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from upath import UPath

import rakuten_assets
from rakuten_assets.errors import ManifestError, StoreError
from rakuten_assets.outputs import publication
from rakuten_assets.outputs.index import column_descriptions
from rakuten_assets.outputs.publication import publish
from rakuten_assets_tests.outputs.storages import NOON, published, stored_set, with_extractor

FILES = [
    "index.parquet",
    "manifest.json",
    "metadata.json",
    "metadata_tiny.json",
    "test_features_tiny.npy",
    "test_valid.npy",
    "train_features_tiny.npy",
    "train_labels.npy",
    "train_valid.npy",
]


def names(root: Path | UPath) -> list[str]:
    return sorted(path.name for path in (root / "outputs").iterdir())


def content(root: Path | UPath) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "outputs").iterdir() if path.is_file()}


def test_the_set_is_plain_files_under_well_known_names(root: Path | UPath) -> None:
    done = published(root)
    assert done.changed
    assert names(root) == FILES
    assert sorted(done.placed) == [name for name in FILES if name != "manifest.json"]
    manifest = json.loads((root / "outputs" / "manifest.json").read_bytes())
    assert manifest["set"] == done.manifest.set_id
    assert manifest["rows"] == {"train": 12, "test": 5}
    assert manifest["published_at"] == "2026-01-02T12:00:00+00:00"
    assert [one["name"] for one in manifest["extractors"]] == ["tiny"]
    assert (root / "outputs" / "metadata.json").read_bytes() == (
        root / "outputs" / "metadata_tiny.json"
    ).read_bytes()


def test_plain_numpy_and_pandas_read_them(folder: Path) -> None:
    import pandas as pd
    import pyarrow.parquet as pq

    published(folder)
    outputs = folder / "outputs"
    assert np.load(outputs / "train_features_tiny.npy", mmap_mode="r").shape == (12, 4)
    index = pd.read_parquet(outputs / "index.parquet")
    assert index["split"].value_counts().to_dict() == {"train": 12, "test": 5}
    assert list(index.columns) == list(column_descriptions())
    fields = pq.read_schema(outputs / "index.parquet")
    assert {field.name: field.metadata[b"description"].decode() for field in fields} == column_descriptions()


LARGE = 30_000
"""Values a vector, so that twelve of them are more than a MiB."""


def test_on_one_file_system_a_large_array_is_not_copied(folder: Path) -> None:
    contents = stored_set(folder, dim=LARGE)
    publish(folder, contents)
    stored = contents.extractors[0].features["train"].path
    assert Path(stored).samefile(folder / "outputs" / "train_features_tiny.npy")
    # What people edit is theirs alone.
    for name in ("metadata.json", "metadata_tiny.json", "train_labels.npy"):
        assert (folder / "outputs" / name).stat().st_nlink == 1


def test_a_large_array_is_replaced_under_its_links(folder: Path) -> None:
    published(folder, dim=LARGE)
    mapped = np.load(folder / "outputs" / "train_features_tiny.npy", mmap_mode="r")
    before = np.array(mapped[:, :5])
    published(folder, dim=LARGE, seed=1)
    assert np.array_equal(mapped[:, :5], before)
    now = rakuten_assets.load(folder).train.X
    assert not np.array_equal(now[:, :5], before)
    assert not (folder / "publishing").exists()


def test_without_links_it_is_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = stored_set(folder, dim=LARGE)

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    publish(folder, contents)
    assert names(folder) == FILES
    stored = contents.extractors[0].features["train"].path
    assert not Path(stored).samefile(folder / "outputs" / "train_features_tiny.npy")
    assert len(rakuten_assets.load(folder).train) == 12


def test_an_unchanged_set_touches_no_file(root: Path | UPath) -> None:
    published(root)
    before = content(root)
    stamps = {path.name: path.stat().st_mtime for path in (root / "outputs").iterdir()}
    # Made again, at another time: the same arrays, another timestamp in the document.
    again = publish(root, stored_set(root, timestamp="2031-05-05T00:00:00+00:00"))
    assert not again.changed
    assert again.placed == again.removed == ()
    assert content(root) == before
    assert {path.name: path.stat().st_mtime for path in (root / "outputs").iterdir()} == stamps


def test_only_what_changed_is_replaced(root: Path | UPath) -> None:
    first = published(root)
    stamps = {path.name: path.stat().st_mtime for path in (root / "outputs").iterdir()}
    second = published(root, seed=1)
    changed = {"train_features_tiny.npy", "test_features_tiny.npy", "metadata.json", "metadata_tiny.json"}
    assert set(second.placed) == changed
    assert first.manifest.set_id != second.manifest.set_id
    for path in (root / "outputs").iterdir():
        if path.name not in {*changed, "manifest.json"}:
            assert path.stat().st_mtime == stamps[path.name]


def test_who_has_the_old_set_open_keeps_it(folder: Path) -> None:
    published(folder)
    old = rakuten_assets.load(folder)
    mapped = np.load(folder / "outputs" / "train_features_tiny.npy", mmap_mode="r")
    before = np.array(mapped)
    published(folder, seed=1, train_rows=20)
    assert np.array_equal(mapped, before)
    assert np.array_equal(old.train.X, before)
    assert len(old.train) == len(old.train.y) == 12
    assert len(rakuten_assets.load(folder).train) == 20


def test_a_damaged_published_file_is_put_right(root: Path | UPath) -> None:
    published(root)
    good = content(root)
    target = root / "outputs" / "train_valid.npy"
    (root / "spare").write_bytes(target.read_bytes())
    target.unlink()
    target.write_bytes(b"x" * len(good["train_valid.npy"]))
    done = publish(root, stored_set(root))
    assert done.placed == ("train_valid.npy",)
    assert {**content(root), "manifest.json": b""} == {**good, "manifest.json": b""}


def test_a_damaged_stored_file_is_never_published(root: Path | UPath) -> None:
    published(root)
    before = content(root)
    contents = stored_set(root, seed=1)
    path = contents.extractors[0].features["test"].path
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(StoreError, match=r"recorded for it.*--select tiny/test_feature_matrix"):
        publish(root, contents)
    assert content(root) == before
    assert len(rakuten_assets.load(root).train) == 12
    path.unlink()
    with pytest.raises(StoreError, match=r"is missing.*--select tiny/test_feature_matrix"):
        publish(root, contents)
    assert content(root) == before


def test_a_full_disk_leaves_the_old_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(folder)
    before = content(folder)
    contents = stored_set(folder, seed=1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publication, "copy_file", full)
    with pytest.raises(StoreError, match="No space left on device"):
        publish(folder, contents)
    assert content(folder) == before
    assert len(rakuten_assets.load(folder).train) == 12


def test_files_that_do_not_belong_together_are_not_published(root: Path | UPath) -> None:
    published(root)
    before = content(root)
    other = stored_set(root, train_rows=9)
    mixed = with_extractor(stored_set(root), features=other.extractors[0].features)
    with pytest.raises(ManifestError, match=r"nothing was published: train_features_tiny\.npy holds"):
        publish(root, mixed)
    assert content(root) == before


def test_an_extractor_that_is_left_out_stays_while_the_catalogue_does(root: Path | UPath) -> None:
    published(root, extractors=("one", "two"))
    before = content(root)
    done = published(root, extractors=("two",))
    assert [(one.name, one.configured) for one in done.manifest.extractors] == [("two", True), ("one", False)]
    assert done.removed == ()
    assert content(root)["train_features_one.npy"] == before["train_features_one.npy"]
    data = rakuten_assets.load(root)
    assert (data.extractor, data.extractors) == ("two", ("two", "one"))
    assert rakuten_assets.load(root, "one").train.X.tobytes() == before["train_features_one.npy"][128:]
    # Taken in again: its files are there.
    back = published(root, extractors=("one", "two"))
    assert set(back.placed) <= {
        "metadata.json",
        "test_features_two.npy",
        "train_features_two.npy",
        "metadata_two.json",
        "train_features_one.npy",
        "test_features_one.npy",
        "metadata_one.json",
    }
    # Another catalogue: what is left out does not belong to it.
    gone = published(root, extractors=("two",), train_rows=15)
    assert gone.manifest.names == ("two",)
    assert sorted(gone.removed) == ["metadata_one.json", "test_features_one.npy", "train_features_one.npy"]
    assert "train_features_one.npy" not in names(root)


def test_nothing_of_the_users_own_is_removed(root: Path | UPath) -> None:
    published(root, extractors=("one", "two"))
    outputs = root / "outputs"
    (outputs / "integrity_report").mkdir()
    mine = {
        "integrity_report/report.html": b"a report",
        "notes.txt": b"mine",
        "train_features_mine.npy": b"mine",
        "train_features_one.npy.bak": b"mine",
    }
    for name, text in mine.items():
        (outputs / name).write_bytes(text)
    # A published file that was replaced by something of the user's own is no longer ours.
    (outputs / "train_features_one.npy").unlink()
    (outputs / "train_features_one.npy").write_bytes(b"edited")
    done = published(root, extractors=("two",), train_rows=15)
    assert sorted(done.removed) == ["metadata_one.json", "test_features_one.npy"]
    for name, text in {**mine, "train_features_one.npy": b"edited"}.items():
        assert (outputs / name).read_bytes() == text


def test_a_damaged_manifest_is_replaced(root: Path | UPath) -> None:
    published(root)
    (root / "outputs" / "manifest.json").write_bytes(b"{")
    done = publish(root, stored_set(root), now=NOON)
    assert done.changed
    assert done.placed == ()
    assert len(rakuten_assets.load(root).train) == 12


def test_files_of_an_older_release_become_part_of_the_set(folder: Path) -> None:
    contents = stored_set(folder)
    (folder / "outputs").mkdir()
    (folder / "outputs" / "train_labels.npy").write_bytes(Path(contents.labels.path).read_bytes())
    (folder / "outputs" / "train_valid.npy").write_bytes(b"of other rows")
    stamp = (folder / "outputs" / "train_labels.npy").stat().st_mtime_ns
    done = publish(folder, contents)
    assert "train_labels.npy" not in done.placed
    assert "train_valid.npy" in done.placed
    assert (folder / "outputs" / "train_labels.npy").stat().st_mtime_ns == stamp


def test_what_a_killed_process_staged_without_a_commit_is_removed(folder: Path) -> None:
    published(folder)
    (folder / "publishing").mkdir()
    (folder / "publishing" / "train_labels.npy").write_bytes(b"half")
    assert len(rakuten_assets.load(folder).train) == 12
    assert not publish(folder, stored_set(folder)).changed
    assert not (folder / "publishing").exists()


def test_one_process_publishes_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = stored_set(folder)
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(publication, "_SECONDS_TO_WAIT", 0.1)
    with (
        FileLock(folder / "scratch" / "publication.lock"),
        pytest.raises(StoreError, match="another process has been publishing"),
    ):
        publish(folder, contents)
    assert publish(folder, contents).changed


def test_the_first_extractors_document_is_the_sets(folder: Path) -> None:
    contents = stored_set(folder, extractors=("one", "two"))
    publish(folder, contents)
    outputs = folder / "outputs"
    assert (outputs / "metadata.json").read_bytes() == (outputs / "metadata_one.json").read_bytes()
    turned = replace(contents, extractors=contents.extractors[::-1])
    assert publish(folder, turned).placed == ("metadata.json",)
    assert (outputs / "metadata.json").read_bytes() == (outputs / "metadata_two.json").read_bytes()
    assert rakuten_assets.load(folder).extractor == "two"
