"""How values look in Dagster's UI: tables, pictures and figures as metadata."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from rakuten_assets.plots import picture_markdown

_LONGEST_CELL = 60


def table(frame: pd.DataFrame, rows: int = 8) -> dg.MarkdownMetadataValue:
    """The first rows of a frame as a Markdown table."""
    shown = frame.head(rows)
    lines = [
        "| " + " | ".join(_cell(name) for name in shown.columns) + " |",
        "|" + " --- |" * len(shown.columns),
        *("| " + " | ".join(map(_cell, row)) + " |" for row in shown.itertuples(index=False)),
    ]
    if len(frame) > rows:
        lines.append(f"\n{len(frame):,} rows in all")
    return dg.MetadataValue.md("\n".join(lines))


def picture(content: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A picture that lies inside the metadata."""
    return dg.MetadataValue.md(picture_markdown(content, alt))


def details(values: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict's details as metadata: frames become tables."""
    return {key: table(value) if isinstance(value, pd.DataFrame) else value for key, value in values.items()}


def _cell(value: Any) -> str:
    text = "" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)
    text = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
