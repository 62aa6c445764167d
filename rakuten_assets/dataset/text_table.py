"""A CSV file, read strictly: text columns, and the line that each row starts on.

Python's own `csv` reader in strict mode, because it can say where a file breaks the format: bulk readers
either repair ragged rows and stray quotes in silence or report a position within a block. 85,000 rows of
product text (60 MB) take about a second.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from rakuten_assets.errors import CatalogError
from rakuten_assets.storage.transient import is_transient

# No text of the challenge comes near this length; a line without an end is not a CSV.
_LONGEST_LINE_BYTES = 1 << 20
# Blocks become Arrow strings at once: as Python strings a full file takes three times the memory.
_ROWS_PER_BLOCK = 8192
_LARGEST_INT64 = str(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class TextTable:
    """The text fields of a CSV file.

    Attributes:
        path: where they come from.
        header: column names, in the file's order.
        columns: for each column, its fields as Arrow strings, in the file's order.
        lines: int64 (n,), the line (the first is 1) that each row starts on.
    """

    path: UPath
    header: tuple[str, ...]
    columns: tuple[pa.ChunkedArray, ...]
    lines: npt.NDArray[np.int64]

    def integers(self, column: int, name: str, least: int = 0) -> npt.NDArray[np.int64]:
        """One column as whole numbers, int64 (n,): plain digits, no sign, no leading zero, `least` or more.

        Raises:
            CatalogError: naming the first field that is anything else.
        """
        fields = self.columns[column]
        digits = pc.match_substring_regex(fields, r"^(0|[1-9][0-9]{0,18})$")
        fits = pc.or_(
            pc.less(pc.binary_length(fields), len(_LARGEST_INT64)), pc.less_equal(fields, _LARGEST_INT64)
        )
        valid = pc.and_(digits, fits).to_numpy()
        if not valid.all():
            self._refuse_number(column, name, int(np.argmin(valid)), least)
        numbers = cast("npt.NDArray[np.int64]", fields.cast(pa.int64()).to_numpy())
        if least > 0 and numbers.min(initial=least) < least:
            self._refuse_number(column, name, int(np.argmax(numbers < least)), least)
        return numbers

    def where(self, row: int) -> str:
        """Where a data row (counted from 0) stands, for messages: `FILE, line 7 (row 5)`."""
        return f"{self.path}, line {self.lines[row]} (row {row})"

    def _refuse_number(self, column: int, name: str, row: int, least: int) -> None:
        value = self.columns[column][row].as_py()
        raise CatalogError(
            f"{self.where(row)}: {name} is {shorten(value)}; expected a whole number from {least} to "
            f"{_LARGEST_INT64} in plain digits. Correct this field, or restore the original file"
        )


def read_text_table(
    path: UPath, fields_hint: str, check_header: Callable[[str, int], None] = lambda line, number: None
) -> TextTable:
    """Read a CSV file (UTF-8, commas, double quotes; LF or CRLF; a byte order mark is skipped).

    CRLF becomes LF inside quoted fields too, so that copies that differ only by line ends read the same.
    A missing or empty header, a row with more or fewer fields than the header, an unbalanced quote, text that
    is not UTF-8 and a NUL are refused, never repaired.

    Args:
        fields_hint: the header that is expected, for messages.
        check_header: given the header's line and its number before any row is read, for a wrong header makes every row
            look wrong; raises to refuse the file.

    Raises:
        CatalogError: naming the file, the line and what is wrong there.
    """
    try:
        with path.open("rb") as file:
            return _parse(path, file, fields_hint, check_header)
    except FileNotFoundError:
        raise CatalogError(f"{path} does not exist; put the challenge's file there") from None
    except IsADirectoryError:
        raise CatalogError(f"{path} is a folder; a CSV file is expected there") from None
    except OSError as error:
        way_out = "see that its store answers" if is_transient(error) else "check its permissions"
        raise CatalogError(f"{path} cannot be read: {error.strerror or error}; {way_out}") from error


def shorten(value: str, limit: int = 60) -> str:
    """A field's text for a message: quoted, control characters escaped, cut at `limit` characters."""
    return repr(value if len(value) <= limit else f"{value[:limit]}...") + (
        f" ({len(value):,} characters)" if len(value) > limit else ""
    )


def split_line(line: str, separator: str = ",") -> list[str]:
    """The fields of one line; none where it does not hold a record whole.

    >>> split_line('"";prdtypecode', ";")
    ['', 'prdtypecode']
    """
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _parse(path: UPath, file: Any, fields_hint: str, check_header: Callable[[str, int], None]) -> TextTable:
    text = _text_lines(path, file)
    ahead: list[str] = []
    for line in text:
        ahead.append(line)
        if line != "\n":
            check_header(line, len(ahead))
            break
    reader = csv.reader(itertools.chain(ahead, text), strict=True)
    start = 1  # Line on which the record being read starts: a quoted field may span many.
    header: list[str] = []
    rows: list[list[str]] = []
    blocks: list[list[pa.Array]] = []
    lines: list[int] = []
    try:
        for record in reader:
            if not header:
                header = record
            elif record and len(record) != len(header):
                raise CatalogError(
                    f"{path}, line {start} (row {len(lines)}): {len(record)} fields "
                    f"({shorten(','.join(record))}) instead of {len(header)}; expected is {fields_hint}, "
                    "with text that holds commas or quotes in double quotes. Restore the original file"
                )
            elif record:  # A blank line gives an empty record.
                rows.append(record)
                lines.append(start)
                if len(rows) == _ROWS_PER_BLOCK:
                    blocks.append(_block(rows, len(header)))
                    rows = []
            start = reader.line_num + 1
    except csv.Error as error:
        raise CatalogError(
            f"{path}: the record that starts on line {start} is not valid CSV: {_explain(error)} (noticed on "
            f"line {reader.line_num}). Look for an unbalanced quote there, or restore the original file"
        ) from None
    if not header:
        raise CatalogError(f"{path} is empty; expected is a CSV file with the header {fields_hint}")
    blocks.append(_block(rows, len(header)))
    columns = tuple(pa.chunked_array([block[number] for block in blocks]) for number in range(len(header)))
    return TextTable(path, tuple(header), columns, np.asarray(lines, dtype=np.int64))


def _block(rows: list[list[str]], width: int) -> list[pa.Array]:
    return [pa.array([row[number] for row in rows], pa.string()) for number in range(width)]


def _text_lines(path: UPath, file: Any) -> Iterator[str]:
    """Decoded lines, ended by LF. Decoding line by line lets an error name its line."""
    buffered = io.BufferedReader(file, _LONGEST_LINE_BYTES)
    number = 0
    while raw := buffered.readline(_LONGEST_LINE_BYTES):
        number += 1
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if raw.endswith(b"\r\n"):
            raw = raw[:-2] + b"\n"
        if b"\0" in raw:
            raise _not_text(path, number, "holds a NUL byte")
        if len(raw) == _LONGEST_LINE_BYTES and not raw.endswith(b"\n"):
            raise _not_text(path, number, f"is longer than {_LONGEST_LINE_BYTES:,} bytes")
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{raw[error.start]:02x} at position {error.start}"
            raise _not_text(path, number, f"is not UTF-8 ({found})") from None


def _not_text(path: UPath, line: int, what: str) -> CatalogError:
    return CatalogError(
        f"{path}, line {line} {what}: this is not a CSV file in UTF-8. If it was saved as UTF-16, as a "
        "spreadsheet or compressed, save or unpack it as CSV in UTF-8; if it is damaged, restore the "
        "original file"
    )


def _explain(error: csv.Error) -> str:
    message = str(error)
    if "unexpected end of data" in message:
        return "a quote is opened and never closed"
    if "field larger than field limit" in message:
        return f"a field is longer than {csv.field_size_limit():,} characters"
    if "new-line character" in message:
        return "a carriage return stands without a line feed"
    return message
