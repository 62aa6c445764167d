"""Reading from a bucket: few requests, many at a time, nothing stale, nothing half."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from rakuten_assets.errors import StoreError, UnreachableError, WriteError
from rakuten_assets.outputs.places import as_place
from rakuten_assets.settings import Settings, SettingsError
from rakuten_assets.storage import copies
from rakuten_assets.storage.arrays import copy_rows, open_array, write_array
from rakuten_assets.storage.files import create_bytes, move_file, write_bytes
from rakuten_assets.storage.reading import (
    CONNECTIONS,
    ReadAhead,
    at_address,
    bucket_files,
    file_size,
    listed_files,
    open_sized,
    read_bytes,
    read_together,
)
from rakuten_assets_tests.bucket import BUCKET, BucketServer, Request


@pytest.fixture
def bucket(server: BucketServer, request: pytest.FixtureRequest) -> UPath:
    """A folder of its own; requests are counted from here on."""
    server.refuse = lambda _: False
    server.forget()
    return at_address(f"s3://{BUCKET}/{request.node.name}")


def test_a_file_is_one_request(server: BucketServer, bucket: UPath) -> None:
    write_bytes(bucket / "file", b"content")
    write_bytes(bucket / "empty", b"")
    server.forget()
    assert read_bytes(bucket / "file") == b"content"
    assert read_bytes(bucket / "file", most=4) == b"cont"
    assert read_bytes(bucket / "file", most=400) == b"content"
    assert [one.method for one in server.requests] == ["GET"] * 3
    assert read_bytes(bucket / "empty") == read_bytes(bucket / "empty", most=4) == b""
    assert file_size(bucket / "file") == 7
    for most in (None, 4):
        with pytest.raises(FileNotFoundError):
            read_bytes(bucket / "missing", most)


def test_a_local_file_reads_alike(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert read_bytes(tmp_path / "file") == b"content"
    assert read_bytes(tmp_path / "file", most=4) == b"cont"
    assert file_size(tmp_path / "file") == 7
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "missing")


def test_a_refusal_is_an_error_of_the_system(server: BucketServer, bucket: UPath) -> None:
    write_bytes(bucket / "file", b"content")
    server.refuse = lambda one: one.method in ("GET", "HEAD")
    for most in (None, 4):
        with pytest.raises(PermissionError):
            read_bytes(bucket / "file", most)


def test_what_another_client_writes_is_seen_at_once(server: BucketServer, bucket: UPath) -> None:
    write_bytes(bucket / "one", b"1")
    assert [path.name for path in bucket.iterdir()] == ["one"]
    for name, content in (("two", b"2"), ("one", b"another")):
        server.client.put_object(Bucket=BUCKET, Key=f"{bucket.name}/{name}", Body=content)
    assert sorted(path.name for path in bucket.iterdir()) == ["one", "two"]
    server.client.put_object(Bucket=BUCKET, Key=f"{bucket.name}/", Body=b"")  # a console's "new folder"
    assert sorted(bucket_files(bucket)) == ["one", "two"]
    assert (bucket / "two").exists()
    assert read_bytes(bucket / "one") == b"another"


def test_a_long_listing_comes_in_pages(server: BucketServer, bucket: UPath) -> None:
    names = [f"{number:04}.jpg" for number in range(1005)]
    client = server.client
    with ThreadPoolExecutor(8) as pool:
        for name in (*names, "", "below/other"):
            key = f"{bucket.name}/{name}"
            pool.submit(client.put_object, Bucket=BUCKET, Key=key, Body=name.encode())
    server.forget()
    found = dict(listed_files(bucket))
    assert [one.method for one in server.requests] == ["GET", "GET"]
    assert list(found) == names
    known = bucket_files(bucket)
    for part in ("ETag", "size", "LastModified"):
        assert {name: entry[part] for name, entry in found.items()} == {
            name: entry[part] for name, entry in known.items()
        }
    assert list(listed_files(bucket / "nothing")) == []
    server.answer = lambda one: 503 if "continuation-token" in one.query else None
    try:
        with pytest.raises(UnreachableError):
            list(listed_files(bucket))
    finally:
        server.answer = lambda _: None


def test_stores_that_have_no_pages_are_listed_as_they_can(request: pytest.FixtureRequest) -> None:
    folder = UPath(f"memory://{request.node.name}")
    (folder / "one").write_bytes(b"1")
    assert {name: entry["size"] for name, entry in listed_files(folder)} == {"one": 1}


@pytest.mark.parametrize("size", [10, 4096, 4097, 20_000])
def test_of_a_file_of_known_size_each_place_is_one_request(
    server: BucketServer, bucket: UPath, size: int
) -> None:
    content = np.random.default_rng(0).bytes(size)
    write_bytes(bucket / "segment", content)
    server.forget()
    with open_sized(bucket / "segment", size) as file:
        assert file.seek(0, 2) == size
        file.seek(0)
        assert file.read(8) == content[:8]
        assert file.read(300) == content[8:308]
        assert len(server.requests) == 1
        file.seek(size - 6)
        assert file.read(6) == file.read(6) + content[-6:]
        assert file.read() == b""
    assert [one.method for one in server.requests] == ["GET"] * (1 if size <= 4096 else 2)


def test_an_upload_that_is_cut_short_leaves_nothing(
    server: BucketServer, bucket: UPath, tmp_path: Path
) -> None:
    key = f"{bucket.name}/file"
    write_bytes(bucket / "file", b"before")
    server.refuse = lambda one: "partNumber" in one.query
    large = bytes(101 << 20)
    (tmp_path / "large").write_bytes(large)
    for upload in (
        lambda: write_bytes(bucket / "file", large),
        lambda: move_file(tmp_path / "large", bucket / "file"),
    ):
        server.forget()
        with pytest.raises(WriteError, match="what was stored before is intact"):
            upload()
        assert any("partNumber" in one.query for one in server.requests)
        assert read_bytes(bucket / "file") == b"before"
        assert "Uploads" not in server.client.list_multipart_uploads(Bucket=BUCKET, Prefix=key)
    assert (tmp_path / "large").exists()


def test_an_object_is_made_once(bucket: UPath) -> None:
    assert create_bytes(bucket / "layout.json", b"first")
    assert not create_bytes(bucket / "layout.json", b"second")
    assert read_bytes(bucket / "layout.json") == b"first"


def _slow(_: Request) -> bool:
    time.sleep(0.02)  # what a bucket takes to answer
    return False


def test_files_are_fetched_ahead_many_at_a_time(server: BucketServer, bucket: UPath) -> None:
    contents = [f"content {number}".encode() for number in range(100)]
    for number, content in enumerate(contents):
        write_bytes(bucket / f"{number}", content)
    files = [bucket / f"{number}" for number in range(100)]
    server.forget()
    server.refuse = _slow
    with ReadAhead(files, read_bytes, far=True) as ahead:
        assert [ahead.get(position) for position in range(100)] == contents
    assert len(server.requests) == len(server.of("GET")) == 100
    assert 10 < server.together <= CONNECTIONS + 1


def test_threads_that_ask_in_any_order_get_what_they_ask_for(bucket: UPath) -> None:
    contents = [f"content {number}".encode() for number in range(60)]
    for number, content in enumerate(contents):
        write_bytes(bucket / f"{number}", content)
    found: dict[int, bytes] = {}
    with ReadAhead([bucket / f"{number}" for number in range(60)], read_bytes, far=True) as ahead:

        def ask(first: int) -> None:
            for position in range(first, 60, 3):
                found[position] = ahead.get(59 - position if first == 2 else position)

        threads = [threading.Thread(target=ask, args=(first,)) for first in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {place: contents[59 - place if place % 3 == 2 else place] for place in range(60)}


def test_an_error_reaches_the_one_who_asks_for_that_file(bucket: UPath) -> None:
    write_bytes(bucket / "there", b"content")
    files = [bucket / "there", bucket / "missing", bucket / "there"]
    with ReadAhead(files, read_bytes, far=True) as ahead:
        assert ahead.get(0) == b"content"
        with pytest.raises(FileNotFoundError):
            ahead.get(1)
        assert ahead.get(2) == b"content"


def test_little_is_held_ahead_where_files_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rakuten_assets.storage.reading._MOST_BYTES_AHEAD", 2500)
    held, most = 0, 0
    lock = threading.Lock()

    def content(_: int) -> bytes:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return bytes(1000)

    with ReadAhead(range(200), content, far=True) as ahead:
        for position in range(200):
            assert len(ahead.get(position)) == 1000
            time.sleep(0.001)  # whoever asks is slower than the bucket
            with lock:
                held -= 1
    assert held == 0
    assert most <= 3 + CONNECTIONS  # what may wait, and what may be under way when it is found to be too much


def test_together_or_one_after_the_other_gives_the_same() -> None:
    def half(number: int) -> int:
        if number % 2:
            raise ValueError(f"{number} is odd")
        return number // 2

    for far in (True, False):
        for number, value in read_together(half, range(50), far):
            if number % 2:
                with pytest.raises(ValueError, match=f"{number} is odd"):
                    value()
            else:
                assert value() == number // 2


def test_a_matrix_is_mapped_and_fetched_once(server: BucketServer, bucket: UPath) -> None:
    matrix = np.random.default_rng(0).random((500, 40), np.float32)
    record = write_array(bucket / "matrix.npy", matrix)
    server.forget()
    first = open_array(bucket / "matrix.npy", record)
    again = open_array(bucket / "matrix.npy", record)
    assert len(server.of("GET", "matrix.npy")) == 1
    for array in (first, again):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
        np.testing.assert_array_equal(array, matrix)
    part = again[100:200]
    del first, array
    gc.collect()
    np.testing.assert_array_equal(copy_rows(again, 3, 5), matrix[3:5])
    del again
    gc.collect()
    np.testing.assert_array_equal(copy_rows(part, 3, 5), matrix[103:105])


def test_a_matrix_that_was_replaced_or_removed_is_not_taken_from_its_copy(bucket: UPath) -> None:
    path = bucket / "matrix.npy"
    first = write_array(path, np.zeros(5))
    held = open_array(path, first)
    second = write_array(path, np.ones(5))
    np.testing.assert_array_equal(open_array(path, second), np.ones(5))
    with pytest.raises(StoreError, match="its content was changed"):
        open_array(path, first)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        open_array(path, second)
    np.testing.assert_array_equal(held, np.zeros(5))


def test_copies_that_nothing_uses_are_removed(bucket: UPath) -> None:
    records = [write_array(bucket / f"{number}.npy", np.full(9, number)) for number in range(12)]
    held = open_array(bucket / "0.npy", records[0])
    for number in range(1, 12):
        open_array(bucket / f"{number}.npy", records[number])
        gc.collect()
    digests = [record.sha256 for record in records]
    kept = [copy.sha256 for copy in copies.COPIES._kept.values() if copy.sha256 in digests]
    assert kept == [digests[0], *digests[-copies._MOST_IDLE :]]
    assert all(copy.path.exists() for copy in copies.COPIES._kept.values())
    assert len(list(copies._folder().glob("[0-9a-f]*"))) == len(copies.COPIES._kept)
    np.testing.assert_array_equal(held, np.zeros(9))


@pytest.mark.parametrize("place", [3, 60, 150, -1])
def test_a_changed_byte_of_a_matrix_is_refused(bucket: UPath, place: int) -> None:
    path = bucket / "matrix.npy"
    record = write_array(path, np.random.default_rng(7).random((5, 7)))
    content = bytearray(read_bytes(path))
    content[place] ^= 1
    write_bytes(path, bytes(content))
    with pytest.raises(StoreError, match=r"matrix\.npy"):
        open_array(path, record)
    content[place] ^= 1
    write_bytes(path, bytes(content[:-1]))
    with pytest.raises(StoreError, match="it is damaged"):
        open_array(path)


def test_an_address_that_cannot_be_opened_says_why(no_settings_of_the_user: None) -> None:
    for address, said in (
        ("s4://bucket/x", "s4://... is no address that can be opened"),
        ("gs://bucket/x", "pip install gcsfs"),
        ("~nobody-here/x", "no home folder is known for ~nobody-here"),
    ):
        for setting in ("storage", "data_dir"):
            with pytest.raises(SettingsError, match=f"RAKUTEN_{setting.upper()}") as refused:
                Settings.load(**{setting: address})
            assert said in str(refused.value)
        with pytest.raises(StoreError) as refused_too:
            as_place(address)
        assert said in str(refused_too.value)


def test_a_missing_client_is_told_with_its_package() -> None:
    """In a process where s3fs cannot be imported."""
    script = """if True:
        import sys
        sys.modules["s3fs"] = None
        from rakuten_assets.storage.reading import at_address
        try:
            at_address("s3://bucket/x")
        except ValueError as error:
            print(error)
    """
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "an address s3://... needs the package s3fs: pip install 'rakuten_assets[s3]'\n"


def test_the_clients_own_variables_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec.config

    conf: dict[str, dict[str, Any]] = {}
    fsspec.config.set_conf_env(conf, {"FSSPEC_S3": '{"anon": true}'})
    monkeypatch.setitem(fsspec.config.conf, "s3", conf["s3"])
    assert at_address("s3://bucket/x").fs.anon
