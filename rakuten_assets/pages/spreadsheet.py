"""CSV files that people open in a spreadsheet program, which runs a cell that starts like a formula."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_GUARD = "'"


def csv_bytes(table: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8 with a header and LF line ends.

    A text that a spreadsheet program would take for a formula (a hostile file name: `=cmd|...`) gets an apostrophe
    before it, which such programs show as plain text; numbers are left alone.
    """
    safe = table.copy()
    returns = False
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name].dtype):
            safe[name] = [guarded(value) if isinstance(value, str) else value for value in safe[name]]
            returns |= any(isinstance(value, str) and "\r" in value for value in safe[name])
    buffer = io.StringIO()
    # Python's writer does not see that a lone carriage return needs quotes, which readers take for a line's end.
    quoting: Literal[0, 1] = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    safe.to_csv(buffer, index=False, lineterminator="\n", quoting=quoting)
    return buffer.getvalue().encode()


def guarded(text: str) -> str:
    """`text`, with an apostrophe before it where a spreadsheet program would run it.

    >>> guarded("=1+1")
    "'=1+1"
    >>> guarded("image_1.jpg")
    'image_1.jpg'
    """
    return _GUARD + text if text.startswith(_FORMULA_STARTS) else text
