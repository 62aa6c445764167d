"""Files below a folder, and whether one of them was replaced: the same on a disk and on a bucket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from s3fs import S3FileSystem
from upath import UPath

from rakuten_assets.errors import UnreachableError
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.leftovers import TEMPORARY_SUFFIX
from rakuten_assets.storage.reading import at_address
from rakuten_assets.storage.tree import object_version, versions_below
from rakuten_assets_tests.bucket import BUCKET, BucketServer

FILES = {"one.json": b"1", "deep/er/two.npy": b"22", "deep/three.parquet": b"333"}


@pytest.fixture(params=["disk", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    if request.param == "disk":
        return UPath(tmp_path / "folder")
    request.getfixturevalue("server")
    return at_address(f"s3://{BUCKET}/{tmp_path.name}/folder")


def _fill(folder: UPath) -> None:
    for name, content in FILES.items():
        write_bytes(folder / name, content)


def test_each_file_has_a_version_until_it_is_replaced(folder: UPath) -> None:
    _fill(folder)
    before = versions_below(folder)
    assert list(before) == sorted(FILES)
    assert all(before.values())
    assert versions_below(folder) == before
    write_bytes(folder / "deep/er/two.npy", b"!!")  # as long as it was
    after = versions_below(folder)
    assert [name for name in before if before[name] != after[name]] == ["deep/er/two.npy"]
    (folder / "one.json").unlink()
    assert "one.json" not in versions_below(folder)


def test_neither_a_missing_folder_nor_unfinished_files_count(folder: UPath) -> None:
    assert versions_below(folder) == {}
    _fill(folder)
    write_bytes(folder / f"half{TEMPORARY_SUFFIX}", b"h")
    assert sorted(versions_below(folder)) == sorted(FILES)


def test_neither_do_folders_beside_it_that_are_named_alike(folder: UPath) -> None:
    _fill(folder)
    _fill(folder.with_name("folder-2"))
    assert sorted(versions_below(folder)) == sorted(FILES)


def test_a_content_put_back_on_a_disk_is_of_the_version_that_its_time_says(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1")
    status, before = file.stat(), versions_below(tmp_path)
    file.write_bytes(b"2")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert versions_below(tmp_path) != before
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert versions_below(tmp_path) == before  # That is the price of not reading it.


def test_a_link_to_nowhere_or_to_itself_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert versions_below(tmp_path) == {}


def test_folders_that_lie_on_another_disk_are_looked_into(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for place in (folder, elsewhere / "deep"):
        place.mkdir(parents=True)
    (elsewhere / "deep" / "file").write_bytes(b"1")
    (folder / "asset").symlink_to(elsewhere)
    (elsewhere / "deep" / "up").symlink_to(folder)  # round and round
    assert list(versions_below(folder)) == ["asset/deep/file"]
    (elsewhere / "deep" / "file").unlink()
    assert versions_below(folder) == {}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    try:
        with pytest.raises(PermissionError):
            versions_below(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_many_objects_are_one_request(server: BucketServer, tmp_path: Path) -> None:
    folder = at_address(f"s3://{BUCKET}/{tmp_path.name}")
    for number in range(40):
        write_bytes(folder / f"deep/{number % 7}/{number}.parquet", b"x")
    server.forget()
    assert len(versions_below(folder)) == 40
    assert len(server.requests) == 1


def test_a_bucket_that_does_not_answer_is_no_empty_folder(
    server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client would try again for seconds, by itself.
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(server, "answer", lambda _: 503)
    with pytest.raises(UnreachableError):
        versions_below(at_address(f"s3://{BUCKET}/unanswered"))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"ETag": '"a"', "LastModified": "noon", "size": 3}, '"a" 3 noon'),
        ({"etag": "a", "updated": "noon", "size": 3}, "a 3 noon"),
        ({"ETag": '""', "LastModified": "noon", "size": 3}, ""),
        ({"ETag": 'W/""', "LastModified": "noon", "size": 3}, ""),
        ({"ETag": '"a"', "size": 3}, ""),
    ],
)
def test_what_a_listing_says_of_an_object(entry: dict[str, object], expected: str) -> None:
    assert object_version(entry) == expected
