"""The whole graph with its data and its storage on a bucket."""

from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

import rakuten_assets
from rakuten_assets.source import image_version
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import at_address, read_bytes
from rakuten_assets_tests.bucket import BUCKET, BucketServer
from rakuten_assets_tests.defs.conftest import SHARDS, TEST_ROWS, TRAIN_ROWS, Project, failure_of, stand_ins

# Of the whole graph over 3 shards, apart from images: 691 when this was written, 512 the second time.
MOST_REQUESTS = 740
# One a class, and a few whose file is odd.
MOST_SHOWN_BEFORE_THE_SCAN = 36
# What is missing, empty or no JPEG, by the scan and for contact sheets: 37 when this was written.
MOST_READ_AGAIN = 45


@pytest.fixture
def on_bucket(
    server: BucketServer, catalog: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Project:
    stand_ins(monkeypatch)
    data = at_address(f"s3://{BUCKET}/{request.node.name}/data")
    for file in catalog.rglob("*"):
        if file.is_file():
            write_bytes(data / file.relative_to(catalog).as_posix(), file.read_bytes())
    server.forget()
    return Project(data, data.parent / "storage", dg.DagsterInstance.ephemeral())  # type: ignore[arg-type]


def test_a_bucket_gives_the_bytes_of_a_folder(
    server: BucketServer, on_bucket: Project, finished: Project
) -> None:
    assert on_bucket.run_all().success
    first = list(server.requests)
    assert on_bucket.outputs() == finished.outputs()
    published = rakuten_assets.load(str(on_bucket.storage))
    assert (len(published.train.X), len(published.test.X)) == (TRAIN_ROWS, TEST_ROWS)

    images = [one for one in first if one.path.endswith(".jpg")]
    # Every row's image is asked for, each time by one request: only of an empty file there is no range to read.
    names = {one.path.rpartition("/")[2] for one in images}
    assert len(names) == TRAIN_ROWS + TEST_ROWS
    asked_twice = {one.path.rpartition("/")[2] for one in images if one.method != "GET"}
    empty = {path.name for path in finished.catalog.rglob("*.jpg") if not path.stat().st_size}
    assert empty
    assert asked_twice == empty
    # A dozen steps look at pictures: the scan reads them, and all that come after it have its bytes.
    asked = Counter(one.path.rpartition("/")[2] for one in images)
    with_content = {path.name for path in finished.catalog.rglob("*.jpg")} - empty
    assert max(asked[name] for name in with_content) <= 2
    assert len([name for name, times in asked.items() if times > 1]) < MOST_SHOWN_BEFORE_THE_SCAN
    rest = len(first) - len(images)
    print(f"{len(images)} requests for images, {rest} others")
    assert rest < MOST_REQUESTS

    server.forget()
    assert on_bucket.run_all().success
    # The listing says that nothing was replaced: only that is read again of which it does not say enough.
    images = [one for one in server.of("GET") if one.path.endswith(".jpg")]
    print(f"again: {len(images)} for images")
    assert len(images) < MOST_READ_AGAIN
    again = [one for one in server.requests if not one.path.endswith(".jpg")]
    print(f"again: {len(again)}")
    assert len(again) < MOST_REQUESTS
    assert not server.of("PUT", "/outputs/train_features")  # what is published already stays


def test_missing_shards_on_a_bucket_are_all_named(on_bucket: Project) -> None:
    assert on_bucket.run("x_train", "y_train", "x_test", "image_manifest").success
    assert on_bucket.run("image_scan", key="01").success
    said = failure_of(on_bucket.run("duplicate_groups"), "duplicate_groups")
    assert f"image_scan: {SHARDS - 1} of {SHARDS} partitions are missing" in said
    assert "00, 02" in said


def test_a_changed_image_on_a_bucket_is_noticed_by_one_listing(
    server: BucketServer, on_bucket: Project
) -> None:
    images = on_bucket.catalog / "images" / "image_train"
    before = image_version(images)
    server.forget()
    assert image_version(images) == before
    assert [one.method for one in server.requests] == ["GET"]
    one = next(path for path in images.iterdir() if path.is_file())
    content = read_bytes(one)
    key = str(one.path).removeprefix(f"{BUCKET}/")
    server.client.put_object(Bucket=BUCKET, Key=key, Body=content[:-1] + bytes([content[-1] ^ 1]))
    assert image_version(images) != before
