"""Small pictures of images that a scan has found whole: for comparing them, and for showing them.

A JPEG is decoded at the nearest power-of-two fraction of its size, which costs about two thirds of a full
decode. The result serves eyes and comparisons, never features.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from upath import UPath

from rakuten_assets.errors import UnreachableError
from rakuten_assets.images.header import read_header
from rakuten_assets.images.memory import DECODING
from rakuten_assets.images.raster import open_raster, refusals
from rakuten_assets.images.reasons import Reason
from rakuten_assets.storage.content_cache import read_scanned
from rakuten_assets.storage.files import sha256_of_bytes

_JPEG_QUALITY = 70


class Tally:
    """A number that threads count up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def add(self) -> None:
        with self._lock:
            self.count += 1


NOT_SHOWN = Tally()
"""Files that pictures were wanted of and that were missing or changed, in this process until now: what was made
meanwhile is not what it would be with them."""


def unchanged_bytes(
    path: Path | UPath, sha256: str | None, content_of: Callable[[], bytes] | None = None
) -> bytes | None:
    """The file's bytes if they are those that were scanned; None if the file changed or went since then.

    Args:
        sha256: of the bytes that were scanned; None where that is not known: then any will do.
        content_of: what reads them; default: they are read here.

    Raises:
        UnreachableError: where a bucket did not answer, which says nothing of the file.
    """
    try:
        content = content_of() if content_of else read_scanned(path, sha256 or "")
        if sha256 is None or sha256_of_bytes(content) == sha256:
            return content
    except UnreachableError:
        raise
    except OSError:
        pass
    NOT_SHOWN.add()
    return None


def small_picture(content: bytes, format_name: str, side: int) -> Image.Image:
    """RGB picture of at least `side` pixels on its shorter side where the image has them, of its first frame.

    Args:
        content: bytes of an image whose strict decode succeeded.
        format_name: its format as the scan found it (Pillow's name).

    Raises:
        UndecodableImageError: where there is no memory for it now.
    """
    # In a function of its own, whose end frees the image before its memory is given back.
    with DECODING.hold(_memory(content, side), limit=0):
        return _reduced(content, format_name, side)


def _reduced(content: bytes, format_name: str, side: int) -> Image.Image:
    with refusals(format_name, Reason.CORRUPT_SCAN), open_raster(content, format_name) as image:
        image.draft("RGB", (side, side))
        image.load()
        image.info.pop("transparency", None)
        factor = min(image.size) // side
        # An area mean of what is RGB already needs no copy of the whole image.
        picture = image if image.mode == "RGB" else image.convert("RGB")
        return picture.reduce(factor) if factor > 1 else picture.copy()


def _memory(content: bytes, side: int) -> int:
    """Bytes that decoding takes at most. Nobody has said how much all may take: a giant is decoded alone."""
    header = read_header(content)
    if header.jpeg is None or header.jpeg.coefficient_bytes:
        return header.memory
    fraction = next(f for f in (8, 4, 2, 1) if f == 1 or min(header.width, header.height) >= f * side)
    return header.memory // fraction**2


def thumbnail_uri(content: bytes, format_name: str, side: int) -> str:
    """A `data:` address of a JPEG thumbnail that fits a square of `side` pixels (about 2 kB at 96)."""
    picture = small_picture(content, format_name, side)
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
