from __future__ import annotations

import hashlib
import importlib
import json
import os
import pydoc
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from upath import UPath

import rakuten_assets
from rakuten_assets.errors import SettingsError, StoreError
from rakuten_assets.outputs import loading, reading
from rakuten_assets.outputs.loading import verify_set
from rakuten_assets_tests.outputs.storages import CODES, published, stored_set, with_pictures

PUBLISH = re.escape("dagster asset materialize -m rakuten_assets.definitions --select outputs")


def test_row_i_is_the_same_image_in_everything(root: Path | UPath) -> None:
    contents = stored_set(root)
    published(root)
    data = rakuten_assets.load(root)
    for split, rows in ((data.train, 12), (data.test, 5)):
        parts: list[Any] = [split, split.X, split.ids, split.valid, split.groups, split.frame]
        assert {len(part) for part in parts} == {rows}
        of_split = contents.index[contents.index["split"] == split.split].reset_index(drop=True)
        assert split.frame.equals(of_split)
        assert split.ids.tolist() == of_split["image_id"].tolist()
        assert split.valid.tolist() == of_split["valid"].tolist() == [row != 3 for row in range(rows)]
        assert split.groups.tolist() == of_split["near_group"].tolist()
        assert (split.X.dtype, split.X.shape) == (np.float32, (rows, 4))
        assert not split.X[3].any()
    assert (data.train.y.dtype, data.train.y.tolist()) == (np.int64, [0, 1, 2] * 4)
    assert data.frame.equals(contents.index)


def test_a_local_matrix_is_mapped_and_nothing_can_be_written_to(folder: Path) -> None:
    published(folder)
    data = rakuten_assets.load(folder)
    assert isinstance(data.train.X, np.memmap)
    for name in ("X", "y", "ids", "valid", "groups"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(data.train, name)[0] = 0
    frame = data.train.frame
    frame.loc[0, "image_id"] = -1
    assert data.train.frame["image_id"].iloc[0] == 1000


def test_what_goes_with_the_arrays(folder: Path) -> None:
    published(folder, extractors=("one", "two"))
    data = rakuten_assets.load(folder)
    assert data.label_encoder == {code: label for label, code in enumerate(CODES)}
    assert data.class_weights.tolist() == [1.0, 1.0, 1.0]
    assert data.class_weights.dtype == np.float64
    assert data.extractors == ("one", "two")
    assert (data.extractor, data.metadata["model"]) == ("one", "one")
    other = rakuten_assets.load(folder, extractor="two")
    assert (other.extractor, other.metadata["model"], other.test.X.shape) == ("two", "two", (5, 5))
    assert other.manifest.set_id == data.manifest.set_id


def test_the_representation_says_what_is_there(folder: Path) -> None:
    published(folder, extractors=("one", "two"))
    shown = repr(rakuten_assets.load(folder, "two"))
    for text in (
        "extractor two (also: one)",
        "12 rows",
        "(12, 5)",
        "3 classes",
        "1 invalid",
        "6 groups",
        "SEEDED",
    ):
        assert text in shown
    assert len(shown.splitlines()) == 5


def test_test_rows_have_no_y_and_are_told_what_to_do_instead(folder: Path) -> None:
    published(folder)
    with pytest.raises(StoreError, match=r"the test split has no y.*hold out rows of `.train`, by `groups`"):
        rakuten_assets.load(folder).test.y  # noqa: B018


def test_the_storage_can_be_named_in_any_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    published(folder)
    wanted = rakuten_assets.load(folder).manifest.set_id
    monkeypatch.setenv("HOME", str(tmp_path))
    ways = [str(folder), UPath(folder), f"file://{folder}", "storage", "~/storage", folder / "outputs"]
    for way in ways:
        assert rakuten_assets.load(way).manifest.set_id == wanted
    assert rakuten_assets.load().manifest.set_id == wanted
    moved = tmp_path / "moved"
    folder.rename(moved)
    monkeypatch.setenv("RAKUTEN_STORAGE", str(moved))
    assert rakuten_assets.load().manifest.set_id == wanted
    shutil.copytree(moved / "outputs", tmp_path / "copy")
    assert rakuten_assets.load(tmp_path / "copy").manifest.set_id == wanted


def test_a_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAKUTEN_SHARDS", "many")
    with pytest.raises(SettingsError, match="RAKUTEN_SHARDS"):
        rakuten_assets.load()


def test_what_is_not_there_is_told_with_the_command_that_makes_it(folder: Path) -> None:
    everything = r"--select '\*' --partition-range 00\.\.\.15"
    with pytest.raises(StoreError, match=rf"does not exist.*{everything}"):
        rakuten_assets.load(folder)
    folder.mkdir()
    with pytest.raises(StoreError, match=rf"nothing is published in .* yet.*{everything}.*{PUBLISH}"):
        rakuten_assets.load(folder)
    (folder / "assets").mkdir()
    (folder / "assets" / "layout.json").write_text('{"version": 1, "shards": 3}')
    with pytest.raises(StoreError, match=r"--partition-range 00\.\.\.02"):
        rakuten_assets.load(folder)
    with pytest.raises(StoreError, match="is a file, not a folder"):
        rakuten_assets.load(folder / "assets" / "layout.json")
    (folder / "outputs").mkdir()
    (folder / "outputs" / "metadata.json").write_text("{}")
    with pytest.raises(StoreError, match=rf"by an older release, and may not belong together.*{PUBLISH}"):
        rakuten_assets.load(folder)


def test_an_unknown_extractor_is_told_with_those_that_there_are(root: Path | UPath) -> None:
    published(root, extractors=("one", "two"))
    with pytest.raises(
        StoreError, match=r"'three' is not in .*; published are: one, two\. .*RAKUTEN_BACKBONE"
    ):
        rakuten_assets.load(root, "three")


def test_a_changed_byte_in_any_file_is_found(root: Path | UPath) -> None:
    published(root, extractors=("one", "two"))
    random = np.random.default_rng(0)
    outputs = root / "outputs"
    names = sorted(path.name for path in outputs.iterdir())
    assert len(names) == 12
    for name in names:
        path = outputs / name
        whole = path.read_bytes()
        for place in {0, len(whole) - 1, *random.integers(0, len(whole), 4).tolist()}:
            changed = bytearray(whole)
            changed[place] ^= int(random.integers(1, 256))
            path.write_bytes(bytes(changed))
            with pytest.raises(StoreError, match=rf"{re.escape(name)} .*{PUBLISH}"):
                verify_set(root)
            if "two" not in name:
                with pytest.raises(StoreError, match=re.escape(name)):
                    rakuten_assets.load(root)
        path.write_bytes(whole)
    verify_set(root)


def test_a_file_that_is_cut_longer_missing_or_anothers_is_found_without_reading_it(
    root: Path | UPath,
) -> None:
    published(root)
    path = root / "outputs" / "train_features_tiny.npy"
    whole = path.read_bytes()
    for content in (
        whole[:-1],
        whole + b"0",
        b"",
        (root / "outputs" / "test_features_tiny.npy").read_bytes(),
    ):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=rf"train_features_tiny\.npy has .* bytes; .*{PUBLISH}"):
            rakuten_assets.load(root, verify=False)
    # The same size, another shape.
    path.write_bytes(whole.replace(b"(12, 4), ", b"(4, 12), "))
    with pytest.raises(StoreError, match=r"holds <f4 \(4, 12\); the manifest of the set says <f4 \(12, 4\)"):
        rakuten_assets.load(root, verify=False)
    path.unlink()
    with pytest.raises(StoreError, match=rf"train_features_tiny\.npy is missing\. .*{PUBLISH}"):
        rakuten_assets.load(root, verify=False)


def test_a_pickle_is_never_loaded(folder: Path) -> None:
    published(folder)
    np.save(folder / "outputs" / "train_labels.npy", np.array([{}] * 12, dtype=object), allow_pickle=True)
    for verify in (True, False):
        with pytest.raises(StoreError, match=r"train_labels\.npy"):
            rakuten_assets.load(folder, verify=verify)


def test_what_was_verified_once_is_read_again_only_if_it_was_touched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(folder)
    monkeypatch.setattr(reading, "is_settled", lambda _: True)
    path = folder / "outputs" / "train_features_tiny.npy"
    rakuten_assets.load(folder)
    hashed: list[int] = []

    class Digest:
        def __init__(self) -> None:
            self._whole = hashlib.sha256()

        def update(self, piece: bytes) -> None:
            hashed.append(len(piece))
            self._whole.update(piece)

        def hexdigest(self) -> str:
            return self._whole.hexdigest()

    with monkeypatch.context() as counting:
        counting.setattr(reading, "hashlib", SimpleNamespace(sha256=Digest))
        rakuten_assets.load(folder)
    assert hashed == []
    stamp = path.stat()
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(StoreError, match=r"train_features_tiny\.npy does not have the sha256"):
        rakuten_assets.load(folder)


def test_a_file_changed_within_one_tick_of_the_clock_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(folder)
    path = folder / "outputs" / "train_features_tiny.npy"
    whole, stamp = path.read_bytes(), path.stat()
    # A file system whose clock stands still: no change shows in the times.
    real, inode = os.fstat, stamp.st_ino
    monkeypatch.setattr(os, "fstat", lambda file: stamp if real(file).st_ino == inode else real(file))
    rakuten_assets.load(folder)
    with path.open("rb+") as file:
        file.write(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreError, match=r"train_features_tiny\.npy does not have the sha256"):
        rakuten_assets.load(folder)


def test_damage_that_is_not_verified_is_the_projects_own_error(folder: Path) -> None:
    published(folder)
    random = np.random.default_rng(1)
    refused = 0
    for path in sorted((folder / "outputs").iterdir()):
        whole = path.read_bytes()
        near_start = random.integers(0, min(len(whole), 128), 25)
        for place in [*near_start.tolist(), *random.integers(0, len(whole), 25).tolist()]:
            changed = bytearray(whole)
            changed[place] ^= int(random.integers(1, 256))
            path.write_bytes(bytes(changed))
            try:
                rakuten_assets.load(folder, verify=False)
            except StoreError as error:
                assert path.name in str(error)
                refused += 1
        path.write_bytes(whole)
    assert refused > 100


def test_readers_see_one_set_or_the_other_while_it_is_replaced(folder: Path) -> None:
    options = [{"train_rows": 12, "seed": 0}, {"train_rows": 15, "seed": 1}]
    wanted = set()
    for chosen in options:
        published(folder, **chosen)
        data = rakuten_assets.load(folder)
        wanted.add((data.train.X.tobytes(), data.train.y.tobytes(), data.train.frame.to_csv()))
    stop, failures = threading.Event(), []

    def replace_in_turn() -> None:
        turn = 0
        try:
            while not stop.is_set():
                published(folder, **options[turn % 2])
                turn += 1
        except Exception as error:
            failures.append(error)

    writer = threading.Thread(target=replace_in_turn)
    writer.start()
    seen = set()
    try:
        for number in range(60):
            data = rakuten_assets.load(folder, verify=bool(number % 2))
            seen.add((data.train.X.tobytes(), data.train.y.tobytes(), data.train.frame.to_csv()))
    finally:
        stop.set()
        writer.join()
    assert failures == []
    assert seen <= wanted


def test_a_set_that_is_replaced_between_two_looks_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(folder)
    opened = loading._open
    tries = []

    def replaced_meanwhile(*arguments: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            found = opened(*arguments)
            published(folder, seed=1, train_rows=15)
            return found
        return opened(*arguments)

    monkeypatch.setattr(loading, "_open", replaced_meanwhile)
    assert len(rakuten_assets.load(folder, verify=False).train) == 15
    assert len(tries) == 2


def test_files_of_the_same_look_from_another_set_are_refused(folder: Path, tmp_path: Path) -> None:
    published(folder)
    published(tmp_path / "other", seed=1)
    for name in ("train_features_tiny.npy", "test_features_tiny.npy"):
        shutil.copy(tmp_path / "other" / "outputs" / name, folder / "outputs" / name)
    with pytest.raises(StoreError, match=rf"train_features_tiny\.npy does not have the sha256.*{PUBLISH}"):
        rakuten_assets.load(folder)


def test_neither_dagster_nor_torch_is_imported(folder: Path) -> None:
    with_pictures(folder)
    code = """
        import sys
        import rakuten_assets
        assert not {"numpy", "pandas", "pydantic"} & set(sys.modules), "import rakuten_assets alone must be cheap"
        data = rakuten_assets.load(sys.argv[1])
        data.train.X.mean(); data.train.y.max(); data.frame; repr(data)
        product = data.product(imageid=1004)
        product.picture, product.scan, data.images(code=40)._repr_jpeg_()
        heavy = {"dagster", "torch", "torchvision", "openvino", "sklearn", "scipy", "matplotlib", "numba"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        data.train.torch()
        assert "torch" in sys.modules and "dagster" not in sys.modules
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_shows_how_it_is_used() -> None:
    shown = pydoc.plain(pydoc.render_doc(rakuten_assets))
    for text in (
        "data = rakuten_assets.load()",
        "StratifiedGroupKFold",
        "data.train.torch()",
        "RAKUTEN_STORAGE",
        "Raises:",
    ):
        assert text in shown


def examples(documentation: str) -> list[str]:
    """The indented blocks of a docstring."""
    text = documentation.partition("\n")[2]
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", textwrap.dedent(text), flags=re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def test_the_examples_of_the_package_run(folder: Path) -> None:
    with_pictures(folder, train_rows=60)
    names: dict[str, Any] = {}
    blocks = examples(importlib.import_module("rakuten_assets").__doc__ or "")
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block.replace("1263597046", "1004"), "rakuten_assets", "exec"), names)
    assert names["score"] > 0.9
    groups, fit, held_out = (names[name] for name in ("groups", "fit", "held_out"))
    assert not set(groups[fit]) & set(groups[held_out])
    assert len(fit) + len(held_out) == 59
    assert names["product"].picture.size == (40, 30)
    assert len(names["x"].shape) == 2


def test_the_manifest_is_readable_by_people(folder: Path) -> None:
    published(folder)
    manifest = json.loads((folder / "outputs" / "manifest.json").read_text())
    listed = manifest["files"]["train_features_tiny.npy"]
    path = folder / "outputs" / "train_features_tiny.npy"
    assert (listed["bytes"], listed["dtype"], listed["shape"]) == (path.stat().st_size, "<f4", [12, 4])
