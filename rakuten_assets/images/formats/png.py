"""PNG: chunks with checksums (ISO/IEC 15948, clauses 5 and 11).

signature | IHDR | PLTE, tRNS, text, profile ... | IDAT ... | IEND
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.formats.header import RasterHeader, check_size, damaged, ends_early
from rakuten_assets.images.jpeg import exif_orientation
from rakuten_assets.images.reasons import Reason

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What pixels depend on; frames of an animation are kept so that Pillow finds the first one.
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"})
_GRAY_OR_PALETTE = (0, 3)
_BYTES_A_PIXEL, _BYTES_A_GRAY_PIXEL = 4, 1


def read_png(content: bytes) -> RasterHeader:
    """Read IHDR, and which other chunks there are.

    Raises:
        UndecodableImageError: `truncated` or `damaged_header`.
    """
    head = content[8:33]
    if len(head) < 25:
        raise ends_early("PNG")
    if head[:8] != b"\0\0\0\rIHDR":
        raise damaged("PNG", f"the first chunk is {head[4:8]!r}")
    width, height, depth, colour = struct.unpack(">IIBB", head[8:18])
    check_size("PNG", width, height)
    orientation, has_icc, animated, end = 0, False, False, 0
    for kind, start, stop in chunks(content):
        if kind == b"eXIf":
            orientation = orientation or exif_orientation(content[start + 8 : stop - 4])
        elif kind == b"iCCP":
            has_icc = True
        elif kind == b"acTL":
            animated = int.from_bytes(content[start + 8 : start + 12], "big") > 1
        end = stop if kind == b"IEND" else 0
    one_byte = colour in _GRAY_OR_PALETTE and depth <= 8
    memory = width * height * (_BYTES_A_GRAY_PIXEL if one_byte else _BYTES_A_PIXEL)
    # A line before and after its filter is undone.
    return RasterHeader(width, height, memory + 16 * width, end, orientation, has_icc, animated)


def chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and stop of each chunk that is there whole, up to IEND; its data begins 8 bytes after the start."""
    position = len(SIGNATURE)
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        stop = position + 12 + length
        if stop > len(content):
            return
        yield kind, position, stop
        if kind == b"IEND":
            return
        position = stop


def check_chunks(content: bytes) -> None:
    """Verify every chunk's checksum and that there is a closing chunk: Pillow skips both for pixel data.

    Raises:
        UndecodableImageError: `truncated` or `corrupt_scan`.
    """
    kind, stop = b"", len(SIGNATURE)
    for kind, start, stop in chunks(content):
        if zlib.crc32(content[start + 4 : stop - 4]) != int.from_bytes(content[stop - 4 : stop], "big"):
            raise UndecodableImageError(Reason.CORRUPT_SCAN, f"PNG: wrong checksum of chunk {kind!r}")
    if kind == b"IEND":
        return
    if len(content) < stop + 8:
        raise UndecodableImageError(Reason.TRUNCATED, "PNG: the file ends before its closing chunk")
    inside = content[stop + 4 : stop + 8]
    raise UndecodableImageError(Reason.TRUNCATED, f"PNG: the file ends inside chunk {inside!r}")


def without_metadata(content: bytes) -> bytes:
    """The same picture without text, profile and Exif: Pillow refuses a whole picture for a long text."""
    found = list(chunks(content))
    if all(kind in _PIXEL_CHUNKS for kind, _, _ in found):
        return content
    kept = [content[start:stop] for kind, start, stop in found if kind in _PIXEL_CHUNKS]
    rest = content[found[-1][2] :] if found[-1][0] != b"IEND" else b""
    return b"".join([SIGNATURE, *kept, rest])
