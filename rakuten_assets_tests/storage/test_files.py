from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.errors import WriteError
from rakuten_assets.storage.arrays import StagedArray, move_array, stage_array, write_array
from rakuten_assets.storage.files import (
    atomic_file,
    atomic_path,
    create_bytes,
    is_local,
    move_file,
    sha256_of_bytes,
    sha256_of_file,
    write_bytes,
)
from rakuten_assets.storage.leftovers import temporary_name
from rakuten_assets.storage.records import write_record
from rakuten_assets.storage.tables import write_table
from rakuten_assets_tests.closing_store import ClosingStore, new_bucket


class Interruption(Exception):
    """Stands for whatever goes wrong inside the block."""


@pytest.fixture
def bucket() -> UPath:
    return UPath(f"memory://{uuid.uuid4().hex}")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_write_makes_its_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "x.npy", b"one")
    write_bytes(UPath(tmp_path) / "a" / "b" / "x.npy", b"two")
    assert (tmp_path / "a" / "b" / "x.npy").read_bytes() == b"two"
    assert names(tmp_path / "a" / "b") == ["x.npy"]


@pytest.mark.parametrize("error", [Interruption, KeyboardInterrupt, MemoryError])
def test_an_error_leaves_the_old_file_and_no_remains(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "x.npy"
    write_bytes(target, b"old")
    with pytest.raises(error), atomic_file(target) as file:
        file.write(b"half")
        file.flush()
        assert target.read_bytes() == b"old"
        raise error
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["x.npy"]


def test_an_error_leaves_no_file_where_there_was_none(tmp_path: Path) -> None:
    with pytest.raises(Interruption), atomic_path(tmp_path / "x.npy") as temporary:
        temporary.write_bytes(b"half")
        raise Interruption
    assert names(tmp_path) == []


def test_a_path_for_writers_that_need_one_becomes_the_target(tmp_path: Path) -> None:
    target = tmp_path / "x.parquet"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"whole")
        assert temporary.parent == tmp_path
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert names(tmp_path) == ["x.parquet"]


def test_a_block_that_writes_no_file_does_not_touch_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "x.npy"
    write_bytes(target, b"old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["x.npy"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x.npy"
    write_bytes(target, b"old")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["x.npy"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x.npy"
    write_bytes(target, b"old")
    code = (
        "import os, signal, sys; from pathlib import Path; from rakuten_assets.storage.files import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"
    # What the dead process left can be told from results, and does not hinder the next write.
    (remains,) = [name for name in names(tmp_path) if name != "x.npy"]
    assert remains.startswith(".x.npy.")
    assert remains.endswith(".partial")
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"


def test_a_reader_sees_one_whole_content_or_the_other(tmp_path: Path) -> None:
    target = tmp_path / "x.npy"
    contents = [bytes([number]) * 200_000 for number in (1, 2)]
    write_bytes(target, contents[0])
    stop = threading.Event()

    def write_in_turn() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            write_bytes(target, contents[turn % 2])

    writers = [threading.Thread(target=write_in_turn) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        seen = {target.read_bytes() for _ in range(300)}
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert seen <= set(contents)
    assert names(tmp_path) == ["x.npy"]


def test_data_and_folder_entry_are_flushed_before_the_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    really = os.fsync

    def spy(descriptor: int) -> None:
        flushed.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        really(descriptor)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not show open files under /proc")
    monkeypatch.setattr(os, "fsync", spy)
    write_bytes(tmp_path / "x.npy", b"x")
    assert flushed == ["file", "folder"]


def test_a_bucket_gets_the_whole_object_or_none(bucket: UPath) -> None:
    target = bucket / "folder" / "x.npy"
    with pytest.raises(Interruption), atomic_file(target) as file:
        file.write(b"half")
        raise Interruption
    assert not target.exists()
    write_bytes(target, b"old")
    with pytest.raises(Interruption), atomic_file(target) as file:
        file.write(b"half")
        raise Interruption
    assert target.read_bytes() == b"old"
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"


@pytest.fixture
def closing_bucket(monkeypatch: pytest.MonkeyPatch) -> UPath:
    monkeypatch.setattr(ClosingStore, "fails_after", None)
    return new_bucket()


def _staged(folder: Path) -> StagedArray:
    return stage_array(folder / "staged.npy", (600,), np.float64, lambda out: out.fill(7))[0]


WRITERS: dict[str, Callable[[UPath, Path], object]] = {
    "bytes": lambda target, _: write_bytes(target, b"new" * 2000),
    "array": lambda target, _: write_array(target, np.arange(600.0)),
    "staged array": lambda target, folder: move_array(_staged(folder), target),
    "table": lambda target, _: write_table(target, pd.DataFrame({"a": np.random.default_rng(0).random(600)})),
    "record": lambda target, _: write_record(target, {"a": "b" * 5000}),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("sent", [0, 1, 1500, 4000])
def test_an_upload_that_breaks_off_leaves_the_old_object(
    writer: str, sent: int, closing_bucket: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = closing_bucket / "folder" / "x"
    write_bytes(target, b"old")
    monkeypatch.setattr(ClosingStore, "fails_after", sent)
    with pytest.raises(WriteError, match=r"folder/x cannot be written: Connection reset by peer; .* intact"):
        WRITERS[writer](target, tmp_path)
    assert target.read_bytes() == b"old"
    assert [path.name for path in target.parent.iterdir()] == ["x"]
    monkeypatch.setattr(ClosingStore, "fails_after", None)
    WRITERS[writer](target, tmp_path)
    assert target.read_bytes() != b"old"
    assert [path.name for path in target.parent.iterdir()] == ["x"]


def test_of_several_that_create_a_file_one_does(tmp_path: Path, bucket: UPath, closing_bucket: UPath) -> None:
    for folder in (tmp_path, bucket, closing_bucket):
        target = folder / "a" / "x"
        assert [create_bytes(target, content) for content in (b"one", b"two", b"three")] == [
            True,
            False,
            False,
        ]
        assert target.read_bytes() == b"one"
        assert [path.name for path in target.parent.iterdir()] == ["x"]


def test_a_file_system_without_links_creates_a_file_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert [create_bytes(tmp_path / "x", content) for content in (b"one", b"two")] == [True, False]
    assert (tmp_path / "x").read_bytes() == b"one"
    assert names(tmp_path) == ["x"]


def test_a_file_moves_to_another_disk_as_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "scratch.npy", tmp_path / "there" / "x.npy"
    source.write_bytes(b"new" * 1000)
    write_bytes(target, b"old")
    really = Path.replace

    def across(path: Path, other: Path) -> Path:
        if path == source:
            raise OSError(18, "Invalid cross-device link")
        return really(path, other)

    monkeypatch.setattr(Path, "replace", across)
    move_file(source, target)
    assert target.read_bytes() == b"new" * 1000
    assert names(target.parent) == ["x.npy"]
    assert not source.exists()


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (28, "make room on its disk"),
        (122, "make room"),
        (13, "give this user write permission on"),
        (30, "give"),
    ],
)
def test_what_the_disk_refuses_is_one_sentence_with_a_way_out(
    number: int, way_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x.npy"
    write_bytes(target, b"old")

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(WriteError) as caught:
        write_bytes(target, b"new")
    told = str(caught.value)
    assert told.startswith(f"{target} cannot be written: {os.strerror(number)}")
    assert way_out in told
    assert "RAKUTEN_STORAGE" in told
    assert "\n" not in told
    assert caught.value.errno == number
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["x.npy"]


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file")
    with pytest.raises(WriteError, match=r"a/b/x cannot be written"):
        write_bytes(tmp_path / "a" / "b" / "x", b"")


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    left, other = tmp_path / temporary_name("x.npy"), tmp_path / temporary_name("y.npy")
    for path in (left, other):
        path.write_bytes(b"half")
        os.utime(path, (1, 1))
    write_bytes(tmp_path / "x.npy", b"new")
    assert not left.exists()
    assert other.exists()


def test_a_writer_that_pauses_keeps_its_file(tmp_path: Path) -> None:
    target = tmp_path / "x.npy"
    with atomic_file(target) as file:
        file.write(b"first")
        file.flush()
        for path in tmp_path.iterdir():
            os.utime(path, (1, 1))
        code = "import sys; from pathlib import Path; from rakuten_assets.storage.files import write_bytes\n"
        code += "write_bytes(Path(sys.argv[1]), b'second')"
        subprocess.run([sys.executable, "-c", code, str(target)], check=True)
        assert target.read_bytes() == b"second"
    assert target.read_bytes() == b"first"


def test_what_can_be_memory_mapped(tmp_path: Path, bucket: UPath) -> None:
    assert is_local(tmp_path)
    assert is_local(UPath(tmp_path))
    assert not is_local(bucket)


def test_a_file_address_is_written_as_atomically_as_its_path(tmp_path: Path) -> None:
    target = UPath(f"file://{tmp_path}/x.npy")
    write_bytes(target, b"old")
    inode = (tmp_path / "x.npy").stat().st_ino
    write_bytes(target, b"new")
    assert target.read_bytes() == (tmp_path / "x.npy").read_bytes() == b"new"
    # A new file was renamed over the old one; writing in place would have kept the inode.
    assert (tmp_path / "x.npy").stat().st_ino != inode


@given(st.binary(max_size=100))
def test_the_hash_is_sha256(content: bytes) -> None:
    assert (
        sha256_of_bytes(content)
        == hashlib.sha256(content).hexdigest()
        == sha256_of_bytes(memoryview(content))
    )


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_file_hashes_as_its_bytes(tmp_path: Path, bucket: UPath, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    for path in (tmp_path / "x", bucket / "x"):
        write_bytes(path, content)
        assert sha256_of_file(path) == hashlib.sha256(content).hexdigest()
