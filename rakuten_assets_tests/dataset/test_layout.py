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


def _move(root: Path, places: dict[str, str]) -> None:
    """Give the two image folders a file each and put them somewhere else."""
    for name, place in places.items():
        (root / "images" / name / image_file_name(1, 2)).write_bytes(b"x")
        (root / "images" / name).rename(root / f"moved_{name}")
        (root / place).parent.mkdir(parents=True, exist_ok=True)
    for name, place in places.items():
        target = root / place
        if target.is_dir():
            target.rmdir()
        (root / f"moved_{name}").rename(target)


@pytest.mark.parametrize(
    "place",
    [
        "{name}",
        "{name}/{name}",
        "images/{name}/{name}",
        "images/images/{name}",
        "images/images/{name}/{name}",
        "images/{name}/images/{name}",
        "images/images/images/{name}",
        "data/pictures/{name}",
        "Images/{upper}",
    ],
)
def test_layouts_that_circulate_are_taken_as_they_are(
    tables: SmallTables, write_catalog: WriteCatalog, place: str
) -> None:
    root = write_catalog(tables)
    (root / ".DS_Store").touch()
    places = {name: place.format(name=name, upper=name.upper()) for name in ("image_train", "image_test")}
    _move(root, places)
    folder = find_catalog(root)
    for split in ("train", "test"):
        assert str(folder.images[split]) == str(root / places[f"image_{split}"])
    assert folder.image_paths([f"image_train/{image_file_name(1, 2)}"])[0].read_bytes() == b"x"


def test_a_catalogue_one_folder_deeper_is_found(tables: SmallTables, write_catalog: WriteCatalog) -> None:
    root = write_catalog(tables)
    inner = root / "rakuten"
    inner.mkdir()
    for path in list(root.iterdir()):
        if path != inner:
            path.rename(inner / path.name)
    (root / "__MACOSX").mkdir()
    assert str(find_catalog(root).root) == str(inner)


def test_two_folders_that_could_be_meant_are_named(tables: SmallTables, write_catalog: WriteCatalog) -> None:
    root = write_catalog(tables)
    for place in ("old", "new"):
        folder = root / place / "image_train"
        folder.mkdir(parents=True)
        (folder / image_file_name(1, 2)).touch()
    with pytest.raises(CatalogError, match="holds 2 folders image_train/ with files") as caught:
        find_catalog(root)
    assert str(root / "old" / "image_train") in str(caught.value)
    assert str(root / "new" / "image_train") in str(caught.value)


def test_images_in_a_folder_of_another_name_are_pointed_at(
    tables: SmallTables, write_catalog: WriteCatalog
) -> None:
    root = write_catalog(tables)
    (root / "images" / "image_train").rename(root / "images" / "train")
    (root / "images" / "train" / image_file_name(1, 2)).touch()
    (root / "images" / "image_test.zip").touch()
    with pytest.raises(CatalogError) as caught:
        find_catalog(root)
    message = str(caught.value)
    assert "images were seen in images/train/, images/image_test.zip, which is still packed" in message


@pytest.mark.parametrize(
    "name",
    ["x_train_update.csv", "X_train_update.CSV", "Copie de X_train_update.csv", "in/X_train_update.csv"],
)
def test_a_table_under_another_name_is_pointed_at(
    tables: SmallTables, write_catalog: WriteCatalog, name: str
) -> None:
    root = write_catalog(tables)
    (root / name).parent.mkdir(exist_ok=True)
    (root / FILES[0]).rename(root / name)
    with pytest.raises(CatalogError) as caught:
        find_catalog(root)
    assert f"X_train_update.csv (not in this folder, but seen: {name})" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "image_1_product_2.JPG",
        "image_1_product_2.jpeg",
        "image_1_product_2.Jpg",
        "IMAGE_1_PRODUCT_2.JPEG",
        "Copie de image_1_product_2.jpg",
        "Copie de Copie de image_1_product_2.jpg",
        "Copy of image_1_product_2.jpg",
        "image_1_product_2 (1).jpg",
        "image_1_product_2 - Copie.jpg",
        "image_1_product_2 copy.JPG",
    ],
)
def test_an_image_under_another_suffix_or_as_a_copy_is_taken(
    tables: SmallTables, write_catalog: WriteCatalog, name: str
) -> None:
    root = write_catalog(tables)
    (root / "images" / "image_train" / name).write_bytes(b"it")
    expected = "image_train/image_1_product_2.jpg"
    folder = find_catalog(root)
    assert folder.image_paths([expected])[0].read_bytes() == b"it"
    assert folder.other_names == {expected: f"image_train/{name}"}
    # The expected file, once it is there, is the one.
    (root / "images" / expected).write_bytes(b"itself")
    assert find_catalog(root).image_paths([expected])[0].read_bytes() == b"itself"


@pytest.mark.parametrize(
    "names",
    [
        ["image_1_product_2.JPG", "image_1_product_2.jpeg"],
        ["image_1_product_2_thumbnail.jpg"],
        ["old_image_1_product_2.jpg"],
        ["image_1_product_2.jpg.part"],
        ["image_1_product_23.JPG"],
        ["image_1_product_2.png"],
    ],
)
def test_a_file_that_may_be_another_is_not_taken(
    tables: SmallTables, write_catalog: WriteCatalog, names: list[str]
) -> None:
    root = write_catalog(tables)
    for name in names:
        (root / "images" / "image_train" / name).touch()
    (path,) = find_catalog(root).image_paths(["image_train/image_1_product_2.jpg"])
    assert path.name == "image_1_product_2.jpg"


def test_images_elsewhere_are_seen(tables: SmallTables, write_catalog: WriteCatalog) -> None:
    root = write_catalog(tables)
    assert find_catalog(root).seen_elsewhere() == ""
    for place in ("images/image_train/2583", "rest"):
        (root / place).mkdir()
        (root / place / image_file_name(1, 2)).touch()
    assert find_catalog(root).seen_elsewhere() == "rest/, images/image_train/2583/"
