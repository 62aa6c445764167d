"""The storage's folders: names that stay inside, one shard count, scratch space that leaves nothing behind."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.errors import SettingsError, StoreError, WriteError
from rakuten_assets.storage import LAYOUT_VERSION, Storage, safe_name, scratch_folder
from rakuten_assets.storage.leftovers import hold, temporary_name
from rakuten_assets.storage.records import write_record


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


_HOLD_A_FOLDER = """
import sys, time
from pathlib import Path
from rakuten_assets.storage import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "x.npy").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(60)
"""


def _holder(root: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD_A_FOLDER, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed_what_others_use_is_not(tmp_path: Path) -> None:
    living, used = _holder(tmp_path)
    killed, left = _holder(tmp_path)
    killed.kill()
    killed.wait()
    try:
        assert left.exists()
        with scratch_folder(tmp_path) as mine:
            assert sorted((tmp_path / "scratch").iterdir()) == sorted([used, mine])
            with scratch_folder(tmp_path):
                assert mine.exists()
        assert (used / "x.npy").exists()
    finally:
        living.kill()
        living.wait()


@pytest.mark.parametrize(
    "name", ["0badb007-0123456789ab", "host-1-0badcafe", ".0badb007-0123456789ab.partial"]
)
def test_what_another_machine_left_is_removed_after_a_day(name: str, tmp_path: Path) -> None:
    """Its locks may not be visible here, and its process ids mean nothing here."""
    folder = tmp_path / "scratch" / name
    folder.mkdir(parents=True)
    for file in (folder / ".lock", folder / "x.npy"):
        file.write_bytes(b"x")
    with scratch_folder(tmp_path):
        assert folder.exists()
    for path in (folder / ".lock", folder):
        os.utime(path, (1, 1))
    with scratch_folder(tmp_path):
        assert folder.exists()  # Something in it has just been written.
    for path in (folder / "x.npy", folder):
        os.utime(path, (1, 1))
    with scratch_folder(tmp_path):
        assert not folder.exists()


def test_unfinished_files_of_killed_writers_are_removed_everywhere(tmp_path: Path) -> None:
    storage = Storage(UPath(tmp_path), 2)
    storage.claim()
    folders = [
        storage.outputs,
        storage.assets / "image_scan",
        storage.cache / "rows" / "d",
        storage.cache / "models",
    ]
    left, used, young, foreign = [], [], [], []
    with ExitStack() as held:
        for folder in folders:
            folder.mkdir(parents=True)
            for files in (left, used, young):
                files.append(Path(folder) / temporary_name("x.npy"))
            foreign.append(Path(folder) / ".x.npy.123.0badcafe.partial")
        for path in (*left, *used, *young, *foreign):
            path.write_bytes(b"half")
        for path in (*left, *used, *foreign):
            os.utime(path, (time.time() - 60, time.time() - 60))
        for path in used:
            hold(held.enter_context(path.open("rb")).fileno())
        storage.claim()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in (*used, *young, *foreign))


def test_of_first_runs_at_once_one_wins_and_the_others_keep_to_it(tmp_path: Path) -> None:
    for attempt in range(10):
        root = UPath(tmp_path / str(attempt))
        barrier = threading.Barrier(6)
        won: list[int] = []
        refused: list[str] = []

        def claim(shards: int, root: UPath = root, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                if Storage(root, shards).claim():
                    won.append(shards)  # noqa: B023 - joined below
            except SettingsError as error:
                refused.append(str(error))  # noqa: B023

        threads = [threading.Thread(target=claim, args=(shards,)) for shards in range(1, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert len(refused) == 5
        assert all(f"holds assets in {won[0]} shards" in message for message in refused)
        assert [path.name for path in (root / "assets").iterdir()] == ["layout.json"]


@pytest.mark.parametrize("root", ["folder", "bucket"])
def test_a_claim_says_whether_the_storage_is_new(root: str, tmp_path: Path) -> None:
    place = UPath(tmp_path) if root == "folder" else UPath(f"memory://news{tmp_path}")
    assert [Storage(place, 4).claim() for _ in range(3)] == [True, False, False]


def test_assets_whose_layout_was_lost_are_not_taken_for_a_new_storage(tmp_path: Path) -> None:
    storage = Storage(UPath(tmp_path), 4)
    storage.claim()
    (tmp_path / "assets" / "image_scan").mkdir()
    storage.layout_file.unlink()
    with pytest.raises(StoreError, match=r"layout.json is missing, though .* holds image_scan.*remove"):
        storage.claim()
    assert not storage.layout_file.exists()


def test_a_newer_format_is_refused_with_a_sentence(tmp_path: Path) -> None:
    storage = Storage(UPath(tmp_path), 4)
    for write in (
        lambda layout: write_record(storage.layout_file, layout),
        lambda layout: storage.layout_file.write_text(json.dumps(layout)),
    ):
        storage.assets.mkdir(exist_ok=True)
        write({"version": LAYOUT_VERSION + 1, "shards": 4})
        with pytest.raises(StoreError, match=r"format 3 by a newer release.*Install that release, or point"):
            storage.claim()


def test_the_format_of_release_0_1_0_is_refused_with_the_command_that_upgrades_it(tmp_path: Path) -> None:
    storage = Storage(UPath(tmp_path), 4)
    storage.assets.mkdir()
    storage.layout_file.write_text('{"version": 1, "shards": 4}\n')
    with pytest.raises(StoreError, match=r"python -m rakuten_assets\.upgrade"):
        storage.claim()


def test_a_storage_that_cannot_be_written_is_named_with_setting_and_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WriteError, match=r"file/storage/assets.* cannot be written: .*RAKUTEN_STORAGE"):
        Storage(UPath(tmp_path / "file" / "storage"), 2).claim()
    with (
        pytest.raises(WriteError, match=r"file/scratch cannot be written: .*RAKUTEN_STORAGE"),
        scratch_folder(tmp_path / "file"),
    ):
        pytest.fail("there is no such folder")


def test_a_bucket_has_its_scratch_space_on_the_local_disk() -> None:
    with scratch_folder(UPath("memory://bucket")) as folder:
        (folder / "a").write_text("x")
    assert not folder.exists()


def test_the_layout_is_plain_json(tmp_path: Path) -> None:
    Storage(UPath(tmp_path), 3).claim()
    layout = json.loads((tmp_path / "assets" / "layout.json").read_text())
    assert set(layout) == {"version", "shards", "checksum"}
    assert (layout["version"], layout["shards"]) == (LAYOUT_VERSION, 3)
