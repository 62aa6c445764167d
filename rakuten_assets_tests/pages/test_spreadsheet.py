import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.pages.spreadsheet import csv_bytes


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_formula_becomes_text(start):
    hostile = f'{start}cmd|"/c calc"!A1'
    assert read(csv_bytes(pd.DataFrame({"file": [hostile]})))[1] == ["'" + hostile]


def test_numbers_and_gaps_stay_what_they_are():
    table = pd.DataFrame(
        {"file": ["a"], "row": pd.array([-5], dtype="Int64"), "code": pd.array([pd.NA], dtype="Int64")}
    )
    assert csv_bytes(table) == b"file,row,code\na,-5,\n"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=8))
def test_no_cell_starts_like_a_formula_and_nothing_is_lost(texts):
    cells = [line[0] for line in read(csv_bytes(pd.DataFrame({"file": texts})))[1:]]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert [
        cell.removeprefix("'") if cell != text else cell for cell, text in zip(cells, texts, strict=True)
    ] == texts


def test_a_table_without_rows_still_has_its_header():
    assert (
        csv_bytes(pd.DataFrame({"kind": pd.Series(dtype="str"), "row": pd.Series(dtype="int64")}))
        == b"kind,row\n"
    )
