"""Reading one file: its bytes, or the record that says why there are none, whatever lies under the name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.integrity.reading.record import ImageRecord, read_image_file

LIMITS = DecodeLimits(max_file_bytes=200_000, max_pixels=1_000_000)
READ = "rakuten_assets.integrity.reading.record.os.read"
CONTENT = bytes(range(256)) * 100


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image.jpg"
    path.write_bytes(CONTENT)
    return path


def refused(path: Path) -> ImageRecord:
    record = read_image_file(path, LIMITS)
    assert isinstance(record, ImageRecord)
    assert record.sha256 == ""
    return record


def test_a_too_large_file_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sealed(descriptor: int, size: int) -> bytes:
        raise AssertionError("it was read")

    monkeypatch.setattr(READ, sealed)
    with pytest.raises(AssertionError, match="it was read"):
        read_image_file(file, LIMITS)
    file.write_bytes(bytes(200_001))
    record = refused(file)
    assert (record.reason, record.bytes) == ("file_too_large", 200_001)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for name in ("nul\0.jpg", "x" * 5000):
        assert refused(tmp_path / name).reason == "unreadable_file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_keep_its_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    record = refused(tmp_path / "pipe.jpg")
    assert (record.reason, record.status) == ("unreadable_file", "unreadable")


def test_a_file_that_comes_in_pieces_is_read_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.read
    monkeypatch.setattr(READ, lambda descriptor, size: original(descriptor, min(size, 1000)))
    assert read_image_file(file, LIMITS) == CONTENT


def test_a_forbidden_file_is_named_with_the_systems_words(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(path: Any, *rest: Any) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("rakuten_assets.integrity.reading.record.os.open", refusing)
    record = refused(file)
    assert (record.reason, record.detail) == ("unreadable_file", "Permission denied")


def test_what_is_said_does_not_depend_on_where_the_files_lie(tmp_path: Path) -> None:
    said = []
    for place in (tmp_path / "here", tmp_path / "mounted" / "elsewhere"):
        (place / "folder.jpg").mkdir(parents=True)
        (place / "empty.jpg").touch()
        names = ("folder.jpg", "empty.jpg", "missing.jpg", "folder.jpg/below.jpg", "n" * 300)
        said.append([read_image_file(place / name, LIMITS) for name in names])
    assert said[0] == said[1]
    assert "there is no such file" in said[0][2].detail  # type: ignore[union-attr]


def test_no_descriptor_is_left_open(file: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(200_001))
    before = psutil.Process().num_fds()
    for path in (file, large, tmp_path, tmp_path / "missing.jpg"):
        read_image_file(path, LIMITS)
    assert psutil.Process().num_fds() == before
