"""A small catalogue of the challenge's layout, as plain tables that a test may spoil before writing them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PRODUCT_HEADER = ["", "designation", "description", "productid", "imageid"]


@dataclass
class SmallTables:
    """Rows of text, as they will stand in the three files."""

    x_train: list[list[str]] = field(
        default_factory=lambda: [
            ["0", "Piscine <b>ronde</b>", 'dite "été", bleue\nune ligne de plus', "3001", "1001"],
            ["1", "Console", "", "3002", "1002"],
            ["2", "", "sans titre", "3003", "1003"],
            ["7", "Livre d&#39;occasion", "NA", "3004", "1004"],
        ]
    )
    y_train: list[list[str]] = field(
        default_factory=lambda: [["7", "10"], ["0", "2583"], ["1", "60"], ["2", "2583"]]
    )
    x_test: list[list[str]] = field(
        default_factory=lambda: [
            ["84916", "Jouet", "", "4001", "2001"],
            ["84917", "Carte", "rare", "4002", "2002"],
        ]
    )


def csv_bytes(header: Sequence[str], rows: Sequence[Sequence[str]], line_end: str = "\n") -> bytes:
    """A CSV file's bytes, quoted where needed, as pandas writes it."""
    buffer = io.StringIO(newline="")
    # Python's writer leaves a carriage return unquoted where LF ends the lines: quote everything then.
    stray = any("\r" in value for row in rows for value in row)
    writer = csv.writer(
        buffer, lineterminator=line_end, quoting=csv.QUOTE_ALL if stray else csv.QUOTE_MINIMAL
    )
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


@pytest.fixture
def tables() -> SmallTables:
    return SmallTables()


@pytest.fixture
def write_catalog(tmp_path: Path) -> Callable[[SmallTables], Path]:
    """Write the tables and empty image folders; give the folder."""

    def write(tables: SmallTables) -> Path:
        (tmp_path / "X_train_update.csv").write_bytes(csv_bytes(PRODUCT_HEADER, tables.x_train))
        (tmp_path / "Y_train_CVw08PX.csv").write_bytes(csv_bytes(["", "prdtypecode"], tables.y_train))
        (tmp_path / "X_test_update.csv").write_bytes(csv_bytes(PRODUCT_HEADER, tables.x_test))
        for name in ("image_train", "image_test"):
            (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
        return tmp_path

    return write
