"""TIFF and BigTIFF: directories of tags that point into the file (TIFF revision 6.0; BigTIFF design, 2007)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from rakuten_assets.images.formats.header import RasterHeader, check_size, damaged, ends_early

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
DNG_VERSION = 50706

_WIDTH, _HEIGHT, _BITS, _STRIPS, _ORIENTATION = 256, 257, 258, 273, 274
_SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _PLANES = 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SUB_IFDS, _PROFILE = 322, 323, 324, 325, 330, 34675
_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965
_POINTERS = (_SUB_IFDS, _EXIF, _GPS, _INTEROPERABILITY)
_TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_BYTES_AS_THEY_ARE = (1, 2, 6, 7)
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_DIRECTORIES = 256
_BYTES_A_PIXEL = 4
_PADDED_TO = 16  # Writers fill up the file's end with zeros.
# What one number of a tag takes as an object of Python.
_BYTES_A_NUMBER = 40


@dataclass(frozen=True)
class _Entry:
    kind: int
    count: int
    at: int  # where its values stand


@dataclass
class _Directory:
    entries: dict[int, _Entry] = field(default_factory=dict)
    next: int = 0
    end: int = 0


def read_tiff(content: bytes) -> RasterHeader:
    """Read the first directory, and where all of them and their data end.

    Raises:
        UndecodableImageError: `truncated` or `damaged_header`.
    """
    file = _Tiff(content)
    first = file.directory(file.first)
    if first is None:
        raise ends_early("TIFF")
    width, height = file.number(first, _WIDTH), file.number(first, _HEIGHT)
    if width is None or height is None:
        raise damaged("TIFF", "no width or no height")
    check_size("TIFF", width, height)
    orientation = file.number(first, _ORIENTATION) or 0
    orientation = orientation if 1 <= orientation <= 8 else 0
    memory = file.memory(first, width, height)
    if orientation > 4:  # Pillow turns it.
        width, height = height, width
        memory += width * height * _BYTES_A_PIXEL
    end = file.end()
    if len(content) - end < _PADDED_TO and not any(content[end:]):
        end = len(content)
    return RasterHeader(
        width, height, memory, end, orientation, _PROFILE in first.entries, animated=first.next != 0
    )


def is_dng(content: bytes) -> bool:
    """Whether it is a camera's raw file: its first picture would be a thumbnail."""
    file = _Tiff(content)
    first = file.directory(file.first)
    return first is not None and DNG_VERSION in first.entries


class _Tiff:
    """Directories of a file, read where they are asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._order = "<" if content[:2] == b"II" else ">"
        self._big = len(content) > 3 and 43 in content[2:4]
        self.first = (self._unpack("Q", 8) if self._big else self._unpack("I", 4)) or 0

    def directory(self, at: int) -> _Directory | None:
        """The directory at a place; None where the file ends first."""
        count = self._unpack("Q" if self._big else "H", at)
        if at < 8 or count is None:
            return None
        head, size = (8, 20) if self._big else (2, 12)
        after = at + head + count * size
        directory = _Directory(end=after + (8 if self._big else 4))
        if after > len(self._content):
            return None
        for start in range(at + head, after, size):
            tag, kind, values = struct.unpack_from(
                self._order + ("HHQ" if self._big else "HHI"), self._content, start
            )
            room, here = (8, start + 12) if self._big else (4, start + 8)
            held = values * _TYPE_BYTES.get(kind, 1)
            place = here if held <= room else self._unpack("Q" if self._big else "I", here)
            directory.entries.setdefault(tag, _Entry(kind, values, place or 0))
        directory.next = self._unpack("Q" if self._big else "I", after) or 0
        return directory

    def number(self, directory: _Directory, tag: int) -> int | None:
        """The first value of a tag, None where there is none."""
        entry = directory.entries.get(tag)
        if entry is None or not entry.count or entry.kind not in _NUMBERS:
            return None
        return self._unpack(_NUMBERS[entry.kind], entry.at)

    def memory(self, directory: _Directory, width: int, height: int) -> int:
        """Bytes that decoding the directory's picture allocates at most."""
        entry = directory.entries.get(_BITS)
        samples = self.number(directory, _SAMPLES) or 1
        bits = max(self._numbers(entry, 16), default=1) if entry else 1
        across = self.number(directory, _TILE_WIDTH) or width
        down = self.number(directory, _TILE_HEIGHT) or min(
            self.number(directory, _STRIP_ROWS) or height, height
        )
        # A strip or tile as it is stored, and again as four bytes a pixel where libtiff converts colours.
        piece = across * down * (samples * bits // 8 + 1 + _BYTES_A_PIXEL)
        values = sum(
            one.count
            for one in directory.entries.values()
            if one.kind not in _BYTES_AS_THEY_ARE and one.count <= len(self._content)
        )
        return width * height * _BYTES_A_PIXEL + piece + values * _BYTES_A_NUMBER

    def end(self) -> int:
        """Where the last directory, value, strip or tile ends; 0 where that cannot be told."""
        last, waiting, seen = 0, [self.first], set[int]()
        while waiting:
            at = waiting.pop()
            if at in seen or not at:
                continue
            seen.add(at)
            directory = self.directory(at)
            if directory is None or len(seen) > _MOST_DIRECTORIES:
                return 0
            waiting.append(directory.next)
            last = max(last, directory.end)
            for tag, entry in directory.entries.items():
                last = max(last, entry.at + entry.count * _TYPE_BYTES.get(entry.kind, 1))
                if tag in _POINTERS:
                    waiting += self._numbers(entry, _MOST_DIRECTORIES)
            for starts, counts in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
                last = max(last, self._last_piece(directory, starts, counts))
        return last

    def _last_piece(self, directory: _Directory, starts: int, counts: int) -> int:
        places, sizes = directory.entries.get(starts), directory.entries.get(counts)
        if places is None or sizes is None:
            return 0
        every = zip(
            self._numbers(places, len(self._content)), self._numbers(sizes, len(self._content)), strict=False
        )
        return max((start + size for start, size in every), default=0)

    def _numbers(self, entry: _Entry, most: int) -> Iterator[int]:
        form = _NUMBERS.get(entry.kind)
        size = _TYPE_BYTES.get(entry.kind, 1)
        for place in range(entry.at, entry.at + size * min(entry.count, most), size):
            value = self._unpack(form, place) if form else None
            if value is None:
                return
            yield value

    def _unpack(self, form: str, at: int) -> int | None:
        if at < 0 or at + struct.calcsize("<" + form) > len(self._content):
            return None
        value: int = struct.unpack_from(self._order + form, self._content, at)[0]
        return value
