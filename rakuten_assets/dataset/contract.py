"""The CSV contract: what the challenge's three tables must hold before anything is built on them.

A file that breaks it is refused with a `CatalogError` that names the file, the row, the value and the way
out; nothing is repaired or dropped in silence. Rows are matched by the index column, never by position.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from rakuten_assets.dataset.layout import X_TEST_FILE, X_TRAIN_FILE, Y_TRAIN_FILE, Split
from rakuten_assets.dataset.text_table import TextTable, read_text_table, shorten, split_line
from rakuten_assets.errors import CatalogError

INDEX = "index"
# The challenge leaves the first header empty; copies of the files name it.
INDEX_HEADERS = ("", "id", "index")
PRODUCT_COLUMNS = ("designation", "description", "productid", "imageid")
LABEL_COLUMN = "prdtypecode"
ID_COLUMNS = ("imageid", "productid")

PRODUCT_DESCRIPTIONS = {
    "designation": "title of the product, may be empty",
    "description": "text about the product; missing for about a third of them",
    "productid": "id of the product, unique",
    "imageid": "id of its image, unique",
}
LABEL_DESCRIPTIONS = {LABEL_COLUMN: "code of the product's class, one of 27"}
"""What the columns of the three tables hold."""

# What programs write between fields instead of commas; a spreadsheet does where the comma is the decimal sign.
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_ROWS_PER_BLOCK = 8192  # Keeps the memory for hashing a text column to a few MB.
_FILE_OF: dict[Split, str] = {"train": X_TRAIN_FILE, "test": X_TEST_FILE}


def read_products(path: str | Path | UPath, split: Split) -> pd.DataFrame:
    """Read `X_train_update.csv` or `X_test_update.csv`.

    Args:
        split: "train" or "test", named in messages.

    Returns:
        One row a product, in the file's order. Index "index": int64. Columns: designation (str, may be
        empty), description (str, missing where the field is empty), productid and imageid (int64, unique).

    Raises:
        CatalogError: if the file breaks the contract.
    """
    table = _read(path, PRODUCT_COLUMNS, f"{split} products")
    numbers = {
        name: table.integers(column, name) for column, name in ((0, INDEX), (3, "productid"), (4, "imageid"))
    }
    for name, values in numbers.items():
        _refuse_duplicates(table, name, values)
    index = pd.Index(numbers[INDEX], name=INDEX)
    description = pc.if_else(pc.equal(table.columns[2], ""), None, table.columns[2])
    return pd.DataFrame(
        {
            "designation": table.columns[1].to_pandas().set_axis(index),
            "description": description.to_pandas().set_axis(index),
            "productid": numbers["productid"],
            "imageid": numbers["imageid"],
        },
        index=index,
    )


def read_labels(path: str | Path | UPath) -> pd.DataFrame:
    """Read `Y_train_CVw08PX.csv`: one class code a train row.

    Any positive code is accepted: whether it is one of the challenge's 27 is known to
    `rakuten_assets.dataset.labels`.

    Returns:
        Index "index": int64, unique. Column: prdtypecode (int64).

    Raises:
        CatalogError: if the file breaks the contract.
    """
    return read_labels_and_places(path)[0]


def read_labels_and_places(path: str | Path | UPath) -> tuple[pd.DataFrame, Callable[[int], str]]:
    """`read_labels`, and what says where in the file a row (counted from 0) stands: `FILE, line 7 (row 5)`.

    Raises:
        CatalogError: if the file breaks the contract.
    """
    table = _read(path, (LABEL_COLUMN,), "train labels")
    index = table.integers(0, INDEX)
    _refuse_duplicates(table, INDEX, index)
    codes = table.integers(1, LABEL_COLUMN, least=1)
    return pd.DataFrame({LABEL_COLUMN: codes}, index=pd.Index(index, name=INDEX)), table.where


def check_catalog(x_train: pd.DataFrame, y_train: pd.DataFrame, x_test: pd.DataFrame) -> None:
    """Check what holds between the three tables: unique ids, disjoint splits, a label for each train row.

    Raises:
        CatalogError: naming the first offender, its value and how many there are.
    """
    for split, frame in (("train", x_train), ("test", x_test)):
        file = _FILE_OF["train" if split == "train" else "test"]
        for name in (INDEX, *ID_COLUMNS):
            values = frame.index if name == INDEX else frame[name]
            twice = np.flatnonzero(values.duplicated())
            if twice.size:
                row = int(twice[0])
                raise CatalogError(
                    f"{file}: row {row} (index {frame.index[row]}): {name} {values.to_numpy()[row]} occurs "
                    f"more than once ({twice.size:,} such rows); remove the extra rows"
                )
    for name in ID_COLUMNS:
        shared = np.flatnonzero(x_test[name].isin(x_train[name]))
        if shared.size:
            row = int(shared[0])
            value = x_test[name].iloc[row]
            twin = int(np.argmax(x_train[name].to_numpy() == value))
            raise CatalogError(
                f"{X_TEST_FILE}: row {row} (index {x_test.index[row]}): {name} {value} is also in "
                f"{X_TRAIN_FILE}, row {twin} (index {x_train.index[twin]}; {shared.size:,} such rows); train "
                "and test must not share products: remove one of them"
            )
    codes_of_rows(x_train, y_train)


def codes_of_rows(x_train: pd.DataFrame, y_train: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Class codes in the order of `x_train`'s rows, int64 (n,), matched by index, not by position.

    Raises:
        CatalogError: if a row has no label, a label has no row, or a label's index occurs twice.
    """
    twice = np.flatnonzero(y_train.index.duplicated())
    if twice.size:
        raise CatalogError(
            f"{Y_TRAIN_FILE}: row {twice[0]}: index {y_train.index[twice[0]]} has more than one label "
            f"({twice.size:,} such rows); remove the extra ones"
        )
    position = y_train.index.get_indexer(x_train.index)
    unlabelled = np.flatnonzero(position < 0)
    if unlabelled.size:
        first = int(unlabelled[0])
        raise CatalogError(
            f"{X_TRAIN_FILE}: row {first} (index {x_train.index[first]}, imageid "
            f"{x_train['imageid'].iloc[first]}) has no label in {Y_TRAIN_FILE} ({unlabelled.size:,} such "
            "rows); the two files do not belong together: restore them from one source"
        )
    orphans = np.flatnonzero(~y_train.index.isin(x_train.index))
    if orphans.size:
        first = int(orphans[0])
        raise CatalogError(
            f"{Y_TRAIN_FILE}: row {first} (index {y_train.index[first]}, {LABEL_COLUMN} "
            f"{y_train[LABEL_COLUMN].iloc[first]}) labels a row that {X_TRAIN_FILE} lacks ({orphans.size:,} "
            "such rows); the two files do not belong together: restore them from one source"
        )
    codes: npt.NDArray[np.int64] = y_train[LABEL_COLUMN].to_numpy(dtype=np.int64)[position]
    return codes


def content_version(frame: pd.DataFrame) -> str:
    """Hexadecimal sha256 of a table's parsed content: index, column names, values, order.

    Copies of a file that differ in line ends, quoting, byte order mark or index header have the same version.

    Raises:
        TypeError: for a column that is neither whole numbers nor text.
    """
    digest = hashlib.sha256()
    for name, values in ((INDEX, frame.index.to_series()), *frame.items()):
        digest.update(f"\n{name}:{len(values)}:".encode())
        if pd.api.types.is_integer_dtype(values.dtype):
            missing = values.isna().to_numpy()
            if missing.any():
                digest.update(np.packbits(missing).tobytes())
            digest.update(values.fillna(0).to_numpy(dtype="<i8").tobytes())
        elif pd.api.types.is_string_dtype(values.dtype):
            for start in range(0, len(values), _ROWS_PER_BLOCK):
                digest.update(_text_bytes(values.iloc[start : start + _ROWS_PER_BLOCK]))
        else:
            raise TypeError(
                f"column {name!r} has type {values.dtype}; a version covers whole numbers and text"
            )
    return digest.hexdigest()


def _text_bytes(texts: pd.Series) -> bytes:
    """Lengths (-1: missing), then texts: with the lengths, no two columns give the same bytes."""
    column = pa.array(texts, pa.large_string(), from_pandas=True)
    if isinstance(column, pa.ChunkedArray):  # of frames that were put together
        column = pa.concat_arrays([pa.array([], column.type), *column.chunks])
    lengths = pc.fill_null(pc.binary_length(column), -1).to_numpy(zero_copy_only=False).astype("<i8")
    known = column.drop_null()
    _, ends, content = known.buffers()
    if not len(known):
        return bytes(lengths.tobytes())
    places = np.frombuffer(ends, "<i8", len(known) + 1, 8 * known.offset)
    return bytes(lengths.tobytes() + memoryview(content)[places[0] : places[-1]])


def _read(path: str | Path | UPath, columns: tuple[str, ...], what: str) -> TextTable:
    expected = ",".join(("", *columns))
    place = UPath(path)
    table = read_text_table(place, f"`{expected}`", partial(_check_first_line, place, columns, expected))
    _check_header(place, columns, expected, table.header, 1)
    if not len(table.lines):
        raise CatalogError(
            f"{table.path} holds a header and no row; {what} are expected there: restore the original"
        )
    return table


def _check_first_line(path: UPath, columns: tuple[str, ...], expected: str, line: str, number: int) -> None:
    for separator, name in _OTHER_SEPARATORS.items():
        if _is_header(split_line(line, separator), columns):
            raise CatalogError(
                f"{path}, line {number}: the fields are separated by {name} ({shorten(separator)}), expected are "
                f"commas as in `{expected}`. Export the table again as CSV with commas, or restore the original file"
            )
    if header := split_line(line):  # Else the reader of the whole file says why.
        _check_header(path, columns, expected, header, number)


def _check_header(
    path: UPath, columns: tuple[str, ...], expected: str, header: Sequence[str], number: int
) -> None:
    if _is_header(header, columns):
        return
    found, problems = list(header), []
    missing = [name for name in columns if name not in found]
    extra = [name for name in found[1:] if name not in columns]
    if len(found) == 1 and any(separator in found[0] for separator in _OTHER_SEPARATORS):
        problems.append("the fields are not separated by commas")
    if missing:
        problems.append(f"missing: {', '.join(missing)}")
    if found[0] in columns:
        problems.append("the first column must be the index (an empty header)")
    elif found[0] not in INDEX_HEADERS:
        problems.append(f"the first header must be empty, `id` or `index`, not {shorten(found[0])}")
    if extra:
        problems.append(f"not expected: {', '.join(shorten(name) for name in extra[:10])}")
    if len(set(found)) < len(found):
        problems.append("a column occurs twice")
    raise CatalogError(
        f"{path}, line {number}: the header is {shorten(','.join(found), 200)}, expected is `{expected}`"
        f" ({'; '.join(problems) or 'the columns are in another order'}). Restore the original file"
    )


def _is_header(fields: Sequence[str], columns: tuple[str, ...]) -> bool:
    return bool(fields) and fields[0] in INDEX_HEADERS and tuple(fields[1:]) == columns


def _refuse_duplicates(table: TextTable, name: str, values: npt.NDArray[np.int64]) -> None:
    twice = np.flatnonzero(pd.Index(values).duplicated())
    if twice.size:
        row = int(twice[0])
        first = int(np.argmax(values == values[row]))
        raise CatalogError(
            f"{table.where(row)}: {name} {values[row]} was already on line {table.lines[first]} (row "
            f"{first}); each {name} may occur once ({twice.size:,} such rows): remove the extra rows or "
            "restore the original file"
        )
