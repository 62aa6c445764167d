from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.dataset.contract import (
    check_catalog,
    codes_of_rows,
    content_version,
    read_labels,
    read_labels_and_places,
    read_products,
)
from rakuten_assets.errors import CatalogError
from rakuten_assets_tests.dataset.conftest import PRODUCT_HEADER, SmallTables, csv_bytes

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def products(path: Path, rows: list[list[str]], header: list[str] | None = None) -> Path:
    path.write_bytes(csv_bytes(PRODUCT_HEADER if header is None else header, rows))
    return path


@pytest.fixture
def frames(tables: SmallTables, write_catalog: Callable[[SmallTables], Path]) -> Frames:
    root = write_catalog(tables)
    return (
        read_products(root / "X_train_update.csv", "train"),
        read_labels(root / "Y_train_CVw08PX.csv"),
        read_products(root / "X_test_update.csv", "test"),
    )


def test_products_keep_order_types_and_text(frames: Frames) -> None:
    x_train = frames[0]
    assert x_train.index.tolist() == [0, 1, 2, 7]
    assert x_train.index.name == "index"
    assert x_train.index.dtype == np.int64
    assert list(x_train.columns) == ["designation", "description", "productid", "imageid"]
    assert x_train["productid"].dtype == x_train["imageid"].dtype == np.int64
    assert x_train["imageid"].tolist() == [1001, 1002, 1003, 1004]
    assert x_train["designation"].tolist() == ["Piscine <b>ronde</b>", "Console", "", "Livre d&#39;occasion"]
    assert x_train["description"].isna().tolist() == [False, True, False, False]
    assert x_train["description"].iloc[0] == 'dite "été", bleue\nune ligne de plus'
    assert x_train["description"].iloc[3] == "NA"


def test_labels_are_matched_by_index_not_by_position(frames: Frames) -> None:
    x_train, y_train, x_test = frames
    check_catalog(x_train, y_train, x_test)
    codes = codes_of_rows(x_train, y_train)
    assert codes.dtype == np.int64
    assert codes.tolist() == [2583, 60, 2583, 10]


@pytest.mark.parametrize("first", ["", "id", "index"])
def test_the_index_header_may_be_named(tmp_path: Path, tables: SmallTables, first: str) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(csv_bytes([first, "prdtypecode"], tables.y_train, "\r\n"))
    labels = read_labels(path)
    assert labels.index.name == "index"
    assert labels["prdtypecode"].tolist() == [10, 2583, 60, 2583]
    named = products(tmp_path / "x.csv", tables.x_test, [first, *PRODUCT_HEADER[1:]])
    assert read_products(named, "test").index.tolist() == [84916, 84917]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["", "designation", "description", "productid"], ["missing: imageid"]),
        (["", "designation", "description", "productid", "imageid", "extra"], ["not expected: 'extra'"]),
        (["", "designation", "description", "imageid", "productid"], ["in another order"]),
        (["designation", "description", "productid", "imageid"], ["first column must be the index"]),
        (["nr", *PRODUCT_HEADER[1:]], ["first header must be empty", "'nr'"]),
        (
            ["", "Designation", "description", "productid", "imageid"],
            ["missing: designation", "'Designation'"],
        ),
        (
            ["", "designation", "designation", "productid", "imageid"],
            ["missing: description", "occurs twice"],
        ),
        ([";".join([*PRODUCT_HEADER, "extra"])], ["not separated by commas"]),
        (["0", "Piscine", "", "3001", "1001"], ["missing: designation"]),
    ],
)
def test_a_wrong_header_is_explained(tmp_path: Path, header: list[str], words: list[str]) -> None:
    path = products(tmp_path / "x.csv", [["1"] * len(header)], header)
    with pytest.raises(CatalogError) as caught:
        read_products(path, "train")
    message = str(caught.value)
    expected = "`,designation,description,productid,imageid`"
    assert all(word in message for word in [str(path), "line 1", expected, *words]), message


@pytest.mark.parametrize(
    ("separator", "name"), [(";", "semicolons (';')"), ("\t", "tabs ('\\t')"), ("|", "vertical bars ('|')")]
)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("table", ["x_train", "y_train", "x_test"])
def test_another_separator_is_told_before_the_rows(
    tmp_path: Path, tables: SmallTables, table: str, quoting: Literal[0, 1], separator: str, name: str
) -> None:
    """Texts hold commas: the rows, read as they stand, would seem to have too many fields."""
    path, header = tmp_path / f"{table}.csv", ["", "prdtypecode"] if table == "y_train" else PRODUCT_HEADER
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=separator, quoting=quoting).writerows([header, *getattr(tables, table)])
    with pytest.raises(CatalogError) as caught:
        read_labels(path) if table == "y_train" else read_products(path, "train")
    assert str(caught.value) == (
        f"{path}, line 1: the fields are separated by {name}, expected are commas as in `{','.join(header)}`. Export "
        "the table again as CSV with commas, or restore the original file"
    )


def test_a_wrong_header_is_told_before_the_rows_that_it_makes_look_wrong(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(b"\nindex;code\n0;10\n1;1,5\n")
    with pytest.raises(CatalogError, match=r"y\.csv, line 2: the header is .*not separated by commas"):
        read_labels(path)


def test_a_header_over_two_lines_is_compared_too(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(b',"prdtype\ncode"\n0,10\n')
    with pytest.raises(CatalogError, match="missing: prdtypecode"):
        read_labels(path)


def test_labels_with_the_products_header_are_refused(tmp_path: Path, tables: SmallTables) -> None:
    with pytest.raises(CatalogError, match="missing: prdtypecode"):
        read_labels(products(tmp_path / "y.csv", tables.x_train))


@pytest.mark.parametrize("content", [b"", b",designation,description,productid,imageid\n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=r"x\.csv (is empty|holds a header and no row)"):
        read_products(path, "test")


@pytest.mark.parametrize(("column", "name"), [(0, "index"), (3, "productid"), (4, "imageid")])
def test_a_duplicate_is_named_with_both_lines(
    tmp_path: Path, tables: SmallTables, column: int, name: str
) -> None:
    tables.x_train[3][column] = tables.x_train[1][column]
    with pytest.raises(CatalogError) as caught:
        read_products(products(tmp_path / "x.csv", tables.x_train), "train")
    # The first row's text spans two lines, so that row 1 starts on line 4.
    value = tables.x_train[1][column]
    assert f"line 6 (row 3): {name} {value} was already on line 4 (row 1)" in str(caught.value)


@pytest.mark.parametrize(("column", "name"), [(0, "index"), (3, "productid"), (4, "imageid")])
@pytest.mark.parametrize("value", ["", "12.0", "-5", "../../etc/passwd", "9223372036854775808"])
def test_an_id_that_is_no_whole_number_is_named(
    tmp_path: Path, tables: SmallTables, column: int, name: str, value: str
) -> None:
    tables.x_train[2][column] = value
    with pytest.raises(
        CatalogError, match=rf"x\.csv, line 5 \(row 2\): {name} is {re.escape(repr(value))}; expected"
    ):
        read_products(products(tmp_path / "x.csv", tables.x_train), "train")


@pytest.mark.parametrize("value", ["0", "-1", "", "10.0", "abc"])
def test_a_code_must_be_a_positive_whole_number(tmp_path: Path, value: str) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(csv_bytes(["", "prdtypecode"], [["0", "10"], ["1", value]]))
    with pytest.raises(CatalogError, match=r"y\.csv, line 3 \(row 1\): prdtypecode is .*from 1 to"):
        read_labels(path)


def test_a_second_label_for_a_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(csv_bytes(["", "prdtypecode"], [["0", "10"], ["0", "10"]]))
    with pytest.raises(CatalogError, match=r"line 3 \(row 1\): index 0 was already on line 2"):
        read_labels(path)


def test_a_code_outside_the_27_is_no_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(b",prdtypecode\n0,12345\n")
    assert read_labels(path)["prdtypecode"].tolist() == [12345]


def test_labels_know_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(b",prdtypecode\n4,10\n\n2,40\n")
    labels, place_of = read_labels_and_places(path)
    assert labels.equals(read_labels(path))
    assert [place_of(row) for row in range(2)] == [f"{path}, line 2 (row 0)", f"{path}, line 4 (row 1)"]


def test_a_row_without_label_is_named(frames: Frames) -> None:
    x_train, y_train, x_test = frames
    with pytest.raises(
        CatalogError, match=r"X_train_update\.csv: row 1 \(index 1, imageid 1002\) has no label.*1 such"
    ):
        check_catalog(x_train, y_train.drop(index=1), x_test)


def test_a_label_without_row_is_named(frames: Frames) -> None:
    x_train, y_train, x_test = frames
    with pytest.raises(
        CatalogError,
        match=r"Y_train_CVw08PX\.csv: row 0 \(index 7, prdtypecode 10\) labels a row that X_train",
    ):
        check_catalog(x_train.drop(index=7), y_train, x_test)


def test_a_repeated_label_in_a_table_is_named(frames: Frames) -> None:
    x_train, y_train, _ = frames
    with pytest.raises(CatalogError, match=r"row 4: index 7 has more than one label"):
        codes_of_rows(x_train, pd.concat([y_train, y_train.head(1)]))


@pytest.mark.parametrize("name", ["imageid", "productid"])
def test_train_and_test_share_no_id(frames: Frames, name: str) -> None:
    x_train, y_train, x_test = frames
    value = x_train[name].iloc[2]
    x_test[name] = [x_test[name].iloc[0], value]
    pattern = (
        rf"X_test_update\.csv: row 1 \(index 84917\): {name} {value} is also in .*row 2 \(index 2; 1 such"
    )
    with pytest.raises(CatalogError, match=pattern):
        check_catalog(x_train, y_train, x_test)


def test_an_image_id_may_equal_a_product_id(frames: Frames) -> None:
    x_train, y_train, x_test = frames
    x_test["imageid"] = x_train["productid"].iloc[:2].to_numpy()
    check_catalog(x_train, y_train, x_test)


@pytest.mark.parametrize("name", ["imageid", "productid", "index"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_ids_are_unique_in_tables_from_elsewhere_too(frames: Frames, name: str, split: str) -> None:
    x_train, y_train, x_test = frames
    frame = x_train if split == "train" else x_test
    if name == "index":
        frame.index = pd.Index([*frame.index[:-1], frame.index[0]], name="index")
    else:
        frame[name] = [*frame[name].iloc[:-1], frame[name].iloc[0]]
    pattern = rf"X_{split}_update\.csv: row {len(frame) - 1} .*{name} \d+ occurs more than once"
    with pytest.raises(CatalogError, match=pattern):
        check_catalog(x_train, y_train, x_test)


def test_copies_of_a_file_have_one_version(tmp_path: Path, tables: SmallTables) -> None:
    plain = csv_bytes(PRODUCT_HEADER, tables.x_train)
    copies = [
        plain,
        plain.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + plain,
        csv_bytes(["index", *PRODUCT_HEADER[1:]], tables.x_train),
        plain.replace(b"1,Console,,", b'"1","Console","",'),
    ]
    versions = set()
    for content in copies:
        (tmp_path / "x.csv").write_bytes(content)
        versions.add(content_version(read_products(tmp_path / "x.csv", "train")))
    assert len(set(copies)) == 5
    assert len(versions) == 1


def test_a_version_does_not_change_from_release_to_release() -> None:
    frame = pd.DataFrame(
        {"text": pd.Series(["é", None, ""], dtype="str"), "code": pd.array([1, None, 3], dtype="Int64")}
    )
    assert content_version(frame) == "a95d351dad4f99a72e1477875aad4bd49bfd89c6f3aeba09e53b6d68716732aa"


@pytest.mark.parametrize("dtype", ["str", "object", "string"])
def test_a_version_does_not_depend_on_how_a_frame_was_put_together(dtype: str) -> None:
    whole = pd.DataFrame({"text": pd.Series(["é", None, "", "xyz", None], dtype=dtype)})
    parts = pd.concat([whole.iloc[:2], whole.iloc[2:2], whole.iloc[2:]])
    longer = pd.concat([whole.iloc[3:], whole]).iloc[2:]
    assert content_version(parts) == content_version(longer) == content_version(whole)
    assert content_version(parts.iloc[1:2]) == content_version(whole.iloc[1:2].astype("str"))
    assert content_version(parts.iloc[:0]) == content_version(whole.iloc[:0].astype("str"))


texts = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=4))
columns = st.lists(st.tuples(texts, texts, st.one_of(st.none(), st.integers(0, 3))), min_size=1, max_size=4)


def framed(rows: list[tuple[str | None, str | None, int | None]]) -> pd.DataFrame:
    first, second, number = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "a": pd.Series(first, dtype="str"),
            "b": pd.Series(second, dtype="str"),
            "n": pd.array(number, dtype="Int64"),
        }
    )


@settings(max_examples=200)
@given(columns, columns)
def test_versions_are_equal_exactly_for_equal_content(
    left: list[tuple[str | None, str | None, int | None]],
    right: list[tuple[str | None, str | None, int | None]],
) -> None:
    assert (content_version(framed(left)) == content_version(framed(right))) == (left == right)


def test_order_index_and_names_belong_to_the_version(frames: Frames) -> None:
    x_train = frames[0]
    variants = [
        x_train,
        x_train.iloc[::-1],
        x_train.set_axis([0, 1, 2, 8]),
        x_train.rename(columns={"imageid": "productid", "productid": "imageid"}),
        x_train.fillna(""),
    ]
    assert len({content_version(variant) for variant in variants}) == 5


def test_a_column_that_a_version_cannot_cover_is_refused() -> None:
    with pytest.raises(TypeError, match="column 'share' has type float64"):
        content_version(pd.DataFrame({"share": [0.5]}))
