"""All pictures of a map in a few large ones: a browser draws a part of a sheet, and nothing is fetched."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from upath import UPath

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.header import read_header
from rakuten_assets.images.thumbnails import small_picture, unchanged_bytes
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.storage.content_cache import read_scanned
from rakuten_assets.storage.reading import ReadAhead, on_bucket

SIDE = 56
"""Pixels of a picture's longer side."""

# 16.7 megapixels: what a phone draws in one piece. WebP itself ends at 16,383 pixels a side.
MOST_SHEET_PIXELS = 4096
BYTES_A_PICTURE = 1000
"""Most bytes that a picture takes on average: 5,000 of them, as text, are then below 7 MB."""

# Products take 440 bytes at 75; noise takes 3,000 there, 1,750 at 20 and 280 at 0.
_QUALITIES = (75, 20, 0)
_METHOD = 2  # Method 4 takes twice the time for 4 % fewer bytes.
_PAPER = (255, 255, 255)


@dataclass(frozen=True)
class SpriteSheets:
    """Pictures in reading order, sheet after sheet.

    Attributes:
        sheets: WebP files.
        columns: pictures a row of a sheet.
        per_sheet: pictures a sheet.
        pictured: bool (n,). False: the file changed, or cannot be shown; its place is white.
    """

    sheets: tuple[bytes, ...]
    columns: int
    per_sheet: int
    pictured: npt.NDArray[np.bool_]

    def addresses(self) -> list[str]:
        """Each sheet as a `data:` address."""
        return [f"data:image/webp;base64,{base64.b64encode(sheet).decode('ascii')}" for sheet in self.sheets]


def sprite_sheets(
    paths: Sequence[Path | UPath],
    sha256: Sequence[str],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> SpriteSheets:
    """Draw the pictures of files, each fitted into a square of `SIDE` pixels, on white.

    A sheet whose pictures take more than `BYTES_A_PICTURE` on average is compressed harder.

    Args:
        paths: the files.
        sha256: of each file when it was scanned; one that changed since then is not shown.
        workers: threads; their number changes no bit of the result.
    """
    across = MOST_SHEET_PIXELS // SIDE
    per_sheet = across * across
    columns = min(across, int(np.ceil(np.sqrt(max(len(paths), 1)))))
    pictured = np.zeros(len(paths), dtype=bool)
    sheets = []

    def read(place: int) -> bytes:
        return read_scanned(paths[place], sha256[place])

    with (
        ReadAhead(range(len(paths)), read, on_bucket(paths)) as contents,
        ThreadPoolExecutor(max(1, workers)) as threads,
    ):

        def draw(place: int) -> Image.Image | None:
            return _picture(paths[place], sha256[place], partial(contents.get, place))

        for first in range(0, len(paths), per_sheet):
            last = min(first + per_sheet, len(paths))
            lines = -(-(last - first) // columns)
            sheet = Image.new("RGB", (columns * SIDE, lines * SIDE), _PAPER)
            found = threads.map(draw, range(first, last))
            for at, picture in enumerate(found):
                if progress is not None:
                    progress.advance()
                if picture is None:
                    continue
                left, top = at % columns * SIDE, at // columns * SIDE
                sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
                pictured[first + at] = True
            sheets.append(_compressed(sheet, (last - first) * BYTES_A_PICTURE))
    return SpriteSheets(tuple(sheets), columns, per_sheet, pictured)


def _picture(path: Path | UPath, sha256: str, content_of: Callable[[], bytes]) -> Image.Image | None:
    content = unchanged_bytes(path, sha256, content_of)
    if content is None:
        return None
    try:
        picture = small_picture(content, read_header(content).format, SIDE)
    except UndecodableImageError:
        return None
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    return picture


def _compressed(sheet: Image.Image, most_bytes: int) -> bytes:
    content = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=quality, method=_METHOD)
        content = buffer.getvalue()
        if len(content) <= most_bytes:
            break
    return content
