"""What a block wrote is known by the digests that were taken before anybody could change it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from upath import UPath

from rakuten_assets.storage.arrays import stage_array, write_array
from rakuten_assets.storage.files import atomic_path, move_file, sha256_of_bytes, sha256_of_file, write_bytes
from rakuten_assets.storage.written import is_recording, writes_recorded


def test_every_way_of_writing_is_recorded(tmp_path: Path) -> None:
    write_bytes(tmp_path / "before", b"0")
    with writes_recorded() as written:
        write_bytes(tmp_path / "a", b"1")
        write_bytes(tmp_path / "a", b"2")
        write_array(tmp_path / "b.npy", np.arange(3))
        with atomic_path(tmp_path / "c") as temporary:
            temporary.write_bytes(b"3")
        (tmp_path / "source").write_bytes(b"4")
        move_file(tmp_path / "source", tmp_path / "d")
        bucket = UPath(f"memory://{tmp_path.name}/e")
        write_bytes(bucket, b"5")
        (tmp_path / "d").write_bytes(b"changed by somebody else")
    write_bytes(tmp_path / "after", b"6")
    assert written == {
        str(tmp_path / "a"): sha256_of_bytes(b"2"),
        str(tmp_path / "b.npy"): sha256_of_file(tmp_path / "b.npy"),
        str(tmp_path / "c"): sha256_of_bytes(b"3"),
        str(tmp_path / "d"): sha256_of_bytes(b"4"),
        str(bucket): sha256_of_bytes(b"5"),
    }


def test_what_could_not_be_written_is_not_recorded_as_the_file_that_is_there(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"1")
    with writes_recorded() as written:
        try:
            with atomic_path(tmp_path / "a") as temporary:
                temporary.write_bytes(b"2")
                raise ValueError
        except ValueError:
            pass
    assert written == {}


def test_another_thread_writes_for_itself(tmp_path: Path) -> None:
    with writes_recorded() as written:
        thread = threading.Thread(target=write_bytes, args=(tmp_path / "a", b"1"))
        thread.start()
        thread.join()
    assert written == {}


def test_a_block_that_was_given_up_stands_in_nobodys_way(tmp_path: Path) -> None:
    def step() -> Iterator[None]:
        with writes_recorded():
            yield

    given_up = step()
    next(given_up)
    with writes_recorded() as written:
        write_bytes(tmp_path / "a", b"1")
        given_up.close()
        write_bytes(tmp_path / "b", b"2")
    assert len(written) == 2
    assert not is_recording()


def test_staged_arrays_are_no_files_of_the_storage(tmp_path: Path) -> None:
    with writes_recorded() as written:
        stage_array(tmp_path / "x.npy", (2,), np.float32, lambda out: out.fill(1))
    assert written == {}
