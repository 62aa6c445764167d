"""Results as a table for a person and as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rakuten_assets.storage.files import write_bytes

Row = Mapping[str, Any]


def markdown_table(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    """Render `rows` as a Markdown table.

    Args:
        columns: key of the row -> heading, in the order wanted. A missing or `None` value shows as a dash.

    >>> print(markdown_table([{"a": 1.5, "b": None}], {"a": "first", "b": "second"}))
    | first | second |
    |------:|-------:|
    |  1.50 |      - |
    """
    cells = [[_cell(row.get(key)) for key in columns] for row in rows]
    headings = list(columns.values())
    widths = [max(len(text) for text in column) for column in zip(headings, *cells, strict=True)]
    lines = [
        "| " + " | ".join(text.rjust(width) for text, width in zip(headings, widths, strict=True)) + " |",
        "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|",
    ]
    lines += [
        "| " + " | ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    return "\n".join(lines)


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as a JSON list of objects, atomically."""
    write_bytes(path, (json.dumps(list(rows), indent=2) + "\n").encode())


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if 0 < abs(value) < 0.1:
        return f"{value:.3f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
