"""One file, many names: label files, links and hard links never make two rows or a copy of one file."""

import os
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.integrity.__main__ import main
from rakuten_assets.integrity.collection import folder_collection
from rakuten_assets.storage.tables import read_table
from rakuten_assets_tests.integrity.gallery import product, save

CONTENT = b"any"


def folder_of(root: Path, *names: str) -> Path:
    save(root, dict.fromkeys(names, CONTENT))
    return root


def labels_of(folder: Path, *paths: str) -> Path:
    file = folder / "labels.csv"
    file.write_text(
        "path,label\n" + "".join(f'"{path}",c{place}\n' for place, path in enumerate(paths)), "utf-8"
    )
    return file


def labelled(root: Path, labels: Path) -> dict[str, str | None]:
    table = folder_collection(root, labels).table
    return {
        path: None if pd.isna(code) else code for path, code in zip(table["path"], table["code"], strict=True)
    }


@pytest.mark.parametrize(
    "written",
    ["./a/b.jpg", "a//b.jpg", "a/./b.jpg", ".//a///b.jpg", r"a\b.jpg", r".\a\b.jpg", "A/B.JPG", "a/b.JPG"],
)
def test_a_path_may_be_written_in_many_ways(tmp_path, written):
    root = folder_of(tmp_path / "images", "a/b.jpg", "c.jpg")
    assert labelled(root, labels_of(tmp_path, written)) == {"a/b.jpg": "c0", "c.jpg": None}


@pytest.mark.parametrize(("on_disk", "in_file"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_letters_are_the_same_in_each_unicode_form(tmp_path, on_disk, in_file):
    root = folder_of(tmp_path / "images", unicodedata.normalize(on_disk, "été/ñ.jpg"))
    found = labelled(root, labels_of(tmp_path, unicodedata.normalize(in_file, "été/ñ.jpg")))
    assert list(found.values()) == ["c0"]


def test_case_is_kept_apart_where_it_must_be(tmp_path):
    root = folder_of(tmp_path / "images", "a.jpg", "A.jpg")
    if len(list(root.iterdir())) == 1:
        pytest.skip("this file system knows no case")
    assert labelled(root, labels_of(tmp_path, "A.jpg", "a.jpg")) == {"A.jpg": "c0", "a.jpg": "c1"}
    ambiguous = labels_of(tmp_path, "a.jpg", "a.JPG")
    assert labelled(root, ambiguous) == {"A.jpg": None, "a.jpg": "c0", "a.JPG": "c1"}


@pytest.mark.parametrize(
    "written",
    ["/abs/a.jpg", r"C:\Users\me\a.jpg", "C:/a.jpg", "c:a.jpg", r"\\server\share\a.jpg", r"\a.jpg", "~/a.jpg",
     "file:///a.jpg", "s3://bucket/a.jpg", "../a.jpg", r"b\..\..\a.jpg", "", "./"],
)  # fmt: skip
def test_a_path_outside_the_folder_is_refused(tmp_path, written):
    root = folder_of(tmp_path / "images", "a.jpg")
    with pytest.raises(CatalogError, match=r"line 2: .* is not a path inside the folder"):
        folder_collection(root, labels_of(tmp_path, written))


def test_two_lines_of_one_file_are_refused_however_they_are_written(tmp_path):
    root = folder_of(tmp_path / "images", "a.jpg")
    (root / "link.jpg").symlink_to("a.jpg")
    for other in ("./a.jpg", "A.JPG", "link.jpg"):
        with pytest.raises(CatalogError, match=r"has a label already, in line 2, as 'a.jpg'"):
            folder_collection(root, labels_of(tmp_path, "a.jpg", other))


@pytest.mark.parametrize("prefix", ["images/", "data/images/"])
def test_paths_relative_to_another_folder_are_understood_and_it_is_said(tmp_path, prefix):
    root = folder_of(tmp_path / "images", "x/a.jpg", "x/b.jpg", "c.jpg")
    labels = labels_of(tmp_path, *(f"{prefix}{name}" for name in ("x/a.jpg", "x/b.jpg", "c.jpg")))
    assert labelled(root, labels) == {"c.jpg": "c2", "x/a.jpg": "c0", "x/b.jpg": "c1"}
    assert f"with {prefix!r} taken off its paths" in folder_collection(root, labels).notes[0]


def test_paths_may_lack_a_folder(tmp_path):
    root = folder_of(tmp_path / "images", "train/a.jpg", "train/b.jpg", "other/c.jpg")
    labels = labels_of(tmp_path, "a.jpg", "b.jpg")
    assert labelled(root, labels) == {"other/c.jpg": None, "train/a.jpg": "c0", "train/b.jpg": "c1"}
    assert "below 'train/'" in " ".join(folder_collection(root, labels).notes)


def test_where_nothing_matches_one_of_each_side_is_shown(tmp_path):
    root = folder_of(tmp_path / "images", "a.jpg", "b.jpg")
    with pytest.raises(CatalogError, match=r"none of the 2 paths .*'x1.png', the folder has 'a.jpg'"):
        folder_collection(root, labels_of(tmp_path, "x1.png", "x2.png"))
    with pytest.raises(CatalogError, match=r"did it mean 'a.jpg'"):
        folder_collection(root, labels_of(tmp_path, "a.jpeg", "b.jpeg"))


def test_where_some_match_nothing_it_is_said(tmp_path):
    root = folder_of(tmp_path / "images", "a.jpg", "b.jpg", "c.jpg")
    collection = folder_collection(root, labels_of(tmp_path, "a.jpg", "gone.jpg", "gone_too.jpg", "b.jpg"))
    assert (
        "2 of the 4 paths of labels.csv name no file; it has 'gone.jpg', the folder has 'c.jpg'"
        in collection.notes[0]
    )
    assert collection.table["path"].tolist() == ["a.jpg", "b.jpg", "c.jpg", "gone.jpg", "gone_too.jpg"]


def test_links_and_hard_links_are_one_file(tmp_path):
    root = folder_of(tmp_path / "images", "z/real.jpg", "other.jpg")
    (root / "a.jpg").symlink_to("z/real.jpg")
    os.link(root / "z/real.jpg", root / "z/twice.jpg")
    (root / "linked").symlink_to("z", target_is_directory=True)
    collection = folder_collection(root)
    assert collection.table["path"].tolist() == ["other.jpg", "z/real.jpg"]
    omitted = {one.what: one.count for one in collection.omissions}
    assert omitted["further names (links) of the same files"] == 2
    assert omitted["links to folders that were looked at already"] == 1


def test_links_to_folders_elsewhere_are_followed(tmp_path):
    folder_of(tmp_path / "elsewhere", "a.jpg", "deep/b.jpg")
    root = tmp_path / "images"
    root.mkdir()
    (root / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "twice").symlink_to(tmp_path / "elsewhere/deep", target_is_directory=True)
    (root / "up").symlink_to(tmp_path, target_is_directory=True)
    collection = folder_collection(root)
    assert collection.table["path"].tolist() == ["linked/a.jpg", "linked/deep/b.jpg"]
    assert {one.what for one in collection.omissions} == {
        "links to a folder above", "links to folders that were looked at already"
    }  # fmt: skip


def remaining(root: Path, out: Path) -> set[bytes]:
    """The pictures that are left when every line of duplicates.csv with keep=False is deleted."""
    table = pd.read_csv(out / "duplicates.csv")
    for name in set(table.loc[~table["keep"], "file"]):
        (root / name).unlink()
    return {path.read_bytes() for path in root.rglob("*.jpg") if path.exists()}


def test_duplicates_csv_is_safe_to_act_on(tmp_path):
    root = tmp_path / "images"
    save(root, {"m.jpg": product(1), "n.jpg": product(1), "solo.jpg": product(2)})
    (root / "a.jpg").symlink_to("m.jpg")
    os.link(root / "n.jpg", root / "b.jpg")
    (root / "c.jpg").symlink_to("solo.jpg")
    assert main([str(root), "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "duplicates.csv")
    assert len(table) == 2
    assert table["keep"].sum() == 1
    assert len(remaining(root, tmp_path / "out")) == 2


def test_rows_of_a_catalogue_whose_files_are_links_are_safe_too(tmp_path):
    root = tmp_path / "catalogue"
    header = ",designation,description,productid,imageid\n"
    rows = "".join(f"{row},name {row},,{20 + row},{10 + row}\n" for row in range(3))
    folder = "images/image_train"
    save(
        root,
        {
            "X_train_update.csv": (header + rows).encode(),
            "Y_train_CVw08PX.csv": b",prdtypecode\n0,10\n1,10\n2,10\n",
            "X_test_update.csv": (header + "9,name,,29,19\n").encode(),
            f"{folder}/image_12_product_22.jpg": product(1),
            "images/image_test/image_19_product_29.jpg": product(1),
        },
    )
    (root / folder / "image_10_product_20.jpg").symlink_to("image_12_product_22.jpg")
    os.link(root / folder / "image_12_product_22.jpg", root / folder / "image_11_product_21.jpg")
    assert main([str(root), "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "duplicates.csv").set_index("file")["keep"]
    assert table["image_train/image_11_product_21.jpg"]
    assert table["image_train/image_12_product_22.jpg"]
    assert table["image_train/image_10_product_20.jpg"]  # a link to what is kept
    assert not table["image_test/image_19_product_29.jpg"]


def test_a_path_may_go_up_and_down_and_lack_its_suffix_and_be_said_twice(tmp_path, capsys):
    save(tmp_path / "images", {f"{name}.jpg": product(number) for number, name in enumerate("abc")})
    labels = tmp_path / "l.csv"
    labels.write_text("path,label\nx/../a,1\n./b.jpg,2\nb,2\ny/z/../../c.jpg,3\n")
    common = ["--labels", str(labels), "--out", str(tmp_path / "out")]
    assert main([str(tmp_path / "images"), *common, "--fail-on", "missing"]) == 0
    said = capsys.readouterr().out
    assert "note: 1 lines of l.csv say of a file what an earlier line says (first: line 4, 'b')" in said
    table = read_table(tmp_path / "out" / "images.parquet", "images.parquet")
    assert table[["path", "code"]].to_numpy().tolist() == [["a.jpg", 1], ["b.jpg", 2], ["c.jpg", 3]]
    for outside in ("../a.jpg", "x/../../a.jpg", "x/.."):
        labels.write_text(f"path,label\n{outside},1\n")
        assert main([str(tmp_path / "images"), *common]) == 2
        assert "is not a path inside the folder" in capsys.readouterr().err


def test_a_name_without_suffix_that_two_files_have_is_none_of_them(tmp_path, capsys):
    save(tmp_path / "images", {"a.jpg": product(1), "a.png": product(2), "b.jpg": product(3)})
    labels = tmp_path / "l.csv"
    labels.write_text("path,label\na,1\nb,2\n")
    assert main([str(tmp_path / "images"), "--labels", str(labels), "--out", str(tmp_path / "out")]) == 0
    assert "1 of the 2 paths of l.csv name no file; it has 'a'" in capsys.readouterr().out
