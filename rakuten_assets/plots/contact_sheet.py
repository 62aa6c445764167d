"""A sheet of small pictures with a caption under each. Pillow only, because it is drawn often."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

# A picture (uint8 (h, w, 3) or (h, w), or the bytes of an image file, or None) and the text under it.
Tile: TypeAlias = tuple[npt.NDArray[np.uint8] | bytes | None, str]

_GAP, _LINE_HEIGHT, _TEXT_MARGIN, _TEXT_SIZE = 8, 16, 4, 13
_MOST_LINES = 3
_INK, _RULE, _PAPER, _HATCH = "#1F2328", "#D1D9E0", "#FFFFFF", "#B8C0C8"
_ENOUGH_BYTES = 150_000
_QUALITIES = (85, 75, 65, 50)
_MOST_PIXELS = 50_000_000


def contact_sheet_jpeg(tiles: Sequence[Tile], columns: int = 9, tile: int = 112) -> bytes:
    """Lay out pictures in rows, each fitted into a square, its proportions kept.

    A picture that is None or does not decode becomes a hatched square that says "no image". The
    JPEG quality is lowered until the sheet is below 150 kB, or down to 50.

    Args:
        tiles: picture and text of each tile; a text is broken into at most three lines, then cut.
        columns: tiles a row, at most.
        tile: side of a tile in pixels.
    """
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, -(-len(tiles) // columns))
    width = _GAP + columns * (tile + _GAP)
    captions = [_lines(text, tile) for _, text in tiles]
    text_height = _TEXT_MARGIN + _LINE_HEIGHT * max(map(len, captions), default=1)
    height = _GAP + rows * (tile + text_height + _GAP)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (picture, _) in enumerate(tiles):
        left = _GAP + number % columns * (tile + _GAP)
        top = _GAP + number // columns * (tile + text_height + _GAP)
        small = _fitted(picture, tile - 2)
        if small is None:
            sheet.paste(_no_image(tile), (left, top))
        else:
            sheet.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
        # Products stand on white: without the frame one could not see where a picture ends.
        draw.rectangle((left, top, left + tile - 1, top + tile - 1), outline=_RULE)
        for line, text in enumerate(captions[number]):
            middle = top + tile + _TEXT_MARGIN / 2 + _LINE_HEIGHT * (line + 0.5)
            draw.text((left + tile / 2, middle), text, fill=_INK, font=_font(), anchor="mm")
    return small_jpeg(sheet)


def _fitted(picture: npt.NDArray[np.uint8] | bytes | None, side: int) -> Image.Image | None:
    if picture is None:
        return None
    try:
        image = _opened(picture, side)
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        # `reducing_gap` halves a large picture cheaply before the exact filter.
        return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _opened(picture: npt.NDArray[np.uint8] | bytes, side: int) -> Image.Image:
    if not isinstance(picture, bytes):
        return Image.fromarray(np.ascontiguousarray(picture)).convert("RGB")
    image = Image.open(io.BytesIO(picture))
    if image.width * image.height > _MOST_PIXELS:
        raise ValueError("too many pixels for a thumbnail")
    image.draft("RGB", (side, side))  # A JPEG is decoded at a fraction of its size.
    return image.convert("RGB")


@lru_cache(maxsize=4)
def _no_image(tile: int) -> Image.Image:
    image = Image.new("RGB", (tile, tile), "#F3F5F7")
    draw = ImageDraw.Draw(image)
    for offset in range(-tile, tile, 10):
        draw.line((offset, tile, offset + tile, 0), fill=_HATCH)
    box = draw.textbbox((tile / 2, tile / 2), "no image", font=_font(), anchor="mm")
    draw.rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), fill="#F3F5F7")
    draw.text((tile / 2, tile / 2), "no image", fill=_INK, font=_font(), anchor="mm")
    return image


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_TEXT_SIZE)


def _lines(text: str, width: int) -> list[str]:
    """The text in lines that fit, broken between words; the last one is cut where three do not hold it."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _fits(longer, width) or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], " ".join(lines[_MOST_LINES - 1 :])]
    return [_cut(line, width) for line in lines]


def _cut(line: str, width: int) -> str:
    if _fits(line, width):
        return line
    while line and not _fits(line + "...", width):
        line = line[:-1]
    return line.rstrip() + "..."


def _fits(line: str, width: int) -> bool:
    return bool(_font().getlength(line) <= width)


def small_jpeg(sheet: Image.Image) -> bytes:
    """A picture as JPEG: of a quality that leaves it below 150 kB, or of 50."""
    content = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality, subsampling=0)  # full colour keeps the text legible
        content = buffer.getvalue()
        if len(content) <= _ENOUGH_BYTES:
            break
    return content
