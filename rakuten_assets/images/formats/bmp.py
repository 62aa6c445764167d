"""BMP: a file header and one of several bitmap headers (Microsoft's BITMAPFILEHEADER to BITMAPV5HEADER)."""

from __future__ import annotations

import struct

from rakuten_assets.images.formats.header import RasterHeader, check_size, damaged, ends_early

HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_CORE = 12
_V5 = 124
_UNPACKED = (0, 3, 6)  # BI_RGB and the two kinds of bit fields
_EMBEDDED, _LINKED = b"DEBM", b"KNIL"  # profiles: MBED and LINK as little-endian numbers
# Pillow's image, and for run lengths the bytes that it unpacks them to.
_BYTES_A_PIXEL, _BYTES_OF_RUNS = 4, 2


def is_bmp(content: bytes) -> bool:
    """Whether it starts like a bitmap: two letters are not enough, a text may start with them."""
    return content[:2] == b"BM" and (
        len(content) < 18 or int.from_bytes(content[14:18], "little") in HEADER_SIZES
    )


def read_bmp(content: bytes) -> RasterHeader:
    """Read the bitmap header.

    Raises:
        UndecodableImageError: `truncated` or `damaged_header`.
    """
    if len(content) < 26:
        raise ends_early("BMP")
    file_bytes, pixels_at, header_size = struct.unpack_from("<I4xII", content, 2)
    if header_size == _CORE:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        packing, data_bytes = 0, 0
    else:
        if len(content) < 54:
            raise ends_early("BMP")
        width, height, _, bits, packing, data_bytes = struct.unpack_from("<iiHHII", content, 18)
    height = abs(height)
    check_size("BMP", width, height)
    if bits > 32:
        raise damaged("BMP", f"{bits} bits a pixel")
    line = (width * bits + 31) // 32 * 4
    end = pixels_at + (line * height if packing in _UNPACKED else data_bytes)
    has_icc = header_size == _V5 and content[70:74] in (_EMBEDDED, _LINKED)
    if has_icc and len(content) >= 134:
        end = max(end, 14 + sum(struct.unpack_from("<II", content, 126)))
    # Some programs pad the pixels and count that in the file's size.
    end = max(end, file_bytes) if file_bytes <= len(content) else end
    memory = width * height * (_BYTES_A_PIXEL + (0 if packing in _UNPACKED else _BYTES_OF_RUNS))
    return RasterHeader(width, height, memory, end, has_icc=has_icc)
