import errno
import io
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing import store as store_module
from rakuten_assets.extraction.storing.segments import read_index
from rakuten_assets.extraction.storing.store import RowStore
from rakuten_assets.storage.leftovers import hold, temporary_name
from rakuten_assets.storage.reading import read_bytes

DIGEST = "d" * 64
DIM = 7


def key_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def row_of(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=DIM).astype(np.float32)


def fill(store: RowStore, numbers: range) -> None:
    store.append([key_of(number) for number in numbers], np.stack([row_of(number) for number in numbers]))


def read(store: RowStore, numbers: range) -> set[int]:
    """Read rows, check every one that comes, return the numbers of those that do not."""
    found: dict[int, np.ndarray] = {}
    lost = store.read([key_of(number) for number in numbers], lambda i, row: found.update({i: row.copy()}))
    assert set(found) | set(lost) == set(range(len(numbers)))
    assert not set(found) & set(lost)
    for i, row in found.items():
        assert np.array_equal(row, row_of(numbers[i]))
    return {numbers[i] for i in lost}


OpenStore = Callable[[], RowStore]


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    return (
        UPath(tmp_path / "rows")
        if request.param == "local"
        else UPath(f"memory://{tmp_path.name}/{id(request)}/rows")
    )


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def open_store(folder: UPath, messages: list[str]) -> OpenStore:
    return lambda: RowStore(folder, DIGEST, DIM, messages.append)


def test_rows_survive_the_process(open_store: OpenStore, messages: list[str]) -> None:
    store = open_store()
    assert len(store) == 0
    fill(store, range(20))
    fill(store, range(20, 30))
    again = open_store()
    assert len(again) == 30
    assert key_of(3) in again
    assert key_of(30) not in again
    assert read(again, range(35)) == set(range(30, 35))
    assert messages == []


def test_another_writers_rows_are_seen_after_a_refresh(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    fill(other, range(5))
    assert read(one, range(5)) == set(range(5))
    one.refresh()
    assert read(one, range(5)) == set()


def test_nothing_is_written_before_the_first_row(folder: UPath, open_store: OpenStore) -> None:
    store = open_store()
    store.append([], np.empty((0, DIM), np.float32))
    assert not folder.exists()


def test_a_damaged_row_costs_itself_alone(folder: UPath, open_store: OpenStore, messages: list[str]) -> None:
    fill(open_store(), range(10))
    (segment,) = folder.iterdir()
    content = bytearray(segment.read_bytes())
    at = content.index(row_of(4).tobytes())
    content[at + 2] ^= 1
    segment.write_bytes(bytes(content))

    store = open_store()
    assert read(store, range(10)) == {4}
    assert segment.name in messages[0]
    assert "1 of its rows" in messages[0]
    assert len(store) == 9
    fill(store, range(4, 5))
    again = open_store()
    assert read(again, range(10)) == set()
    assert len(messages) == 1
    assert sorted(path.suffix for path in folder.iterdir()) == [".damaged", ".safetensors", ".safetensors"]


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"\xff" * 100, b"\x08\0\0\0\0\0\0\0[[[[[[[["], ids=range(4)
)
def test_a_damaged_segment_is_set_aside(
    folder: UPath, open_store: OpenStore, messages: list[str], content: bytes
) -> None:
    store = open_store()
    fill(store, range(10))
    fill(store, range(10, 15))
    segment = next(iter(folder.iterdir()))
    segment.write_bytes(content)
    again = open_store()
    lost = read(again, range(15))
    assert lost in ({*range(10)}, {*range(10, 15)})
    assert "is damaged" in messages[0]
    assert f"{segment.name}.damaged" in messages[0]
    assert len(open_store()) == 15 - len(lost)
    assert len(messages) == 1


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_damage_gives_a_wrong_row(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = UPath(tmp_path_factory.mktemp("rows"))
    store = RowStore(folder, DIGEST, DIM, lambda message: None)
    fill(store, range(6))
    fill(store, range(6, 9))
    for segment in sorted(folder.iterdir(), key=lambda path: path.stat().st_size):
        content = bytearray(segment.read_bytes())
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        kept = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
        segment.write_bytes(bytes(content[:kept]))
    again = RowStore(folder, DIGEST, DIM, lambda message: None)
    lost = read(again, range(9))  # checks every row that comes
    if lost:
        again.append([key_of(i) for i in lost], np.stack([row_of(i) for i in lost]))
    assert read(RowStore(folder, DIGEST, DIM, lambda message: None), range(9)) == set()


def test_damage_that_appears_between_opening_and_reading(
    folder: UPath, open_store: OpenStore, messages: list[str]
) -> None:
    store = open_store()
    fill(store, range(10))
    (segment,) = folder.iterdir()
    segment.write_bytes(segment.read_bytes()[:250])
    assert read(store, range(10))
    assert messages


@pytest.mark.parametrize("folder", ["memory"], indirect=True)
@pytest.mark.parametrize("part", ["header", "row"])
def test_what_is_damaged_on_its_way_is_fetched_again(
    open_store: OpenStore, messages: list[str], folder: UPath, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(open_store(), range(10))
    fetched: list[bytes] = []

    def once_damaged(path: UPath) -> bytes:
        content = bytearray(read_bytes(path))
        if not fetched:
            row = read_index(io.BytesIO(content), path.name, DIGEST, DIM).features_at
            content[row if part == "row" else row // 2] ^= 1
        fetched.append(bytes(content))
        return fetched[-1]

    monkeypatch.setattr(store_module, "read_bytes", once_damaged)
    assert read(open_store(), range(10)) == set()
    assert len(fetched) > 1
    assert messages == []
    assert [path.suffix for path in folder.iterdir()] == [".safetensors"]


def test_what_another_has_merged_away_is_not_brought_back(open_store: OpenStore, folder: UPath) -> None:
    mine = open_store()
    for number in range(66):
        fill(mine, range(2 * number, 2 * number + 2))
    other = open_store()
    mine.merge_small_segments()
    other.merge_small_segments()
    assert len(list(folder.iterdir())) == 1
    for store in (mine, other, open_store()):
        assert read(store, range(132)) == set()


def test_rows_of_another_fingerprint_are_never_taken(
    folder: UPath, open_store: OpenStore, messages: list[str]
) -> None:
    other = RowStore(folder, "e" * 64, DIM, messages.append)
    fill(other, range(5))
    store = open_store()
    assert len(store) == 0
    assert "another fingerprint" in messages[0]


def test_small_segments_are_merged(
    folder: UPath, open_store: OpenStore, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_SMALL_SEGMENTS_BEFORE_MERGING", 4)
    monkeypatch.setattr(store_module, "_ROWS_OF_A_MERGED_SEGMENT", 25)
    store, reader = open_store(), open_store()
    for first in range(0, 40, 10):
        fill(store, range(first, first + 10))
    store.merge_small_segments()
    assert len(list(folder.iterdir())) == 4
    fill(store, range(40, 50))
    reader.refresh()
    store.merge_small_segments()
    assert len(list(folder.iterdir())) == 3
    assert read(store, range(50)) == set()
    # The reader still believes in the files that are gone.
    assert read(reader, range(50)) == set()
    assert read(open_store(), range(50)) == set()
    assert messages == []


def test_merging_copies_of_the_same_rows_keeps_them(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_SMALL_SEGMENTS_BEFORE_MERGING", 2)
    store = open_store()
    for _ in range(4):
        fill(store, range(10))
        store.merge_small_segments()
        assert read(open_store(), range(10)) == set()


def test_merging_leaves_a_damaged_segment_out(
    folder: UPath, open_store: OpenStore, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_SMALL_SEGMENTS_BEFORE_MERGING", 2)
    store = open_store()
    for first in range(0, 40, 10):
        fill(store, range(first, first + 10))
    segment = next(path for path in folder.iterdir() if row_of(25).tobytes() in path.read_bytes())
    content = segment.read_bytes()
    segment.write_bytes(content.replace(row_of(25).tobytes(), row_of(99).tobytes()))
    store.merge_small_segments()
    assert read(open_store(), range(40)) == {25}
    assert len(messages) == 1


def test_a_full_disk_leaves_the_store_intact(
    tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = UPath(tmp_path / "rows")
    store = RowStore(folder, DIGEST, DIM, messages.append)
    fill(store, range(10))

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreError, match=r"cannot write .*No space left on device.*intact"):
        fill(store, range(10, 20))
    monkeypatch.undo()
    assert len(list(folder.iterdir())) == 1
    again = RowStore(folder, DIGEST, DIM, messages.append)
    assert read(again, range(20)) == set(range(10, 20))
    assert messages == []


def test_temporary_files_of_dead_writers_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    dead, young, living = (folder / temporary_name(f"{name}.safetensors") for name in "xyz")
    for file in (dead, young, living):
        file.write_bytes(b"half")
    for file in (dead, living):
        os.utime(file, (1, 1))
    with living.open("rb") as held:
        hold(held.fileno())
        RowStore(UPath(folder), DIGEST, DIM, lambda message: None)
    assert not dead.exists()
    assert young.exists()
    assert living.exists()


def _write_and_merge(folder: str, first: int) -> None:
    store_module._SMALL_SEGMENTS_BEFORE_MERGING = 3
    store = RowStore(UPath(folder), DIGEST, DIM, lambda message: None)
    for number in range(first, first + 60, 3):
        fill(store, range(number, number + 3))
        store.refresh()
        store.merge_small_segments()


def test_processes_share_a_folder(tmp_path: Path, messages: list[str]) -> None:
    folder = tmp_path / "rows"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_and_merge, args=(str(folder), first)) for first in (0, 30)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    store = RowStore(UPath(folder), DIGEST, DIM, messages.append)
    assert read(store, range(90)) == set()
    assert messages == []
    assert not list(folder.glob(".*"))


def test_rows_just_appended_are_found_before_and_after_they_are_sorted_in(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_RECENT_ROWS", 8)
    store = open_store()
    for first in range(0, 60, 3):
        fill(store, range(first, first + 3))
        assert len(store) == first + 3
        assert store.contains([key_of(number) for number in range(100)]).tolist() == [
            number < first + 3 for number in range(100)
        ]
        assert read(store, range(first + 5)) == {first + 3, first + 4}


def test_a_copy_of_a_damaged_row_takes_its_place(folder: UPath, open_store: OpenStore) -> None:
    """Two processes may have computed the same rows."""
    one, other = open_store(), open_store()
    fill(one, range(6))
    fill(other, range(6))
    damaged = next(iter(folder.iterdir()))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert read(open_store(), range(6)) == set()


def test_about_is_kept_and_damage_to_it_is_told(
    folder: UPath, open_store: OpenStore, messages: list[str]
) -> None:
    store = open_store()
    assert store.about() == {}
    store.write_about({"engine": {"precision": "f32"}})
    assert open_store().about() == {"engine": {"precision": "f32"}}
    assert messages == []
    (folder / store_module.ABOUT_FILE).write_bytes(b"\xff{")
    assert open_store().about() == {}
    assert "extractor.json is damaged" in messages[0]
