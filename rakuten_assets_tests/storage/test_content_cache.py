"""Images of a bucket are fetched once a machine, and never believed unseen."""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from upath import UPath

from rakuten_assets.storage import content_cache
from rakuten_assets.storage.content_cache import (
    BYTES_LEFT_FREE,
    UNUSED_SECONDS,
    ContentCache,
    bytes_kept,
    default_folder,
    keep_images,
    note_content,
    read_scanned,
)
from rakuten_assets.storage.files import sha256_of_bytes, write_bytes
from rakuten_assets.storage.leftovers import TEMPORARY_SUFFIX
from rakuten_assets_tests.bucket import BUCKET, bucket_server


def cache_in(folder: Path, most_bytes: int = 10_000) -> ContentCache:
    """A cache on a disk with room."""
    return ContentCache(folder, most_bytes, free=lambda _: 10**12)


CONTENT = b"a picture" * 100
DIGEST = sha256_of_bytes(CONTENT)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def copy_of(folder: Path) -> Path:
    return folder / DIGEST[:2] / DIGEST


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return cache_in(tmp_path / "images")


def test_what_was_put_is_given(cache: ContentCache) -> None:
    assert cache.get(DIGEST) is None
    cache.put(DIGEST, CONTENT)
    assert cache.get(DIGEST) == CONTENT
    assert cache_in(cache.folder, 1).get(DIGEST) == CONTENT
    assert cache.folder.stat().st_mode & 0o077 == 0


def test_nothing_is_kept_where_it_is_switched_off(tmp_path: Path) -> None:
    off = cache_in(tmp_path / "images", 0)
    off.put(DIGEST, CONTENT)
    assert not off.folder.exists()
    cache_in(off.folder).put(DIGEST, CONTENT)
    assert off.get(DIGEST) is None


@pytest.mark.parametrize("damaged", [b"", CONTENT[:-1], CONTENT[:-1] + b"?"])
def test_a_damaged_copy_is_not_given_and_goes(cache: ContentCache, damaged: bytes) -> None:
    cache.put(DIGEST, CONTENT)
    copy_of(cache.folder).write_bytes(damaged)
    assert cache.get(DIGEST) is None
    assert files_in(cache.folder) == []
    cache.put(DIGEST, CONTENT)
    assert cache.get(DIGEST) == CONTENT


@pytest.mark.parametrize(
    "digest", ["", "../../secret", "/etc/hostname", DIGEST.upper(), DIGEST[:-1], DIGEST + "0"]
)
def test_only_a_digest_is_looked_for(cache: ContentCache, digest: str) -> None:
    cache.put(DIGEST, CONTENT)
    assert cache.get(digest) is None


def test_a_full_cache_keeps_what_it_has(cache: ContentCache) -> None:
    contents = [bytes([number]) * 3000 for number in range(5)]
    for content in contents:
        cache.put(sha256_of_bytes(content), content)
    kept = [cache.get(sha256_of_bytes(content)) for content in contents]
    assert kept == [*contents[:3], None, None]
    other = cache_in(cache.folder)
    other.put(sha256_of_bytes(contents[3]), contents[3])
    assert other.get(sha256_of_bytes(contents[3])) is None  # counts what others have put


def test_the_last_gigabytes_of_the_disk_stay_free(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "images", 10_000, free=lambda _: BYTES_LEFT_FREE + 500)
    big, small = b"x" * 600, b"y" * 400
    for content in (big, small):
        cache.put(sha256_of_bytes(content), content)
    assert files_in(cache.folder) == [sha256_of_bytes(small)]


def age(*files: Path) -> None:
    long_ago = time.time() - UNUSED_SECONDS - 60
    for file in files:
        os.utime(file, (long_ago, long_ago), follow_symlinks=False)


def test_what_nothing_has_used_for_long_goes(cache: ContentCache) -> None:
    used, unused = b"used" * 10, b"unused" * 10
    for content in (used, unused, CONTENT):
        cache.put(sha256_of_bytes(content), content)
    unfinished = cache.folder / DIGEST[:2] / f".{'0' * 32}{TEMPORARY_SUFFIX}"
    unfinished.write_bytes(b"half")
    age(*(path for path in cache.folder.rglob("*") if path.is_file() and path.name != DIGEST))
    cache.get(sha256_of_bytes(used))  # which says that it is used
    next_process = cache_in(cache.folder)
    next_process.put(sha256_of_bytes(b"new"), b"new")
    assert files_in(cache.folder) == sorted(map(sha256_of_bytes, (used, CONTENT, b"new")))


def test_nothing_but_copies_is_removed(cache: ContentCache, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    for folder in (documents, cache.folder / "mine", cache.folder / "00"):
        folder.mkdir(parents=True)
        (folder / "thesis.txt").write_text("years of work")
    (documents / DIGEST).write_text("named like a copy")
    (cache.folder / "00" / "old").mkdir()
    (cache.folder / "ab").symlink_to(documents)
    (cache.folder / "00" / ("0" * 64)).symlink_to(documents / "thesis.txt")
    before = files_in(documents)
    age(*documents.iterdir(), *(cache.folder / "mine").iterdir(), *(cache.folder / "00").iterdir())
    cache.put(DIGEST, CONTENT)
    assert files_in(documents) == before
    assert (cache.folder / "mine" / "thesis.txt").exists()
    assert (cache.folder / "00" / "thesis.txt").exists()
    assert not (cache.folder / "00" / ("0" * 64)).is_symlink()  # a copy that nobody used
    assert cache.get(DIGEST) == CONTENT


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_lies_in_a_copys_place_is_no_copy(cache: ContentCache, tmp_path: Path, kind: str) -> None:
    cache.put(sha256_of_bytes(b"other"), b"other")
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    copy_of(cache.folder).parent.mkdir(exist_ok=True)
    if kind == "folder":
        copy_of(cache.folder).mkdir()
    elif kind == "pipe":
        os.mkfifo(copy_of(cache.folder))
    else:
        copy_of(cache.folder).symlink_to(tmp_path / "elsewhere")
    assert cache.get(DIGEST) is None
    cache.put(sha256_of_bytes(b"more"), b"more")
    assert cache.get(sha256_of_bytes(b"more")) == b"more"  # and the cache goes on


def test_a_cache_that_is_removed_meanwhile_begins_anew(
    cache: ContentCache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(DIGEST, CONTENT)
    shutil.rmtree(cache.folder)
    cache.put(DIGEST, CONTENT)
    assert cache.get(DIGEST) == CONTENT
    assert not caplog.records


def test_a_copy_of_another_user_is_read(cache: ContentCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put(DIGEST, CONTENT)
    age(copy_of(cache.folder))

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(content_cache.os, "utime", refused)
    assert cache.get(DIGEST) == CONTENT


def test_processes_together_keep_to_the_limit(tmp_path: Path) -> None:
    caches = [cache_in(tmp_path / "images") for _ in range(4)]
    for number in range(100):
        for place, cache in enumerate(caches):
            content = f"{place}-{number}".encode() * 100
            cache.put(sha256_of_bytes(content), content)
    used = sum(path.stat().st_size for path in (tmp_path / "images").rglob("*") if path.is_file())
    assert 9_000 < used <= 10_000 + 3 * 1000


def test_a_disk_that_refuses_is_told_once_and_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").write_text("a file in the folder's place")
    cache = cache_in(tmp_path / "images")
    for _ in range(3):
        cache.put(DIGEST, CONTENT)
        assert cache.get(DIGEST) is None
    assert len(caplog.records) == 1
    assert "RAKUTEN_IMAGE_CACHE_GB=0" in caplog.text
    assert str(cache.folder) in caplog.text


def test_threads_share_it(cache: ContentCache) -> None:
    contents = [bytes([number]) * 50 for number in range(100)]
    wrong: list[int] = []

    def work() -> None:
        for content in contents:
            cache.put(sha256_of_bytes(content), content)
            if cache.get(sha256_of_bytes(content)) != content:
                wrong.append(content[0])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(files_in(cache.folder)) == 100


def test_the_folder_is_where_users_caches_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "rakuten_assets" / "images"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the standard forbids
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "rakuten_assets" / "images"


def test_without_a_home_folder_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "relative")
    monkeypatch.chdir(tmp_path)
    assert default_folder() is None
    content_cache._tell_homeless.cache_clear()
    for _ in range(3):
        keep_images(10_000)
    assert len(caplog.records) == 1
    assert bytes_kept() == 0
    note_content(UPath(f"s3://{BUCKET}/image.jpg"), DIGEST, CONTENT)
    assert "XDG_CACHE_HOME" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_an_image_of_a_bucket_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keep_images(10_000)
    try:
        with bucket_server() as server:
            image = UPath(f"s3://{BUCKET}/image.jpg")
            write_bytes(image, CONTENT)
            server.forget()
            assert [read_scanned(image, DIGEST) for _ in range(3)] == [CONTENT] * 3
            assert len(server.requests) == 1
            assert len(files_in(tmp_path)) == 1

            write_bytes(image, b"replaced")
            assert read_scanned(image, "") == b"replaced"
            assert read_scanned(image, DIGEST) == CONTENT  # the bytes that the scan found
            other = sha256_of_bytes(b"something else")
            assert (
                read_scanned(image, other) == b"replaced"
            )  # the caller sees that it is not what was scanned
            assert len(files_in(tmp_path)) == 1

            note_content(image, sha256_of_bytes(b"noted"), b"noted")
            server.forget()
            assert read_scanned(image, sha256_of_bytes(b"noted")) == b"noted"
            keep_images(0)
            assert read_scanned(image, DIGEST) == b"replaced"
            assert len(server.requests) == 1
    finally:
        keep_images(0)


def test_files_of_a_folder_are_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    keep_images(10_000)
    try:
        (tmp_path / "image.jpg").write_bytes(CONTENT)
        assert read_scanned(tmp_path / "image.jpg", DIGEST) == CONTENT
        note_content(tmp_path / "image.jpg", DIGEST, CONTENT)
        assert not (tmp_path / "cache").exists()
    finally:
        keep_images(0)
