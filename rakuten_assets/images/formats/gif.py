"""GIF: a logical screen and the blocks that follow it (GIF89a specification, clauses 17 to 27)."""

from __future__ import annotations

import struct

from rakuten_assets.images.formats.header import RasterHeader, check_size, damaged, ends_early

SIGNATURES = (b"GIF87a", b"GIF89a")
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
# A palette image, a second one to compose it on, and what a frame's disposal keeps.
_BYTES_A_PIXEL = 3


def read_gif(content: bytes) -> RasterHeader:
    """Read the logical screen and walk through the blocks.

    Raises:
        UndecodableImageError: `truncated` or `damaged_header`.
    """
    if len(content) < 13:
        raise ends_early("GIF")
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    position, frames, end = 13 + _table_bytes(flags), 0, 0
    while position < len(content):
        block = content[position]
        if block == _TRAILER:
            end = position + 1
            break
        if block == _EXTENSION:
            position = _after_data(content, position + 2)
        elif block == _IMAGE and position + 10 <= len(content):
            left, top, across, down, flags = struct.unpack_from("<HHHHB", content, position + 1)
            frames += 1
            if frames == 1:  # Pillow widens the screen to hold the first frame.
                width, height = max(width, left + across), max(height, top + down)
            position = _after_data(content, position + 11 + _table_bytes(flags))
        else:
            position += 1  # Pillow passes over what is none of these.
    if not frames and not end:
        raise ends_early("GIF")
    if not frames:
        raise damaged("GIF", "there is no picture between it and the end")
    check_size("GIF", width, height)
    return RasterHeader(width, height, width * height * _BYTES_A_PIXEL, end, animated=frames > 1)


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_data(content: bytes, position: int) -> int:
    """Where a chain of data blocks that begins at `position` ends."""
    while position < len(content) and content[position]:
        position += 1 + content[position]
    return position + 1
