import os
from pathlib import Path

import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.integrity.collecting.identity import printable
from rakuten_assets.integrity.collection import SYNTHETIC_MARKER, find_challenge_folders, folder_collection
from rakuten_assets.synthetic.catalog import MARKER_FILE
from rakuten_assets_tests.integrity.gallery import product, save


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(folder: Path, **options: Path) -> list[str]:
    return folder_collection(folder, **options).table["path"].tolist()


def test_images_are_found_at_any_depth_in_the_order_of_their_paths(tmp_path):
    touch(
        tmp_path, "b.JPG", "a b.jpeg", "é/日本.png", "deep/er/x.webp", "notes.txt", "no_suffix", "x.jpg.part"
    )
    touch(tmp_path, ".hidden.jpg", ".git/x.jpg")
    assert names(tmp_path) == ["a b.jpeg", "b.JPG", "deep/er/x.webp", "é/日本.png"]
    assert folder_collection(tmp_path).paths[3] == tmp_path / "é" / "日本.png"


def test_links_make_no_loop_and_a_broken_one_is_a_missing_image(tmp_path):
    touch(tmp_path, "a/x.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a" / "x.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    assert names(tmp_path) == ["a/x.jpg", "broken.jpg", "self.jpg"]


def test_the_report_itself_is_left_out(tmp_path):
    touch(tmp_path, "x.jpg", "out/y.jpg", "out/deep/z.jpg", "output/w.jpg")
    assert names(tmp_path, skip=tmp_path / "out") == ["output/w.jpg", "x.jpg"]


def test_a_name_that_is_no_text_can_still_be_written(tmp_path):
    assert printable(os.fsdecode(b"caf\xe9.jpg")) == "caf\\xe9.jpg"
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    collection = folder_collection(tmp_path)
    assert collection.table["path"].tolist() == ["caf\\xe9.jpg"]
    assert collection.paths[0].exists()


def test_a_folder_without_images_is_refused(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(CatalogError, match=r"there is no image in .*\.jpg"):
        folder_collection(tmp_path)


def test_a_folder_that_cannot_be_listed_is_said_and_not_the_end(tmp_path, monkeypatch):
    touch(tmp_path, "x.jpg", "closed/y.jpg")
    scandir = os.scandir
    closed = {"closed"}

    def guarded(folder):
        if Path(folder).name in closed:
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    collection = folder_collection(tmp_path)
    assert collection.table["path"].tolist() == ["x.jpg"]
    assert collection.closed == {"closed": "Permission denied"}
    closed.add(tmp_path.name)
    with pytest.raises(CatalogError, match=r"cannot be listed \(Permission denied\)"):
        folder_collection(tmp_path)


def test_labels_and_splits_come_from_a_file(tmp_path):
    touch(tmp_path, "a.jpg", "b/c.jpg", "d.jpg")
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "﻿path,label,split\r\na.jpg,10,train\r\nb\\c.jpg,40,\r\ngone.jpg,10,test\r\n", encoding="utf-8"
    )
    collection = folder_collection(tmp_path, labels)
    table = collection.table.set_index("path")
    assert table.index.tolist() == ["a.jpg", "b/c.jpg", "d.jpg", "gone.jpg"]
    assert table["split"].tolist() == ["train", "", "", "test"]
    assert table["code"].fillna(-1).tolist() == [10, 40, -1, 10]
    assert collection.paths[3] == tmp_path / "gone.jpg"


def test_classes_may_be_words(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg")
    labels = tmp_path / "labels.csv"
    labels.write_text("label,file\ncat,a.jpg\n10,b.jpg\n")
    assert folder_collection(tmp_path, labels).table["code"].tolist() == ["cat", "10"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "needs a column `path`"),
        ("name,label\na.jpg,1\n", "needs a column `path`"),
        ("path,label\na.jpg\n", "line 2: 1 fields under a header of 2"),
        ("path,label\na.jpg,1\na.jpg,2\n", "line 3: 'a.jpg' has a label already"),
        ("path,label\n../a.jpg,1\n", "not a path inside the folder"),
        ("path,label\n/etc/a.jpg,1\n", "not a path inside the folder"),
        ("path,label,split\na.jpg,1,validation\n", "'validation' is not allowed"),
        ('path,label\n"a.jpg,1\n', "cannot be read as CSV"),
        (b"path,label\n\xff\xfe,1\n", "cannot be read as CSV in UTF-8"),
    ],
)
def test_a_label_file_that_makes_no_sense_is_refused(tmp_path, content, problem):
    touch(tmp_path, "a.jpg")
    labels = tmp_path / "labels.csv"
    labels.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CatalogError, match=problem):
        folder_collection(tmp_path, labels)
    with pytest.raises(CatalogError, match="No such file"):
        folder_collection(tmp_path, tmp_path / "none.csv")


def test_the_marker_is_the_generators():
    assert SYNTHETIC_MARKER == MARKER_FILE


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_looked_into_is_no_catalogue_and_no_end(tmp_path):
    save(tmp_path, {"a.jpg": product(1), "closed/b.jpg": product(2)})
    (tmp_path / "closed").chmod(0o000)
    try:
        assert find_challenge_folders(tmp_path) == []
        collection = folder_collection(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert collection.table["path"].tolist() == ["a.jpg"]
    assert list(collection.closed) == ["closed"]
