"""A table is read whole, or as those of its columns that are wanted; it is verified whole either way."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rakuten_assets.errors import StoreError
from rakuten_assets.storage.tables import read_table, write_table

FRAME = pd.DataFrame({"file": ["a", "b", "c"], "row": [1, 2, 3], "share": [0.5, None, 1.0]})


@pytest.mark.parametrize("index", [None, pd.Index([7, 5, 9], name="index")])
def test_columns_come_in_the_order_that_was_asked_for(tmp_path: Path, index: pd.Index | None) -> None:
    frame = FRAME if index is None else FRAME.set_index(index)
    write_table(tmp_path / "t.parquet", frame)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), frame)
    for wanted in (["row"], ["share", "file"], ["file", "row", "share"]):
        pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet", columns=wanted), frame[wanted])


def test_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", FRAME)
    with pytest.raises(
        StoreError, match=r"t\.parquet has no column reason, status: it is of another release"
    ):
        read_table(tmp_path / "t.parquet", columns=["file", "status", "reason"])


def test_damage_in_a_column_that_is_not_wanted_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    write_table(file, FRAME)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(StoreError):
        read_table(file, columns=["file"])
