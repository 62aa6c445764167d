from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.dataset.manifest import COLUMN_DESCRIPTIONS, build_manifest, shard_rows
from rakuten_assets.dataset.sharding import shard_keys, shard_of
from rakuten_assets.errors import CatalogError, ManifestError


def products(ids: list[tuple[int, int]], first_index: int) -> pd.DataFrame:
    index = pd.RangeIndex(first_index, first_index + len(ids), name="index")
    images, items = [image for image, _ in ids], [product for _, product in ids]
    return pd.DataFrame(
        {"designation": "x", "description": None, "productid": items, "imageid": images}, index=index
    ).astype({"productid": "int64", "imageid": "int64"})


def labels(codes: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"prdtypecode": codes}, index=pd.RangeIndex(len(codes), name="index"), dtype="int64")


def test_each_image_has_one_row_in_csv_order() -> None:
    train, test = [(11, 21), (5, 99), (7, 3)], [(6, 1), (4, 2)]
    # The label file's own order must not matter.
    y_train = labels([10, 2583, 60]).iloc[::-1]
    manifest = build_manifest(products(train, 0), y_train, products(test, 84916), shards=4)
    assert tuple(manifest.columns) == tuple(COLUMN_DESCRIPTIONS)
    assert manifest["split"].tolist() == ["train"] * 3 + ["test"] * 2
    assert manifest["row"].tolist() == [0, 1, 2, 0, 1]
    assert manifest["index"].tolist() == [0, 1, 2, 84916, 84917]
    assert list(zip(manifest["image_id"], manifest["product_id"], strict=True)) == train + test
    assert manifest["file"].tolist() == [
        "image_train/image_11_product_21.jpg",
        "image_train/image_5_product_99.jpg",
        "image_train/image_7_product_3.jpg",
        "image_test/image_6_product_1.jpg",
        "image_test/image_4_product_2.jpg",
    ]
    assert manifest["code"].iloc[:3].tolist() == [10, 2583, 60]
    assert manifest["code"].iloc[3:].isna().all()
    assert manifest["shard"].tolist() == [shard_of(image, product, 4) for image, product in train + test]
    assert manifest.index.equals(pd.RangeIndex(5))
    assert {str(manifest[name].dtype) for name in ("row", "index", "image_id", "product_id")} == {"int64"}
    assert str(manifest["code"].dtype) == "Int64"


def test_a_catalogue_without_test_rows_keeps_its_types() -> None:
    manifest = build_manifest(products([(1, 2)], 0), labels([10]), products([], 1), shards=2)
    assert len(manifest) == 1
    assert (str(manifest["code"].dtype), str(manifest["row"].dtype)) == ("Int64", "int64")


pairs = st.lists(
    st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), min_size=1, max_size=30, unique=True
)


@settings(max_examples=30, deadline=None)
@given(pairs, st.integers(0, 29), st.integers(1, 5))
def test_the_shards_part_the_manifest_and_keep_its_order(
    ids: list[tuple[int, int]], train_rows: int, count: int
) -> None:
    train, test = ids[:train_rows], ids[train_rows:]
    manifest = build_manifest(products(train, 0), labels([10] * len(train)), products(test, 100), count)
    parts = [shard_rows(manifest, key) for key in shard_keys(count)]
    assert sum(map(len, parts)) == len(manifest)
    for key, part in zip(shard_keys(count), parts, strict=True):
        assert part.index.equals(pd.RangeIndex(len(part)))
        kept = manifest[manifest["shard"] == key].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, kept)
        halves = [shard_rows(manifest, key, "train"), shard_rows(manifest, key, "test")]
        assert [set(half["split"]) for half in halves] == [
            {"train"} & set(part["split"]),
            {"test"} & set(part["split"]),
        ]
        assert pd.concat(halves)["file"].tolist() == part["file"].tolist()


def test_a_row_stays_in_its_shard_when_others_come_and_go() -> None:
    ids = [(number, number + 1) for number in range(50)]
    whole = build_manifest(products(ids, 0), labels([10] * 50), products([], 99), 4)
    fewer = build_manifest(products(ids[10:], 0), labels([10] * 40), products(ids[:3], 99), 4)
    place = dict(zip(whole["image_id"], whole["shard"], strict=True))
    assert all(place[image] == shard for image, shard in zip(fewer["image_id"], fewer["shard"], strict=True))


def test_labels_that_do_not_match_are_refused() -> None:
    with pytest.raises(CatalogError, match="has no label"):
        build_manifest(products([(1, 2), (3, 4)], 0), labels([10]), products([], 9), 2)


def test_no_shards_is_refused() -> None:
    with pytest.raises(ManifestError, match="0 shards"):
        build_manifest(products([(1, 2)], 0), labels([10]), products([], 9), 0)
