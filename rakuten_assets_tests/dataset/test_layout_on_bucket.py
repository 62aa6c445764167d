"""Where the challenge's files lie in a bucket: found by few requests, however many images there are."""

import uuid

import pytest
from upath import UPath

from rakuten_assets.dataset.layout import TABLES, find_catalog
from rakuten_assets.errors import CatalogError, UnreachableError
from rakuten_assets.storage.reading import at_address, bucket_files, is_folder, some_files
from rakuten_assets_tests.bucket import BUCKET, BucketServer

FOLDERS = ("images/image_train", "images/image_test")


@pytest.fixture
def root(server: BucketServer, request: pytest.FixtureRequest) -> UPath:
    server.answer = lambda _: None
    return at_address(f"s3://{BUCKET}/{request.node.name}")


def put(server: BucketServer, root: UPath, *names: str) -> None:
    key, client = str(root.path).partition("/")[2], server.client
    for name in names:
        client.put_object(Bucket=BUCKET, Key=f"{key}/{name}" if key else name, Body=b"x")
    server.forget()


def test_no_listing_of_all_images(server: BucketServer, root: UPath) -> None:
    put(server, root, *TABLES, *(f"{folder}/{number:04}.jpg" for folder in FOLDERS for number in range(60)))
    assert find_catalog(root).images["train"] == root / FOLDERS[0]
    assert len(server.requests) == 3
    most = [int(one.query["max-keys"][0]) for one in server.requests if "image_" in str(one.query)]
    assert len(most) == 2
    assert max(most) < 60


@pytest.mark.parametrize(
    "hiding", ["images/image_train/", "images/image_train/.DS_Store", "images/image_train/deeper/1.jpg"]
)
def test_a_folder_without_images_hides_no_other(server: BucketServer, root: UPath, hiding: str) -> None:
    put(server, root, *TABLES, hiding, "images/images/image_train/1.jpg", "images/image_test/1.jpg")
    found = find_catalog(root).images
    assert found == {"train": root / "images/images/image_train", "test": root / "images/image_test"}


def test_an_empty_folder_is_taken_where_there_is_no_other(server: BucketServer, root: UPath) -> None:
    put(server, root, *TABLES, "images/image_train/", "images/image_test/1.jpg")
    assert find_catalog(root).images["train"] == root / "images/image_train"


def test_images_behind_many_hidden_files_are_seen(server: BucketServer, root: UPath) -> None:
    put(server, root, *(f"images/.{number}" for number in range(30)), "images/1.jpg")
    assert some_files(root / "images") == ["1.jpg"]
    assert some_files(root / "none") == []


def test_a_catalogue_one_folder_deeper_is_found(server: BucketServer, root: UPath) -> None:
    names = (*TABLES, *(f"{folder}/1.jpg" for folder in FOLDERS))
    put(server, root, *(f"inner/{name}" for name in names), "other/file")
    assert find_catalog(root).root == root / "inner"


def test_the_whole_bucket_may_be_the_catalogue(server: BucketServer) -> None:
    put(server, at_address(f"s3://{BUCKET}"), *TABLES, *(f"{folder}/1.jpg" for folder in FOLDERS))
    assert find_catalog(f"s3://{BUCKET}").images["test"].name == "image_test"
    assert is_folder(at_address(f"s3://{BUCKET}"))


@pytest.mark.parametrize("there", [(), (TABLES[0],)])
def test_what_is_missing_is_named(server: BucketServer, root: UPath, there: tuple[str, ...]) -> None:
    put(server, root, *there)
    with pytest.raises(CatalogError, match=r"image_train/ \(looked for|does not exist"):
        find_catalog(root)


def test_a_file_in_the_folders_place_is_named(server: BucketServer, root: UPath) -> None:
    put(server, root, "file")
    with pytest.raises(CatalogError, match="is a file, not a folder"):
        find_catalog(root / "file")
    assert not is_folder(root / "file")


def test_a_file_is_no_folder_of_images_on_any_store() -> None:
    root = UPath(f"memory://{uuid.uuid4().hex}/catalogue")
    for name in (*TABLES, "images/image_train", "images/images/image_train/1.jpg", "images/image_test/1.jpg"):
        (root / name).write_bytes(b"x")
    assert find_catalog(root).images["train"] == root / "images/images/image_train"
    with pytest.raises(NotADirectoryError):
        bucket_files(root / TABLES[0])


def test_a_folder_of_images_alone_is_refused_by_few_requests(server: BucketServer, root: UPath) -> None:
    put(server, root, *(f"image_train/{number}.jpg" for number in range(60)), "image_test/1.jpg")
    for place in (root, root / "image_train", root / "image_train" / "1.jpg"):
        server.forget()
        with pytest.raises(CatalogError):
            find_catalog(place)
        assert len(server.requests) < 40
    with pytest.raises(CatalogError, match="is a file, not a folder"):
        find_catalog(root / "image_train" / "1.jpg")


def test_an_access_point_is_a_bucket(root: UPath) -> None:
    asked: list[str] = []
    place = at_address("s3://arn:aws:s3:us-east-1:123456789012:accesspoint/mine/images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(place.fs), "call_s3", lambda _, action, **where: asked.append(where["Bucket"]) or {}
        )
        assert some_files(place) == []
    assert asked == ["arn:aws:s3:us-east-1:123456789012:accesspoint/mine"]


def test_a_folder_without_a_name_is_refused() -> None:
    with pytest.raises(CatalogError, match="write one slash"):
        find_catalog(f"s3://{BUCKET}//data")


def test_no_answer_says_nothing_of_what_is_there(server: BucketServer, root: UPath) -> None:
    put(server, root, *TABLES, *(f"{folder}/1.jpg" for folder in FOLDERS))
    server.answer = lambda _: 503
    with pytest.raises(UnreachableError):
        is_folder(root / "images")
    server.answer = lambda _: 403
    with pytest.raises(PermissionError):
        some_files(root / "images")
