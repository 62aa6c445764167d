"""What a JPEG file says about itself: its marker segments, read without decoding a pixel.

    SOI | APPn, DQT, DHT, SOF ... (segments) | SOS + scan data (once, or ten times when progressive) | EOI

`read_jpeg_header` walks the segments up to the first scan. Nothing here allocates by a number that the file
claims. Marker codes and layouts: ITU-T T.81, annex B; Exif: CIPA DC-008, 4.5 and 4.6.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.quantisation import estimate_quality
from rakuten_assets.images.reasons import Reason

JPEG_SIGNATURE = b"\xff\xd8\xff"
END_OF_IMAGE = b"\xff\xd9"

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
# Inside scan data a real marker is 0xFF, and then neither 0x00 (a stuffed byte), nor a restart, nor fill.
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ORIENTATION_TAG = 0x0112

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


@dataclass(frozen=True)
class JpegHeader:
    """A JPEG's first frame header and the segments before its first scan.

    Attributes:
        width, height: pixels.
        precision: bits a sample.
        components: 1 (gray), 3 (colour) or 4 (CMYK, YCCK).
        sampling: (horizontal, vertical) factor of each component.
        progressive: whether the frame is progressive.
        huffman: whether the scans are Huffman-coded (not arithmetic, not lossless).
        orientation: Exif orientation 1..8, 0 where there is none.
        has_icc: whether there is a colour profile.
        quantisation: sum of the luminance quantisation table's 64 entries (the order of the stored
            entries does not matter to it), 0 where there is none.
        scan_offset: where the first SOS marker stands.
        scan_components: number of components of the first scan.
    """

    width: int
    height: int
    precision: int
    components: int
    sampling: tuple[tuple[int, int], ...]
    progressive: bool
    huffman: bool
    orientation: int
    has_icc: bool
    quantisation: int
    scan_offset: int
    scan_components: int

    @property
    def mode(self) -> str:
        """Pillow's name of the pixel mode, "" for a number of components that it has none for."""
        return _MODES.get(self.components, "")

    @property
    def coefficient_bytes(self) -> int:
        """Bytes of the coefficients that a decoder keeps of the whole image: none where one scan holds everything."""
        if not self.progressive and self.scan_components == self.components:
            return 0
        most_across = max((across for across, _ in self.sampling), default=1) or 1
        most_down = max((down for _, down in self.sampling), default=1) or 1
        units = -(-self.width // (8 * most_across)) * -(-self.height // (8 * most_down))
        return 2 * 64 * units * sum(across * down for across, down in self.sampling)

    @property
    def subsampling(self) -> str:
        """Chroma subsampling in the J:a:b notation ("4:2:0"), "" for gray, factors for anything unusual."""
        return subsampling_name(self.sampling)

    @property
    def quality(self) -> int:
        """IJG quality 1..100 whose luminance table comes nearest, 0 where there is no table."""
        return estimate_quality(self.quantisation)


@dataclass
class _Walk:
    frame: tuple[int, bytes] | None = None
    orientation: int = 0
    has_icc: bool = False
    tables: dict[int, int] = field(default_factory=dict)


def read_jpeg_header(content: bytes) -> JpegHeader:
    """Walk the segments of a JPEG up to its first scan.

    Raises:
        UndecodableImageError: `truncated` where the file ends first, `damaged_header` where the segments make
            no sense, `unsupported_format` for JPEG-LS.
    """
    walk = _Walk()
    position, size = 2, len(content)
    while True:
        position = content.find(b"\xff", position)  # bytes between segments: the strict decoder reports them
        while 0 <= position < size and content[position] == 0xFF:
            position += 1
        if position < 0 or position >= size:
            raise _ends_early()
        marker = content[position]
        position += 1
        if marker in _STANDALONE:
            continue
        if marker == 0xD9:
            raise UndecodableImageError(Reason.TRUNCATED, "the image ends before any pixel data")
        length = int.from_bytes(content[position : position + 2], "big")
        if position + max(length, 2) > size:
            raise _ends_early()
        if length < 2:
            raise _damaged(f"header segment 0x{marker:02x} is of impossible length {length}")
        if marker == 0xF7:
            raise UndecodableImageError(Reason.UNSUPPORTED_FORMAT, "JPEG-LS, which is not decoded here")
        if marker == 0xDA:
            return _header(walk, position - 2, content[position + 2] if length > 2 else 0)
        _note(walk, marker, content[position + 2 : position + length])
        position += length


def trailing_bytes(content: bytes, header: JpegHeader) -> int:
    """How many bytes follow the end-of-image marker of a JPEG that decodes whole."""
    position = header.scan_offset
    if content.find(END_OF_IMAGE, position) == len(content) - len(END_OF_IMAGE):
        return 0  # The only one there is ends the file, as in nearly every file: no need to walk through the scans.
    for marker, body in segments_from(content, position):
        if marker == 0xD9:
            return len(content) - body
    return 0


def segments_from(content: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Markers from a position on, in headers and between scans, and where each one's body begins; up to the end."""
    while match := _MARKER_IN_SCAN.search(content, position):
        position = match.end()
        marker = content[position - 1]
        if marker in _STANDALONE:
            continue
        yield marker, position
        if marker == 0xD9:
            return
        position += int.from_bytes(content[position : position + 2], "big")  # past its body


@lru_cache(maxsize=256)
def subsampling_name(sampling: tuple[tuple[int, int], ...]) -> str:
    """Chroma subsampling of (horizontal, vertical) factors in the J:a:b notation.

    >>> subsampling_name(((2, 2), (1, 1), (1, 1)))
    '4:2:0'
    >>> subsampling_name(((1, 1),))
    ''
    """
    if len(sampling) < 3:
        return ""
    if len(set(sampling)) == 1:
        return "4:4:4"
    luma, *chroma = sampling[:3]
    names = {
        (2, 1): "4:2:2",
        (2, 2): "4:2:0",
        (1, 2): "4:4:0",
        (4, 1): "4:1:1",
        (1, 4): "4:4:1",
        (4, 2): "4:1:0",
    }
    if chroma == [(1, 1), (1, 1)] and luma in names:
        return names[luma]
    return ",".join(f"{across}x{down}" for across, down in sampling)


def _ends_early() -> UndecodableImageError:
    return UndecodableImageError(Reason.TRUNCATED, "the file ends inside the header, before any pixel data")


def _damaged(what: str) -> UndecodableImageError:
    return UndecodableImageError(Reason.DAMAGED_HEADER, f"JPEG header: {what}")


def _note(walk: _Walk, marker: int, body: bytes) -> None:
    if marker in _START_OF_FRAME:
        if walk.frame is None:
            walk.frame = (marker, body)
    elif marker == 0xDB:
        _note_tables(walk, body)
    elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
        walk.orientation = walk.orientation or exif_orientation(body[6:])
    elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
        walk.has_icc = True


def _note_tables(walk: _Walk, body: bytes) -> None:
    position = 0
    while position < len(body):
        width, number = body[position] >> 4, body[position] & 15
        entries = body[position + 1 : position + 1 + (128 if width else 64)]
        position += 1 + len(entries)
        if width:
            walk.tables[number] = sum(entries[1::2]) + 256 * sum(entries[::2])
        else:
            walk.tables[number] = sum(entries)


def _header(walk: _Walk, scan_offset: int, scan_components: int) -> JpegHeader:
    if walk.frame is None:
        raise _damaged("pixel data without a frame header")
    marker, body = walk.frame
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise _damaged("the frame header is too short")
    precision, height, width, components = struct.unpack_from(">BHHB", body)
    if not (width and height and components):
        raise _damaged(f"the header gives {width} x {height} pixels of {components} components")
    parts = [body[6 + 3 * number : 9 + 3 * number] for number in range(components)]
    return JpegHeader(
        width=width,
        height=height,
        precision=precision,
        components=components,
        sampling=tuple((part[1] >> 4, part[1] & 15) for part in parts),
        progressive=marker in _PROGRESSIVE,
        huffman=marker in _HUFFMAN,
        orientation=walk.orientation,
        has_icc=walk.has_icc,
        quantisation=walk.tables.get(parts[0][2], 0),
        scan_offset=scan_offset,
        scan_components=scan_components,
    )


def exif_orientation(tiff: bytes) -> int:
    """Orientation (1..8) in the TIFF structure of an Exif block, 0 where there is none or it is damaged."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 0
    (offset,) = struct.unpack_from(order + "I", tiff, 4)
    if offset + 2 > len(tiff):
        return 0
    (count,) = struct.unpack_from(order + "H", tiff, offset)
    for entry in range(offset + 2, min(offset + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, values, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == _ORIENTATION_TAG:
            return value if kind == 3 and values == 1 and 1 <= value <= 8 else 0
    return 0
