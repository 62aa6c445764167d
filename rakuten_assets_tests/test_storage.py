"""The storage's folders: names that stay inside, one shard count, scratch space that leaves nothing behind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.errors import SettingsError, StoreError
from rakuten_assets.storage import Storage, safe_name, scratch_folder


@given(name=st.text(max_size=12))
def test_a_name_that_is_accepted_stays_inside_its_folder(name: str) -> None:
    try:
        accepted = safe_name(name, "name")
    except StoreError:
        return
    path = os.path.normpath(os.path.join("/storage/assets", accepted))  # noqa: PTH118 - what an OS makes of it
    assert os.path.dirname(path) == "/storage/assets"  # noqa: PTH120
    assert accepted == name


@pytest.mark.parametrize("name", ["03", "a..b", "FR-fr", "é", "a b", "2024-01-01", "x.y"])
def test_plain_names_are_accepted(name: str) -> None:
    assert safe_name(name, "name") == name


def test_every_asset_has_a_folder_of_its_own(tmp_path: Path) -> None:
    storage = Storage(UPath(tmp_path), 2)
    assert storage.asset_file(["a"], None, ".npy") == tmp_path / "assets" / "a" / "a.npy"
    assert storage.asset_file(["a", "b"], "01", ".npy") == tmp_path / "assets" / "a" / "b" / "01.npy"
    assert storage.output_file("x.npy") == tmp_path / "outputs" / "x.npy"
    with pytest.raises(StoreError, match="published name"):
        storage.output_file("../x.npy")


@pytest.mark.parametrize("root", ["folder", "bucket"])
def test_a_storage_keeps_its_shard_count(root: str, tmp_path: Path) -> None:
    place = UPath(tmp_path) if root == "folder" else UPath(f"memory://claims{tmp_path}")
    Storage(place, 16).claim()
    Storage(place, 16).claim()
    with pytest.raises(SettingsError, match=r"RAKUTEN_SHARDS=4, but .* holds assets in 16 shards") as caught:
        Storage(place, 4).claim()
    for way_out in ("set RAKUTEN_SHARDS back", "RAKUTEN_STORAGE", "remove"):
        assert way_out in str(caught.value)
    Storage(place, 16).claim()


@pytest.mark.parametrize("content", ["", "{", "\x00\xff", "[]", "3", '{"version": 99, "shards": 2}', "{}"])
def test_a_damaged_or_foreign_layout_is_told(content: str, tmp_path: Path) -> None:
    layout = tmp_path / "assets" / "layout.json"
    layout.parent.mkdir()
    layout.write_text(content)
    with pytest.raises((StoreError, SettingsError), match="remove"):
        Storage(UPath(tmp_path), 2).claim()
    assert layout.read_text() == content


def test_scratch_space_is_private_and_gone_at_the_end(tmp_path: Path) -> None:
    with scratch_folder(UPath(tmp_path)) as one, scratch_folder(UPath(tmp_path)) as two:
        assert one != two
        assert one.is_dir()
        (one / "a").write_text("x")
    assert not list((tmp_path / "scratch").iterdir())
    with pytest.raises(RuntimeError), scratch_folder(tmp_path):
        raise RuntimeError
    assert not list((tmp_path / "scratch").iterdir())


def test_what_a_killed_process_left_is_removed_what_others_use_is_not(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    host = "".join(character for character in socket.gethostname() if character.isalnum())[:40]
    left = tmp_path / "scratch" / f"{host}-{int(ended.stdout)}-00000000"
    mine = tmp_path / "scratch" / f"{host}-{os.getpid()}-00000000"
    elsewhere = tmp_path / "scratch" / f"another-{int(ended.stdout)}-00000000"
    for folder in (left, mine, elsewhere):
        folder.mkdir(parents=True)
        (folder / "x.npy").write_bytes(b"x")
    with scratch_folder(tmp_path):
        pass
    assert (left.exists(), mine.exists(), elsewhere.exists()) == (False, True, True)


def test_a_bucket_has_its_scratch_space_on_the_local_disk() -> None:
    with scratch_folder(UPath("memory://bucket")) as folder:
        (folder / "a").write_text("x")
    assert not folder.exists()


def test_the_layout_is_plain_json(tmp_path: Path) -> None:
    Storage(UPath(tmp_path), 3).claim()
    assert json.loads((tmp_path / "assets" / "layout.json").read_text()) == {"version": 1, "shards": 3}
