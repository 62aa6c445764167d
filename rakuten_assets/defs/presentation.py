"""How values look in Dagster's UI: tables, pictures and figures as metadata."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.labels import CLASS_NAMES
from rakuten_assets.plots import picture_markdown

_LONGEST_CELL = 60
_LIMITS = ("limit", "warning above", "error above")


def table(frame: pd.DataFrame, rows: int = 8, longest_cell: int = _LONGEST_CELL) -> dg.MarkdownMetadataValue:
    """The first rows of a frame as a Markdown table, cells cut at so many letters."""
    shown = frame.head(rows)
    lines = [
        "| " + " | ".join(_cell(name, longest_cell) for name in shown.columns) + " |",
        "|" + " --- |" * len(shown.columns),
        *(
            "| " + " | ".join(_cell(value, longest_cell) for value in row) + " |"
            for row in shown.itertuples(index=False)
        ),
    ]
    if len(frame) > rows:
        lines.append(f"\n{len(frame):,} rows in all")
    return dg.MetadataValue.md("\n".join(lines))


def picture(content: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A picture that lies inside the metadata."""
    return dg.MetadataValue.md(picture_markdown(content, alt))


def gallery(pictures: Sequence[tuple[str, str]]) -> dg.MarkdownMetadataValue:
    """Pictures side by side, each with its caption below.

    Args:
        pictures: address (`data:...`) and caption of each.
    """
    rows = [
        "| " + " | ".join(f"![{_plain(caption)}]({address})" for address, caption in pictures) + " |",
        "|" + " :---: |" * len(pictures),
        "| " + " | ".join(_plain(caption) for _, caption in pictures) + " |",
    ]
    return dg.MetadataValue.md("\n".join(rows))


def plotted(seconds: float, images: int) -> dict[str, float]:
    """A step's speed as numbers, for Dagster to plot from run to run."""
    return {"seconds": round(seconds, 3), "images/s": round(images / max(seconds, 1e-9), 1)}


def details(values: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict's details as metadata. Frames become tables; limits become text, for Dagster plots numbers."""
    return {key: _detail(key, value) for key, value in values.items()}


def _detail(key: str, value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        return table(value)
    return f"{value:.2%}" if key in _LIMITS and isinstance(value, float | int) else value


def _cell(value: Any, longest: int) -> str:
    text = _plain("" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def class_on_axis(code: int) -> str:
    """A class as a chart's axis names it: its unofficial name, then its code, in one column."""
    return f"{CLASS_NAMES.get(int(code), '')}  {code}".strip()
