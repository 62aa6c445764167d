"""`.npy` files: what is written comes back, what was changed is refused, what is staged is moved."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from upath import UPath

from rakuten_assets.errors import StoreError, WriteError
from rakuten_assets.storage import arrays as arrays_module
from rakuten_assets.storage.arrays import (
    ArrayRecord,
    array_version,
    move_array,
    open_array,
    read_header,
    stage_array,
    stage_rows,
    verify_content,
    write_array,
)
from rakuten_assets.storage.files import sha256_of_file

_DTYPES = st.sampled_from(["<f4", ">f4", "<f8", "<i8", ">i2", "|b1", "|u1", "<U3"])
_ARRAYS = _DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
_ONE_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


@_ONE_FOLDER
@given(array=_ARRAYS)
def test_an_array_comes_back_little_endian_in_c_order_with_a_true_record(
    array: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a.npy"
    record = write_array(path, array)
    loaded = open_array(path, record)
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype.str[0] in "<|"
    assert loaded.flags.c_contiguous
    assert record.sha256 == sha256_of_file(path)
    assert record.bytes == path.stat().st_size
    assert ArrayRecord.from_dict(record.as_dict()) == record
    verify_content(path, record)


@_ONE_FOLDER
@given(array=_ARRAYS, place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_at_the_latest_by_the_digest(
    array: np.ndarray, place: int, bit: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.npy"
    record = write_array(path, array)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(bytes(content))
    with pytest.raises(StoreError):
        verify_content(path, record)


@_ONE_FOLDER
@given(array=_ARRAYS, cut=st.integers(1, 200))
def test_a_truncated_file_is_refused_on_opening(array: np.ndarray, cut: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write_array(path, array)
    content = path.read_bytes()
    path.write_bytes(content[: max(0, len(content) - cut)])
    with pytest.raises(StoreError):
        open_array(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"PK\x03\x04" * 40, b"\x93NUMPY\x03\x00" + b" " * 200]
)
def test_what_is_no_npy_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"\.npy file"):
        read_header(path)


def test_fortran_order_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(np.ones((2, 3))))
    with pytest.raises(StoreError, match="Fortran"):
        open_array(tmp_path / "a.npy")


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_array(tmp_path / "a.npy")


def test_objects_are_refused() -> None:
    with pytest.raises(StoreError, match="Python objects"):
        write_array(UPath("memory://objects/a.npy"), np.array([None]))


@pytest.mark.parametrize("record", [None, [], {}, {"dtype": "<f4", "shape": "x", "bytes": 1, "sha256": ""}])
def test_what_is_no_record_is_refused(record: object) -> None:
    with pytest.raises(StoreError, match="not the record"):
        ArrayRecord.from_dict(record)


def test_a_bucket_gives_the_same_bytes_and_checks_them(tmp_path: Path) -> None:
    array = np.arange(10.0)
    local, remote = tmp_path / "a.npy", UPath(f"memory://{tmp_path}/a.npy")
    assert write_array(local, array) == write_array(remote, array)
    assert remote.read_bytes() == local.read_bytes()
    record = write_array(remote, array)
    np.testing.assert_array_equal(open_array(remote, record), array)
    content = bytearray(remote.read_bytes())
    content[-1] ^= 1
    remote.write_bytes(bytes(content))
    with pytest.raises(StoreError, match="content was changed"):
        open_array(remote, record)


@pytest.mark.parametrize("target", ["folder", "bucket"])
def test_a_staged_array_is_filled_in_place_and_moved(target: str, tmp_path: Path) -> None:
    def fill(out: np.ndarray) -> str:
        assert not out.any()
        out[1] = 7
        return "filled"

    staged, result = stage_array(tmp_path / "scratch.npy", (3, 2), np.float32, fill)
    assert result == "filled"
    expected = np.array([[0, 0], [7, 7], [0, 0]], dtype=np.float32)
    np.testing.assert_array_equal(staged.open(), expected)
    place = tmp_path / "x" / "a.npy" if target == "folder" else UPath(f"memory://{tmp_path}/staged.npy")
    record = move_array(staged, place)
    np.testing.assert_array_equal(open_array(place, record), expected)
    assert record == write_array(tmp_path / "plain.npy", expected)


@given(rows=st.integers(0, 20), block=st.integers(1, 7))
@_ONE_FOLDER
def test_staged_blocks_give_the_file_of_the_whole(rows: int, block: int, tmp_path: Path) -> None:
    whole = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    blocks = (whole[start : start + block] for start in range(0, rows, block))
    staged = stage_rows(tmp_path / "a.npy", whole.shape, np.float32, blocks)
    assert staged.record == write_array(tmp_path / "b.npy", whole)
    assert staged.path.read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_blocks_that_are_not_the_whole_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="2 rows were given"):
        stage_rows(tmp_path / "a.npy", (3, 2), np.float32, [np.ones((2, 2))])
    with pytest.raises(StoreError, match="does not fit"):
        stage_rows(tmp_path / "a.npy", (3, 2), np.float32, [np.ones((3, 5))])


def test_a_version_tells_dtype_shape_and_values_apart() -> None:
    one = np.arange(6, dtype=np.int64)
    others = [one.reshape(2, 3), one.astype(np.int32), one[::-1], one.astype(np.float64)]
    assert len({array_version(array) for array in (one, *others)}) == 5
    assert array_version(one) == array_version(np.arange(12, dtype=">i8")[:6])


def test_a_staged_array_has_its_room_before_it_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of a map that finds no room on the disk would end the process with SIGBUS."""

    def fill(out: np.ndarray) -> None:
        assert (tmp_path / "a.npy").stat().st_blocks * 512 >= out.nbytes

    stage_array(tmp_path / "a.npy", (100_000,), np.float64, fill)

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(WriteError, match=r"b\.npy cannot be written: No space left on device.*make room"):
        stage_array(tmp_path / "b.npy", (100_000,), np.float64, lambda _: pytest.fail("it was filled"))


def test_a_content_is_read_once_for_its_digest_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npy"
    record = write_array(path, np.arange(100.0))
    reads: list[Path] = []

    def read(file: Path) -> str:
        reads.append(file)
        return sha256_of_file(file)

    monkeypatch.setattr(arrays_module, "sha256_of_file", read)
    open_array(path, record)
    open_array(path, record)
    assert len(reads) == 2  # So young a file may change again within one tick of the file system's clock.
    monkeypatch.setattr(arrays_module, "is_settled", lambda _: True)
    open_array(path, record)
    open_array(path, record)
    assert len(reads) == 3
    with path.open("rb+") as file:
        file.seek(-1, 2)
        file.write(b"\1")
    with pytest.raises(StoreError, match="content was changed"):
        open_array(path, record)
    with pytest.raises(StoreError, match="content was changed"):
        open_array(path, record)


@pytest.mark.parametrize(
    "header", ["{'descr': '<f4', 'shape'", "{'a': (", "[" * 5000, "{1: 2}", "\0\0", "1" * 5000]
)
def test_a_header_of_any_text_is_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(100))
    with pytest.raises(StoreError, match=r"\.npy file"):
        read_header(path)
