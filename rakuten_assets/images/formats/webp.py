"""WebP: RIFF chunks around a VP8 or VP8L bitstream (RFC 9649)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.formats.header import RasterHeader, check_size, damaged, ends_early
from rakuten_assets.images.jpeg import exif_orientation
from rakuten_assets.images.reasons import Reason

# Measured: two canvases of the animation decoder, the frame's bytes, Pillow's image; 16.6 bytes a pixel.
_BYTES_A_PIXEL = 17


def read_webp(content: bytes) -> RasterHeader:
    """Read the canvas, and which chunks there are.

    Raises:
        UndecodableImageError: `truncated` or `damaged_header`.
    """
    if len(content) < 30:
        raise ends_early("WebP")
    width, height = _canvas(content)
    check_size("WebP", width, height)
    orientation, has_icc, frames = 0, False, 0
    for kind, start, stop in _chunks(content):
        if kind == b"EXIF":
            orientation = exif_orientation(content[start:stop].removeprefix(b"Exif\0\0"))
        has_icc |= kind == b"ICCP"
        frames += kind == b"ANMF"
    (riff,) = struct.unpack_from("<I", content, 4)
    end = 8 + riff + riff % 2
    if 8 + riff > len(content):
        raise UndecodableImageError(
            Reason.TRUNCATED,
            f"WebP: the file has {len(content)} of the {8 + riff} bytes that its header gives",
        )
    return RasterHeader(width, height, width * height * _BYTES_A_PIXEL, end, orientation, has_icc, frames > 1)


def _canvas(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L" and content[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise damaged("WebP", f"no picture in the first chunk, {kind!r}")


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and stop of each chunk's data."""
    position = 12
    while position + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, position)
        yield kind, position + 8, min(position + 8 + length, len(content))
        position += 8 + length + length % 2
