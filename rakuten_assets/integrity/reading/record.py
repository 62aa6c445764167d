"""One image's record: from a path, through its bytes and its pixels, to a row of the scan."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from rakuten_assets.errors import UndecodableImageError, UnreachableError
from rakuten_assets.images.decoding import Decoded, bytes_after_end, decode_pixels, pixel_mode
from rakuten_assets.images.header import ImageHeader, check_bytes, check_header, read_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.memory import DECODING
from rakuten_assets.images.raster import refusals
from rakuten_assets.images.reasons import Reason, status_of
from rakuten_assets.integrity.reading.measures import measure_pixels
from rakuten_assets.integrity.reading.schema import SCAN_VERSION
from rakuten_assets.storage.content_cache import read_scanned
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import file_size
from rakuten_assets.units import human_count

_FORMATS_BY_SUFFIX = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
# The buffer of a worker grows to so many pixels, 24 MB; a larger image has memory of its own, and gives it back.
_MOST_BUFFERED_PIXELS = 8_000_000
# Without waiting: a named pipe would otherwise keep its reader until someone writes.
_READ_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class ImageRecord(NamedTuple):
    """A row of the scan: `schema.SCAN_SCHEMA` describes the fields, in the same order."""

    status: str
    reason: str
    detail: str = ""
    bytes: int = 0
    sha256: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    progressive: bool = False
    subsampling: str = ""
    quality: int = 0
    orientation: int = 0
    has_icc: bool = False
    pixel_sha256: str = ""
    phash: int = 0
    dhash: int = 0
    brightness: float = math.nan
    contrast: float = math.nan
    entropy: float = math.nan
    blur: float = math.nan
    saturation: float = math.nan
    white_share: float = math.nan
    box_left: int = 0
    box_top: int = 0
    box_right: int = 0
    box_bottom: int = 0
    removable_share: float = math.nan
    blank: bool = False
    near_blank: bool = False
    scan_version: str = SCAN_VERSION


class Workspace:
    """A worker's own memory: a pixel buffer that it uses again and again."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    @contextmanager
    def decoded(self, content: bytes, header: ImageHeader, limits: DecodeLimits) -> Iterator[Decoded]:
        """Decode into this workspace; the pixels are good inside the block, which holds their share of the memory.

        Raises:
            UndecodableImageError: with the reason why the image does not decode whole.
        """
        count = header.width * header.height
        with DECODING.hold(header.memory, limits.max_memory):
            if count > _MOST_BUFFERED_PIXELS:
                yield decode_pixels(content, header)
                return
            if self._buffer.size < 3 * count:
                self._buffer = np.empty(3 * count, np.uint8)
            yield decode_pixels(content, header, self._buffer)


def read_image_file(path: Path | UPath, limits: DecodeLimits, sha256: str = "") -> bytes | ImageRecord:
    """The file's bytes, or the record that says why there are none: `missing`, `unreadable_file`, `empty`,
    `file_too_large` (refused by its size, without reading it; of a bucket's object, so many bytes are read as are
    allowed, and one more).

    What is said leaves out where the file lies: the same images mounted elsewhere give the same scan.

    Args:
        sha256: of the content that an earlier scan found, where that content will do; "": the file is read.
    """
    size = 0
    try:
        if is_local(path):
            # The bare system calls: an open file object costs as much again, which counts where nothing is decoded.
            descriptor = os.open(path, _READ_AT_ONCE)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise UndecodableImageError(Reason.UNREADABLE_FILE, "it is not a regular file")
                size = status.st_size
                check_bytes(size, limits)
                return _read(descriptor, size)
            finally:
                os.close(descriptor)
        content = read_scanned(path, sha256, limits.max_file_bytes + 1)
        # One byte more than is allowed is where reading ended; of a copy made under other limits all is there.
        size = file_size(path) if len(content) == limits.max_file_bytes + 1 else len(content)
        check_bytes(size, limits)
        return content
    except (FileNotFoundError, NotADirectoryError):
        return ImageRecord(status_of(Reason.MISSING), Reason.MISSING, "there is no such file")
    except UndecodableImageError as error:
        reason = Reason(error.reason)
        return ImageRecord(status_of(reason), reason, error.detail, bytes=size)
    except UnreachableError:  # That says nothing of the image, and is no finding.
        raise
    except MemoryError:
        reason, detail = Reason.TOO_MUCH_MEMORY, "there was no memory to read it"
        return ImageRecord(status_of(reason), reason, detail, bytes=size)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        detail = getattr(error, "strerror", None) or str(error)
        return ImageRecord(status_of(Reason.UNREADABLE_FILE), Reason.UNREADABLE_FILE, detail)


def _read(descriptor: int, size: int) -> bytes:
    """Up to `size` bytes; one call of the system gives fewer than asked for where the file is huge."""
    content = os.read(descriptor, size)
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content


def record_of_content(
    content: bytes, sha256: str, suffix: str, limits: DecodeLimits, workspace: Workspace
) -> ImageRecord:
    """The record of an image's bytes, whose size has been accepted; `suffix` is the file name's."""
    found: dict[str, Any] = {"bytes": len(content), "sha256": sha256}
    try:
        with refusals("scan", Reason.DECODER_FAILURE):
            header = read_header(content)
            found.update(_header_fields(header))
            check_header(content, header, limits)
            found["mode"] = pixel_mode(content, header, limits)
            with workspace.decoded(content, header, limits) as decoded:
                oddity = decoded.oddity
                found.update(vars(measure_pixels(decoded.rgb)))
            reason, detail = _remark(content, header, suffix, oddity)
    except UndecodableImageError as error:
        reason, detail = Reason(error.reason), error.detail
        if error.format:
            found["format"] = error.format
    return ImageRecord(status_of(reason), reason, detail, **found)


def expected_format(suffix: str) -> str:
    """The image format that a file name's suffix promises, "" for a suffix that promises none.

    >>> expected_format(".JPG")
    'JPEG'
    """
    return _FORMATS_BY_SUFFIX.get(suffix.lower(), "")


def _header_fields(header: ImageHeader) -> dict[str, Any]:
    jpeg = header.jpeg
    return {
        "format": header.format,
        "mode": header.mode,
        "width": header.width,
        "height": header.height,
        "orientation": header.orientation,
        "has_icc": header.has_icc,
        "progressive": jpeg.progressive if jpeg else False,
        "subsampling": jpeg.subsampling if jpeg else "",
        "quality": jpeg.quality if jpeg else 0,
    }


def _remark(content: bytes, header: ImageHeader, suffix: str, oddity: str) -> tuple[Reason, str]:
    """What is remarkable about an image that decodes whole; the first of several is the reason."""
    remarks: list[tuple[Reason, str]] = []
    if header.animated:
        remarks.append((Reason.ANIMATED, "more than one frame; the first one counts"))
    if header.format != (expected_format(suffix) or header.format):
        remarks.append((Reason.WRONG_FORMAT, f"{header.format} in a file named *{suffix}"))
    if count := bytes_after_end(content, header):
        remarks.append((Reason.TRAILING_BYTES, f"{human_count(count)} bytes after the end of the image"))
    if oddity:
        remarks.append((Reason.ODD_HEADER, f"the decoder remarks: {oddity}"))
    if not remarks:
        return Reason.NONE, ""
    return remarks[0][0], "; ".join(detail for _, detail in remarks)
