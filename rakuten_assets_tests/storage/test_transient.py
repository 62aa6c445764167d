"""Which errors may pass: those of a real client against a server that is away or busy, and those that say something."""

from __future__ import annotations

import errno
import socket
import urllib.error
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from upath import UPath

from rakuten_assets.errors import StoreError, UnreachableError, WriteError
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import at_address, file_size, open_sized, read_bytes
from rakuten_assets.storage.transient import is_transient
from rakuten_assets_tests.bucket import BUCKET, BucketServer, bucket_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketServer]:
    # The client would try again for seconds, by itself.
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with bucket_server() as running:
        yield running


def _foreign(module: str, name: str) -> Exception:
    """An error of a class below one of a package that need not be there."""
    base = type(name, (Exception,), {"__module__": module})
    error: Exception = type("Special", (base,), {})()
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (TimeoutError(), True),
        (socket.gaierror(-3, "Temporary failure in name resolution"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (BrokenPipeError(), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (FileNotFoundError(errno.ENOENT, "No such file"), False),
        (ValueError("a number"), False),
        (StoreError("damaged"), False),
        (MemoryError(), False),
        (UnreachableError("of another process"), True),
        (_foreign("httpx", "TransportError"), True),
        (_foreign("httpx2", "TransportError"), True),
        (_foreign("httpx2", "InvalidURL"), False),
        (_foreign("requests.exceptions", "ConnectionError"), True),
        (_foreign("requests.exceptions", "Timeout"), True),
    ],
)
def test_errors_of_python(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected
    try:
        try:
            raise error
        except Exception as cause:
            raise StoreError("x cannot be read") from cause
    except StoreError as wrapped:
        assert is_transient(wrapped) is expected


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_store_did_not_answer(server: BucketServer, status: int) -> None:
    place = at_address(f"s3://{BUCKET}")
    write_bytes(place / "file", b"content")
    server.answer = lambda one: status if one.path == "/file" else None
    for read in (read_bytes, lambda path: read_bytes(path, 4), file_size):
        with pytest.raises(UnreachableError):
            read(place / "file")
    with pytest.raises(UnreachableError), open_sized(place / "file", 7) as file:
        file.read(3)
    with pytest.raises(WriteError) as told:
        write_bytes(place / "file", b"other")
    assert is_transient(told.value)
    server.answer = lambda _: None
    assert read_bytes(place / "file") == b"content"


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_answer_that_says_no_is_one(server: BucketServer, status: int) -> None:
    place = at_address(f"s3://{BUCKET}")
    server.answer = lambda one: status if one.path == "/file" else None
    with pytest.raises(OSError) as told:
        read_bytes(place / "file")
    assert not isinstance(told.value, UnreachableError)
    assert not is_transient(told.value)


def test_a_store_that_is_away_did_not_answer(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    place = at_address(f"s3://{BUCKET}")
    with pytest.raises(UnreachableError):
        read_bytes(place / "file")
    with pytest.raises(WriteError) as told:
        write_bytes(place / "file", b"content")
    assert is_transient(told.value)


class AiohttpsError(Exception):
    """As aiohttp's `ClientResponseError`, which tests do not depend on."""

    def __init__(self, status: int) -> None:
        self.status = status


@pytest.mark.parametrize(("status", "expected"), [(503, True), (429, True), (403, False), (404, False)])
def test_what_other_clients_keep_of_an_answer(status: int, expected: bool) -> None:
    assert is_transient(AiohttpsError(status)) is expected
    told = urllib.error.HTTPError("http://x", status, "said", Message(), None)
    assert is_transient(told) is expected


def test_a_folder_without_a_file_has_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told:
        read_bytes(UPath(tmp_path / "file"))
    assert not is_transient(told.value)
