from __future__ import annotations

import csv
import io
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.dataset.text_table import TextTable, read_text_table, shorten
from rakuten_assets.errors import CatalogError
from rakuten_assets_tests.dataset.conftest import csv_bytes

HINT = "`a,b`"


def read(content: bytes) -> TextTable:
    with tempfile.TemporaryDirectory() as folder:
        path = UPath(folder) / "table.csv"
        path.write_bytes(content)
        return read_text_table(path, HINT)


def rows(table: TextTable) -> list[list[str]]:
    return [list(row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]


fields = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@settings(max_examples=150)
@given(st.lists(st.tuples(fields, fields), max_size=20), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_was_written_is_read(written: list[tuple[str, str]], line_end: str, mark: bool) -> None:
    content = (b"\xef\xbb\xbf" if mark else b"") + csv_bytes(["a", "b"], written, line_end)
    table = read(content)
    assert table.header == ("a", "b")
    assert rows(table) == [[value.replace("\r\n", "\n") for value in row] for row in written]


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.text('ab\n,"é', max_size=8), st.text("ab\n", max_size=8)), min_size=1, max_size=8)
)
def test_each_row_knows_the_line_it_starts_on(written: list[tuple[str, str]]) -> None:
    content = csv_bytes(["a", "b"], written)
    text_lines = content.decode().split("\n")
    for (first, second), line in zip(written, read(content).lines, strict=True):
        record = next(csv.reader(io.StringIO("\n".join(text_lines[line - 1 :]), newline="")))
        assert record == [first, second]


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.text('ab,"\né', max_size=9), st.text("a\n", max_size=3)), min_size=1, max_size=8)
)
def test_copies_with_other_line_ends_read_the_same(written: list[tuple[str, str]]) -> None:
    content = csv_bytes(["a", "b"], written)
    assert rows(read(content)) == rows(read(content.replace(b"\n", b"\r\n")))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_give_anything_but_a_table_or_a_clear_refusal(content: bytes) -> None:
    try:
        table = read(b"a,b\n" + content)
    except CatalogError as error:
        assert "table.csv" in str(error)
    else:
        assert len(table.lines) == len(rows(table))


def test_rows_cross_the_blocks_in_order() -> None:
    written = [[str(number), "x" * (number % 7)] for number in range(20_000)]
    table = read(csv_bytes(["a", "b"], written))
    assert rows(table) == written
    assert np.array_equal(table.lines, np.arange(2, 20_002))
    assert np.array_equal(table.integers(0, "a"), np.arange(20_000))


def test_blank_lines_hold_no_row() -> None:
    assert rows(read(b"a,b\n1,2\n\n3,4\n\n\n")) == [["1", "2"], ["3", "4"]]


def test_a_bucket_is_read_more_than_once() -> None:
    path = UPath(f"memory://{uuid.uuid4().hex}/table.csv")
    path.write_bytes(b"a,b\n1,2\n")
    assert rows(read_text_table(path, HINT)) == rows(read_text_table(path, HINT)) == [["1", "2"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty", HINT]),
        (b"\n\n", ["is empty", HINT]),
        (b"\xef\xbb\xbf", ["is empty"]),
        (b"a,b\n1,2\n3\n", ["line 3 (row 1)", "1 fields", "instead of 2"]),
        (b"a,b\n1,2,3\n", ["line 2 (row 0)", "3 fields", "'1,2,3'"]),
        (b'a,b\n1,"x\ny"\n3\n', ["line 4 (row 1)"]),
        (b'a,b\n1,2\n3,"never\nclosed\n', ["line 3", "opened and never closed", "line 4"]),
        (b'a,b\n1,"two"words\n', ["line 2", "not valid CSV", "unbalanced quote"]),
        (b"a,b\n1,2\n3,\0\n", ["line 3", "NUL"]),
        (b"a,b\n1,2\n3,caf\xe9\n", ["line 3", "not UTF-8", "0xe9", "position 5"]),
        (b"\xff\xfea\0,\0b\0\n\0", ["line 1", "UTF-16"]),
        (b"\x89PNG\r\n\x1a\n\0\0", ["line 1", "not a CSV file"]),
        (b"\x1f\x8b\x08\0\0\0\0\0", ["line 1", "NUL", "compressed"]),
        (b"a,b\r1,2\r3,4\r", ["line 1", "carriage return"]),
        (b'a,b\n1,"' + b"x\n" * 200_000 + b'"\n', ["starts on line 2", "longer than 131,072 characters"]),
        (b"a,b\n1," + b"x" * 140_000 + b"\n", ["line 2", "longer than 131,072 characters"]),
        (b"a,b\n" + b"x" * (1 << 21), ["line 2", "longer than 1,048,576 bytes"]),
    ],
)
def test_a_broken_file_is_refused_with_its_place(content: bytes, words: list[str]) -> None:
    with pytest.raises(CatalogError) as caught:
        read(content)
    message = str(caught.value)
    assert all(word in message for word in ["table.csv", *words]), message
    assert len(message) < 700


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nowhere\.csv does not exist"):
        read_text_table(UPath(tmp_path / "nowhere.csv"), HINT)
    with pytest.raises(CatalogError, match="is a folder"):
        read_text_table(UPath(tmp_path), HINT)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = UPath(tmp_path / "table.csv")
    path.write_bytes(b"a,b\n")
    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(
        CatalogError, match=r"table\.csv cannot be read: Permission denied; check its permissions"
    ):
        read_text_table(path, HINT)


@pytest.mark.parametrize("value", ["0", "7", "4294967296", "9223372036854775807"])
def test_whole_numbers_are_read_exactly(value: str) -> None:
    numbers = read(f"a,b\n{value},x\n".encode()).integers(0, "a")
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [int(value)]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "+1",
        "12.0",
        "1e5",
        "0x10",
        " 12",
        "12 ",
        "007",
        "1_000",
        "nan",
        "9223372036854775808",
        "10000000000000000000",
        "99999999999999999999999",
        "../../etc/passwd",
        "١٢",
        "１２",
        "²",
        "12\n13",
        "12\n",
    ],
)
def test_anything_else_is_refused_with_its_place_and_value(value: str) -> None:
    table = read(csv_bytes(["a", "b"], [["5", "x"], [value, "y"], ["oops", "z"]]))
    with pytest.raises(CatalogError) as caught:
        table.integers(0, "imageid")
    message = str(caught.value)
    assert "table.csv, line 3 (row 1): imageid is" in message
    assert repr(value) in message
    assert "whole number from 0" in message


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=22))
def test_a_number_is_accepted_exactly_when_its_text_is_how_it_is_written(value: str) -> None:
    table = read(csv_bytes(["a", "b"], [[value, "x"]]))
    canonical = value.isascii() and value.isdigit() and str(int(value)) == value and int(value) < 2**63
    if canonical:
        assert table.integers(0, "a").tolist() == [int(value)]
    else:
        with pytest.raises(CatalogError):
            table.integers(0, "a")


def test_a_lower_bound_is_kept() -> None:
    table = read(b"a,b\n3,x\n0,y\n")
    assert table.integers(0, "a", least=0).tolist() == [3, 0]
    with pytest.raises(CatalogError, match=r"line 3 \(row 1\): a is '0'; expected a whole number from 1"):
        table.integers(0, "a", least=1)


def test_a_long_value_is_cut_in_messages() -> None:
    assert shorten("a\tb") == "'a\\tb'"
    assert shorten("x" * 500) == repr("x" * 60 + "...") + " (500 characters)"
