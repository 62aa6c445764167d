from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rakuten_assets
from rakuten_assets.errors import CatalogError, StoreError, UndecodableImageError
from rakuten_assets_tests.outputs.storages import catalogue, colour_of, published, with_pictures


def test_a_product_is_picture_row_scan_and_features_of_the_same_image(folder: Path) -> None:
    with_pictures(folder)
    data = rakuten_assets.load(folder)
    for number, image_id, split, row in ((4, 1004, "train", 4), (12, 1012, "test", 0)):
        product = data.product(imageid=image_id)
        assert product.picture.mode == "RGB"
        assert product.picture.size == (40, 30)
        assert product.picture.getpixel((3, 3)) == colour_of(number)
        assert (product.row["split"], product.row["row"]) == (split, row)
        assert product.scan["image_id"] == image_id
        assert product.scan["width"] == 40
        assert np.array_equal(product.features, data.of_split(product.row["split"]).X[row])
        assert data.product(productid=5000 + number).row["image_id"] == image_id
    assert "class 2583 swimming pools" in repr(data.product(imageid=1005))


def test_images_of_a_class_are_a_sequence(folder: Path) -> None:
    with_pictures(folder)
    data = rakuten_assets.load(folder)
    pools = data.images(code=2583)
    assert [product.row["row"] for product in pools] == [2, 5, 8, 11]
    assert len(pools[1:3]) == 2
    assert pools[-1].picture.getpixel((0, 0)) == colour_of(11)
    assert len(data.images()) == 17
    assert len(data.images(split="test")) == 5
    assert len(data.images(rows=data.frame.query("not valid"))) == 2
    with pytest.raises(IndexError):
        pools[4]


def test_a_notebook_shows_a_sheet_with_a_tile_for_each(folder: Path) -> None:
    with_pictures(folder)
    sheet = Image.open(io.BytesIO(rakuten_assets.load(folder).images(code=40)._repr_jpeg_()))
    assert sheet.format == "JPEG"
    assert sheet.width > 4 * 100
    pixels = np.asarray(sheet.convert("RGB"), dtype=int)
    seen = [(np.abs(pixels - colour_of(number)).sum(axis=2) < 20).sum() for number in (1, 4, 7, 10)]
    assert min(seen) > 500
    assert rakuten_assets.load(folder).images(code=40).sheet().size == sheet.size


def test_what_is_not_there_is_told_with_what_is(folder: Path) -> None:
    with_pictures(folder)
    data = rakuten_assets.load(folder)
    with pytest.raises(StoreError, match=r"class code 2584; there are: 10, 40, 2583"):
        data.images(code=2584)
    with pytest.raises(StoreError, match="test rows have no class"):
        data.images(code=10, split="test")
    with pytest.raises(StoreError, match=r"no split 'valid'; there are: train, test"):
        data.images(split="valid")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"no product has imageid 1.*for example 1000"):
        data.product(imageid=1)
    with pytest.raises(StoreError, match="name one id"):
        data.product()
    with pytest.raises(StoreError, match="name one id"):
        data.product(1000, 5000)


def test_an_image_that_does_not_decode_says_why_and_takes_no_other_with_it(folder: Path) -> None:
    with_pictures(folder)
    data = rakuten_assets.load(folder)
    bad = data.product(imageid=1003)
    assert not bad.row["valid"]
    assert not bad.features.any()
    assert bad.scan["status"] == "unreadable"
    with pytest.raises(UndecodableImageError, match="not_an_image"):
        bad.picture  # noqa: B018
    assert len(data.images(code=10)._repr_jpeg_()) > 1000


def test_a_file_that_was_replaced_since_is_not_shown_as_the_one_of_the_features(folder: Path) -> None:
    catalog = with_pictures(folder)
    data = rakuten_assets.load(folder)
    product = data.product(imageid=1004)
    path = catalog / "images" / product.row["file"]
    shutil.copy(catalog / "images" / data.product(imageid=1005).row["file"], path)
    with pytest.raises(
        StoreError, match=r"not the file that the features were made of.*image_scan --partition 00"
    ):
        product.picture  # noqa: B018
    path.unlink()
    with pytest.raises(CatalogError, match="cannot be read"):
        product.picture  # noqa: B018


def test_of_real_data_the_folder_must_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = with_pictures(folder, data="real files")
    with pytest.raises(CatalogError, match="set RAKUTEN_DATA_DIR"):
        rakuten_assets.load(folder).product(imageid=1004).picture  # noqa: B018
    named = rakuten_assets.load(folder, data_dir=str(catalog))
    assert named.product(imageid=1004).picture.size == (40, 30)
    monkeypatch.setenv("RAKUTEN_DATA_DIR", str(catalog))
    assert rakuten_assets.load(folder).product(imageid=1004).picture.size == (40, 30)


def test_a_copy_of_the_outputs_has_arrays_and_says_where_the_rest_is(folder: Path, tmp_path: Path) -> None:
    catalog = with_pictures(folder)
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder / "outputs", copy)
    data = rakuten_assets.load(copy)
    assert len(data.train) == 12
    product = data.product(imageid=1004)
    with pytest.raises(StoreError, match="the scan is part of the storage"):
        product.scan  # noqa: B018
    with pytest.raises(CatalogError, match="load the storage, or name the catalogue"):
        data.images()._repr_jpeg_()
    assert rakuten_assets.load(copy, data_dir=catalog).product(imageid=1004).picture.size == (40, 30)


def test_a_scan_that_is_missing_or_damaged_names_its_command(folder: Path) -> None:
    with_pictures(folder)
    data = rakuten_assets.load(folder)
    path = folder / "assets" / "image_scan" / "00.parquet"
    for damage, sentence in (
        (lambda: path.write_bytes(b"PAR1"), "cannot be read"),
        (path.unlink, "is missing"),
    ):
        damage()
        with pytest.raises(StoreError, match=rf"{sentence}.*--select image_scan --partition 00"):
            data.product(imageid=1004).scan  # noqa: B018


def test_ids_of_the_stand_in_are_those_of_the_index(folder: Path) -> None:
    published(folder)
    data = rakuten_assets.load(folder)
    assert data.train.ids.tolist() + data.test.ids.tolist() == catalogue(12, 5)["image_id"].tolist()
