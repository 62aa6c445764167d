from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from upath import UPath

from rakuten_assets.dataset.layout import find_catalog, image_file_name
from rakuten_assets.errors import CatalogError
from rakuten_assets_tests.dataset.conftest import SmallTables

WriteCatalog = Callable[[SmallTables], Path]
FILES = ("X_train_update.csv", "Y_train_CVw08PX.csv", "X_test_update.csv")


def test_everything_is_found(tables: SmallTables, write_catalog: WriteCatalog) -> None:
    root = write_catalog(tables)
    folder = find_catalog(str(root))
    assert str(folder.root) == str(root)
    assert [path.name for path in (folder.x_train, folder.y_train, folder.x_test)] == list(FILES)
    assert {split: str(path) for split, path in folder.images.items()} == {
        "train": str(root / "images" / "image_train"),
        "test": str(root / "images" / "image_test"),
    }


def test_images_may_be_nested_twice(tables: SmallTables, write_catalog: WriteCatalog) -> None:
    root = write_catalog(tables)
    (root / "images").rename(root / "packed")
    (root / "images").mkdir()
    (root / "packed").rename(root / "images" / "images")
    assert str(find_catalog(root).images["test"]) == str(root / "images" / "images" / "image_test")


def test_an_empty_outer_folder_does_not_hide_the_filled_inner_one(
    tables: SmallTables, write_catalog: WriteCatalog
) -> None:
    root = write_catalog(tables)
    inner = root / "images" / "images" / "image_train"
    inner.mkdir(parents=True)
    (inner / "image_1_product_2.jpg").touch()
    images = find_catalog(root).images
    assert str(images["train"]) == str(inner)
    assert str(images["test"]) == str(root / "images" / "image_test")


def test_a_bucket_is_searched_the_same_way() -> None:
    root = UPath(f"memory://{uuid.uuid4().hex}/catalogue")
    for name in FILES:
        (root / name).write_bytes(b"x")
    for name in ("image_train", "image_test"):
        (root / "images" / "images" / name / "image_1_product_2.jpg").write_bytes(b"x")
    folder = find_catalog(root)
    assert folder.x_train.read_bytes() == b"x"
    (path,) = folder.image_paths(["image_test/image_1_product_2.jpg"])
    assert path.read_bytes() == b"x"


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        find_catalog(tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "RAKUTEN_DATA_DIR" in message
    for name in (*FILES, "images/image_train/", "images/images/image_train/", "images/image_test/"):
        assert name in message


@pytest.mark.parametrize("name", FILES)
def test_one_missing_file_is_named_alone(tables: SmallTables, write_catalog: WriteCatalog, name: str) -> None:
    root = write_catalog(tables)
    (root / name).unlink()
    with pytest.raises(CatalogError, match=rf"lacks: {name} \(not in this folder\)\. "):
        find_catalog(root)


def test_a_folder_in_the_place_of_a_file_is_named(tables: SmallTables, write_catalog: WriteCatalog) -> None:
    root = write_catalog(tables)
    (root / FILES[0]).unlink()
    (root / FILES[0]).mkdir()
    with pytest.raises(CatalogError, match="a folder stands there"):
        find_catalog(root)


def test_a_file_in_the_place_of_an_image_folder_is_refused(
    tables: SmallTables, write_catalog: WriteCatalog
) -> None:
    root = write_catalog(tables)
    (root / "images" / "image_test").rmdir()
    (root / "images" / "image_test").touch()
    with pytest.raises(CatalogError, match=r"lacks: image_test/"):
        find_catalog(root)


def test_a_missing_folder_and_a_file_as_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="does not exist"):
        find_catalog(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(CatalogError, match="is a file, not a folder"):
        find_catalog(tmp_path / "file")


def test_image_paths_keep_their_order(tables: SmallTables, write_catalog: WriteCatalog) -> None:
    root = write_catalog(tables)
    names = [f"image_test/{image_file_name(2001, 4001)}", f"image_train/{image_file_name(1001, 3001)}"]
    paths = find_catalog(root).image_paths(names)
    expected = [root / "images" / name for name in names]
    assert (list(paths), paths[-1], list(paths[1:])) == (expected, expected[1], expected[1:])


@pytest.mark.parametrize(
    "file",
    [
        "../../etc/passwd",
        "image_train/../x.jpg",
        "image_train/..",
        "image_train/",
        "image_train",
        "/image_train/x.jpg",
        "image_train/a/b.jpg",
        "image_train/..\\x.jpg",
        "other/x.jpg",
        "",
    ],
)
def test_an_image_path_cannot_leave_its_folder(
    tables: SmallTables, write_catalog: WriteCatalog, file: str
) -> None:
    folder = find_catalog(write_catalog(tables))
    with pytest.raises(CatalogError, match="not an image of the catalogue"):
        folder.image_paths([file])
