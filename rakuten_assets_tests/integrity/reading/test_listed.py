"""A bucket's images that are what they were are not read again; a scan finds the same as one that reads all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.dataset.layout import CatalogFolder
from rakuten_assets.errors import UnreachableError
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.integrity.reading import listed
from rakuten_assets.integrity.reading.shards import scan_shards
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import at_address, listed_files
from rakuten_assets_tests.bucket import BUCKET, BucketServer, Request
from rakuten_assets_tests.images.pictures import encoded, smooth

LIMITS = DecodeLimits()
PLAIN = encoded(smooth(83, 61))
FILES = {
    "image_train/plain.jpg": PLAIN,
    "image_train/twin.jpg": PLAIN,
    "image_train/picture.png": encoded(smooth(40, 50), "PNG"),
    "image_train/png.jpg": encoded(smooth(40, 51), "PNG"),
    "image_train/truncated.jpg": PLAIN[:-100],
    "image_train/tail.jpg": PLAIN + b"tail",
    "image_train/text.jpg": b"not an image at all",
    "image_train/empty.jpg": b"",
    "image_test/other.jpg": encoded(smooth(50, 40)),
    "image_test/large.jpg": PLAIN + bytes(100_000),
}
GONE = "image_test/gone.jpg"
MANIFEST = pd.DataFrame({"file": [*FILES, GONE], "shard": ["00", "01"] * 5 + ["00"]})


class Bucket:
    """A catalogue's images on a bucket, and the storage of their scans."""

    def __init__(self, server: BucketServer, root: UPath) -> None:
        self.server, self.root = server, root
        images = {split: root / f"image_{split}" for split in ("train", "test")}
        self.folder = CatalogFolder(root, root / "x.csv", root / "y.csv", root / "t.csv", images)  # type: ignore[arg-type]
        self.listings = root / "listings"
        self.scans: dict[str, pd.DataFrame] = {}
        self.said: list[str] = []

    def scan(
        self, limits: DecodeLimits = LIMITS, keys: tuple[str, ...] = ("00", "01"), **other: Any
    ) -> list[str]:
        """Scan and store; names of the images that were asked for."""
        self.server.forget()
        scans = scan_shards(
            MANIFEST,
            keys,
            self.folder,
            limits,
            2,
            self.scans.get,
            log=self.said.append,
            listings=self.listings,
            **other,
        )
        for one in scans:
            self.scans[one.key] = one.table
        return sorted({name for one in self.server.of("GET") if (name := self.file(one)) in {*FILES, GONE}})

    def file(self, request: Request) -> str:
        return "/".join(request.path.rsplit("/", 2)[1:])

    def all_read(self, limits: DecodeLimits = LIMITS) -> dict[str, pd.DataFrame]:
        found = scan_shards(MANIFEST, ("00", "01"), self.folder, limits, 2, log=self.said.append)
        return {one.key: one.table for one in found}

    def put(self, file: str, content: bytes) -> None:
        write_bytes(self.root / file, content)


@pytest.fixture
def bucket(server: BucketServer, request: pytest.FixtureRequest) -> Iterator[Bucket]:
    found = Bucket(server, at_address(f"s3://{BUCKET}/{request.node.name}"))
    for file, content in FILES.items():
        found.put(file, content)
    yield found
    server.answer = lambda _: None


# Whose row depends on more than the listing tells: on the content, or on a header that says how much memory it takes.
ALWAYS_READ = sorted(
    ["image_train/picture.png", "image_train/png.jpg", "image_train/text.jpg", "image_train/empty.jpg", GONE]
)


def test_what_is_listed_as_before_is_not_read_again(bucket: Bucket) -> None:
    assert bucket.scan() == sorted([*FILES, GONE])
    first = dict(bucket.scans)
    assert bucket.scan() == ALWAYS_READ
    assert not bucket.server.of("PUT")  # the records say it already
    same(bucket.scans, first)
    same(bucket.scans, bucket.all_read())


@pytest.mark.parametrize("content", [encoded(smooth(83, 61, 1)), PLAIN[:-1] + b"\0", b""])
def test_a_replaced_object_is_read(bucket: Bucket, content: bytes) -> None:
    bucket.scan()
    bucket.put("image_train/plain.jpg", content)
    assert bucket.scan() == sorted([*ALWAYS_READ, "image_train/plain.jpg"])
    same(bucket.scans, bucket.all_read())


def test_a_removed_and_a_new_object_are_noticed(bucket: Bucket) -> None:
    bucket.scan()
    (bucket.root / "image_train/plain.jpg").unlink()
    bucket.put(GONE, PLAIN)
    bucket.scan()
    same(bucket.scans, bucket.all_read())
    found = pd.concat(bucket.scans.values()).set_index("file")["reason"]
    assert (found["image_train/plain.jpg"], found[GONE]) == ("missing", "")


def test_what_is_replaced_after_the_listing_is_read_the_next_time(bucket: Bucket) -> None:
    def replace(request: Request) -> None:
        if bucket.file(request) == "image_train/plain.jpg" and request.method == "GET":
            bucket.server.answer = lambda _: None
            bucket.server.client.put_object(
                Bucket=BUCKET, Key=request.path.strip("/"), Body=FILES["image_test/other.jpg"]
            )

    bucket.server.answer = replace
    bucket.scan()
    assert "image_train/plain.jpg" in bucket.scan()  # of what was read it is not known which version it was
    assert "image_train/plain.jpg" not in bucket.scan()
    same(bucket.scans, bucket.all_read())


def test_what_was_put_back_after_it_was_read_is_read_the_next_time(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version may have been read than the one that was listed before, and is again."""

    def before(folder: UPath) -> list[tuple[str, dict[str, Any]]]:
        return [(name, {**entry, "LastModified": "t"}) for name, entry in listed_files(folder)]

    def meanwhile(folder: UPath) -> list[tuple[str, dict[str, Any]]]:
        return [(name, {**entry, "ETag": '"2"'}) for name, entry in before(folder)]

    looks = iter([before, before, meanwhile, meanwhile, *[before] * 6])
    monkeypatch.setattr(listed, "listed_files", lambda folder: next(looks)(folder))
    bucket.scan()
    assert bucket.scan() == sorted([*FILES, GONE])
    assert bucket.scan() == ALWAYS_READ


@pytest.mark.parametrize("said", [{"ETag": '""'}, {"ETag": 'W/""'}, {"ETag": ""}, {"LastModified": ""}])
def test_a_listing_that_says_too_little_is_not_relied_on(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    def little(folder: UPath) -> list[tuple[str, dict[str, Any]]]:
        return [(name, {**entry, **said}) for name, entry in listed_files(folder)]

    monkeypatch.setattr(listed, "listed_files", little)
    bucket.scan()
    assert bucket.scan() == sorted([*FILES, GONE])


@pytest.mark.parametrize(
    "limits",
    [
        DecodeLimits(max_file_bytes=50_000),
        DecodeLimits(max_pixels=4_000),
        DecodeLimits(max_memory=10_000),
    ],
)
def test_other_limits_hold_for_what_is_not_read(bucket: Bucket, limits: DecodeLimits) -> None:
    bucket.scan()
    bucket.scan(limits)
    same(bucket.scans, bucket.all_read(limits))
    bucket.scan()
    same(bucket.scans, bucket.all_read())


def test_another_buckets_record_says_nothing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same names, even where all that is listed of them is the same."""

    def at_the_same_time(folder: UPath) -> list[tuple[str, dict[str, Any]]]:
        return [(name, {**entry, "LastModified": "now"}) for name, entry in listed_files(folder)]

    monkeypatch.setattr(listed, "listed_files", at_the_same_time)
    bucket.scan()
    other = Bucket(bucket.server, bucket.root.parent / f"{bucket.root.name}-copy")
    for file, content in FILES.items():
        other.put(file, content)
    other.listings, other.scans = bucket.listings, bucket.scans
    assert other.scan() == sorted([*FILES, GONE])
    assert other.scan() == ALWAYS_READ


def test_a_damaged_record_is_told_and_everything_read(bucket: Bucket) -> None:
    bucket.scan()
    record = bucket.listings / "00.parquet"
    content = record.read_bytes()
    record.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    of_the_shard = MANIFEST["file"][MANIFEST["shard"] == "00"]
    assert set(of_the_shard) <= set(bucket.scan())
    assert any(f"{record} cannot be used" in line for line in bucket.said)
    assert bucket.scan() == ALWAYS_READ


def test_without_rows_of_an_earlier_scan_everything_is_read(bucket: Bucket) -> None:
    bucket.scan()
    bucket.scans.clear()
    assert bucket.scan() == sorted([*FILES, GONE])


def test_few_images_are_read_without_a_listing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.scan(keys=("00",))
    monkeypatch.setattr(listed, "SHARE_WORTH_A_LISTING", 0.6)
    bucket.scan(keys=("01",))
    assert not [
        one for one in bucket.server.of("GET") if "list-type" in one.query and "image_" in str(one.query)
    ]


def test_a_listing_that_is_not_answered_is_no_finding(bucket: Bucket) -> None:
    bucket.scan()
    before = dict(bucket.scans)
    bucket.server.answer = lambda request: 503 if "image_test" in str(request.query) else None
    with pytest.raises(UnreachableError):
        bucket.scan()
    same(bucket.scans, before)


def test_a_folder_is_read_each_time(tmp_path: Path) -> None:
    folder = UPath(tmp_path)
    for file, content in FILES.items():
        write_bytes(folder / file, content)
    images = {split: folder / f"image_{split}" for split in ("train", "test")}
    place = CatalogFolder(folder, folder / "x.csv", folder / "y.csv", folder / "t.csv", images)  # type: ignore[arg-type]
    for _ in scan_shards(
        MANIFEST, ("00", "01"), place, LIMITS, 1, log=lambda _: None, listings=folder / "listings"
    ):
        pass
    assert not (folder / "listings").exists()


def same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for key, table in expected.items():
        pd.testing.assert_frame_equal(found[key], table)
