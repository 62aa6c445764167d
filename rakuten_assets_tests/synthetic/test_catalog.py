import json

import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.synthetic.catalog import (
    FAULTS_FILE,
    MARKER_FILE,
    SyntheticCatalog,
    read_catalog,
    write_faults,
    write_marker,
)
from rakuten_assets.synthetic.faults import FaultRecord

RECORD = FaultRecord(
    "near_duplicate", "train", 3, 3, 901, 4_200_000_000, 1280, "image_train/image_901_product_4200000000.jpg",
    "ok", "", "near_duplicate-0000", "cropped",
)  # fmt: skip
PARAMETERS = (40, 5, 1, True)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "catalog"
    root.mkdir()
    write_faults(root, [RECORD])
    for name in ("X_train_update.csv", "X_test_update.csv", "Y_train_CVw08PX.csv"):
        (root / name).write_text("")
    write_marker(root, SyntheticCatalog(root, *PARAMETERS, 45, 123_456, {"near_duplicate": 1}))
    return root


def test_what_is_written_is_read_back(folder):
    found = read_catalog(folder, *PARAMETERS)
    assert found == SyntheticCatalog(folder, *PARAMETERS, 45, 123_456, {"near_duplicate": 1}, reused=True)
    assert found.read_faults() == (RECORD,)


def test_the_marker_names_no_place_and_no_time(folder):
    marker = json.loads((folder / MARKER_FILE).read_text())
    assert set(marker) == {
        "generator", "version", "train_rows", "test_rows", "seed", "faults", "images", "image_bytes", "fault_counts",
        "faults_sha256", "checksum",
    }  # fmt: skip


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"version": "0"}', "\x00"])
def test_a_damaged_marker_is_refused(folder, content):
    (folder / MARKER_FILE).write_text(content)
    with pytest.raises(CatalogError, match="catalog"):
        read_catalog(folder, *PARAMETERS)


def test_a_marker_with_a_missing_count_is_refused(folder):
    marker = json.loads((folder / MARKER_FILE).read_text())
    del marker["images"]
    (folder / MARKER_FILE).write_text(json.dumps(marker))
    with pytest.raises(CatalogError, match="damaged"):
        read_catalog(folder, *PARAMETERS)


@pytest.mark.parametrize("name", ["X_train_update.csv", FAULTS_FILE])
def test_a_lost_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CatalogError, match=name):
        read_catalog(folder, *PARAMETERS)


def test_a_catalogue_of_another_generator_version_is_refused(folder):
    _as_release_0_1_0_wrote_it(folder, version="0")
    with pytest.raises(CatalogError, match="version '0' instead of"):
        read_catalog(folder, *PARAMETERS)


def test_a_catalogue_of_release_0_1_0_is_still_read(folder):
    _as_release_0_1_0_wrote_it(folder)
    found = read_catalog(folder, *PARAMETERS)
    assert found == SyntheticCatalog(folder, *PARAMETERS, 45, 123_456, {"near_duplicate": 1}, reused=True)
    assert found.read_faults() == (RECORD,)


def test_a_copied_or_renamed_catalogue_is_whole(folder):
    moved = folder.rename(folder.with_name("elsewhere"))
    assert read_catalog(moved, *PARAMETERS).read_faults() == (RECORD,)


def test_a_changed_list_of_faults_is_refused(folder):
    path = folder / FAULTS_FILE
    path.write_text(path.read_text().replace("cropped", "copied"))
    with pytest.raises(CatalogError, match=r"synthetic_faults.csv is damaged .*generate"):
        read_catalog(folder, *PARAMETERS).read_faults()


def _as_release_0_1_0_wrote_it(folder, **changes):
    marker = json.loads((folder / MARKER_FILE).read_text())
    del marker["checksum"], marker["faults_sha256"]
    (folder / MARKER_FILE).write_text(json.dumps({**marker, **changes}))


def test_no_folder_and_an_empty_one_hold_no_catalogue(tmp_path):
    assert read_catalog(tmp_path / "none", *PARAMETERS) is None
    assert read_catalog(tmp_path, *PARAMETERS) is None
