from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.files import (
    atomic_file,
    atomic_path,
    is_local,
    sha256_of_bytes,
    sha256_of_file,
    write_bytes,
)


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
        "import os, signal, sys; from pathlib import Path; from rakuten_assets.files import atomic_file\n"
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
