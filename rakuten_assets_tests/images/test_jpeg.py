"""Reading a JPEG's header: what Pillow says of it, and no surprise on damaged ones."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.jpeg import exif_orientation, read_jpeg_header, subsampling_name, trailing_bytes
from rakuten_assets_tests.images.pictures import encoded, flat_jpeg, segment, smooth, with_size

PLAIN = encoded(smooth(83, 61))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_frame_is_read(progressive: bool, subsampling: str) -> None:
    header = read_jpeg_header(encoded(smooth(83, 61), progressive=progressive, subsampling=subsampling))
    assert (header.width, header.height, header.mode) == (83, 61, "RGB")
    assert (header.progressive, header.subsampling, header.precision) == (progressive, subsampling, 8)
    assert header.huffman
    assert (header.orientation, header.has_icc) == (0, False)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_mode_is_pillows(mode: str) -> None:
    content = encoded(smooth(20, 30).convert(mode))
    assert read_jpeg_header(content).mode == mode == Image.open(io.BytesIO(content)).mode


def test_gray_has_no_subsampling() -> None:
    assert read_jpeg_header(encoded(smooth(20, 30).convert("L"))).subsampling == ""


@pytest.mark.parametrize(
    ("factors", "name"),
    [
        ([(1, 1), (1, 1), (1, 1)], "4:4:4"),
        ([(1, 2), (1, 1), (1, 1)], "4:4:0"),
        ([(4, 1), (1, 1), (1, 1)], "4:1:1"),
        ([(4, 2), (1, 1), (1, 1)], "4:1:0"),
        ([(2, 2), (2, 1), (1, 1)], "2x2,2x1,1x1"),
        ([(2, 2), (1, 1), (1, 1), (2, 2)], "4:2:0"),
    ],
)
def test_subsampling_names(factors: list[tuple[int, int]], name: str) -> None:
    assert subsampling_name(tuple(factors)) == name
    assert read_jpeg_header(flat_jpeg(83, 61, factors)).subsampling == name


@pytest.mark.parametrize("quality", range(1, 101))
def test_quality_is_that_of_the_encoder(quality: int) -> None:
    assert read_jpeg_header(encoded(smooth(16, 16), quality=quality)).quality == quality


def test_quality_of_16_bit_tables() -> None:
    content = PLAIN
    start = content.find(b"\xff\xdb")
    table = content[start + 5 : start + 69]
    wide = segment(0xDB, b"\x10" + b"".join(bytes([0, entry]) for entry in table))
    assert read_jpeg_header(content[:start] + wide + content[start + 69 :]).quality == 80


def test_quality_of_a_table_beyond_8_bits_is_the_lowest() -> None:
    start = (content := PLAIN).find(b"\xff\xdb")
    wide = segment(0xDB, b"\x10" + b"\x01\x00" * 64)
    assert read_jpeg_header(content[:start] + wide + content[start + 69 :]).quality == 1


def test_no_table_is_no_quality() -> None:
    start = (content := PLAIN).find(b"\xff\xdb")
    assert read_jpeg_header(content[:start] + content[start + 2 * 69 :]).quality == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_and_profile(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = read_jpeg_header(encoded(smooth(20, 30), exif=exif.tobytes(), icc_profile=b"profile"))
    assert (header.orientation, header.has_icc) == (orientation, True)


def test_the_first_of_two_exif_blocks_counts() -> None:
    blocks = []
    for orientation in (3, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        blocks.append(segment(0xE1, exif.tobytes()))
    content = PLAIN[:2] + b"".join(blocks) + PLAIN[2:]
    assert read_jpeg_header(content).orientation == 3 == Image.open(io.BytesIO(content)).getexif()[0x0112]


def test_orientation_in_motorola_order() -> None:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    assert exif_orientation(b"MM\0*" + struct.pack(">IH", 8, 1) + entry) == 6


@pytest.mark.parametrize(
    "tiff",
    [
        b"",
        b"II*\0",
        b"XX*\0" + bytes(20),
        b"II*\0" + struct.pack("<I", 4_000_000_000),
        b"II*\0" + struct.pack("<IH", 8, 65535),
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 9, 0),  # no such orientation
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 2, 1, 6, 0),  # not a number
    ],
)
def test_damaged_exif_is_no_orientation(tiff: bytes) -> None:
    assert exif_orientation(tiff) == 0


@given(st.binary(max_size=80))
def test_any_exif_is_an_orientation_or_none(tail: bytes) -> None:
    assert 0 <= exif_orientation(b"II*\0\x08\0\0\0" + tail) <= 8


def test_every_cut_inside_the_header_is_a_truncation() -> None:
    first_scan = PLAIN.find(b"\xff\xda")
    for length in range(2, first_scan):
        with pytest.raises(UndecodableImageError) as caught:
            read_jpeg_header(PLAIN[:length])
        assert caught.value.reason == "truncated", length


@pytest.mark.parametrize("size", [(0, 20), (20, 0), (0, 0)])
def test_no_pixels_is_no_image(size: tuple[int, int]) -> None:
    with pytest.raises(UndecodableImageError, match="the header gives"):
        read_jpeg_header(with_size(PLAIN, *size))


def test_pixels_without_a_frame_are_no_image() -> None:
    start = PLAIN.find(b"\xff\xc2")
    with pytest.raises(UndecodableImageError, match="without a frame header"):
        read_jpeg_header(PLAIN[:start] + PLAIN[start + 19 :])


def test_fill_bytes_and_junk_between_segments_are_passed_over() -> None:
    start = PLAIN.find(b"\xff\xdb")
    assert read_jpeg_header(PLAIN[:start] + b"\xff\xff\xff" + PLAIN[start:]).width == 83
    assert read_jpeg_header(PLAIN[:start] + b"junk" + PLAIN[start:]).width == 83


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_header_or_a_reason(tail: bytes) -> None:
    try:
        header = read_jpeg_header(b"\xff\xd8" + tail)
    except UndecodableImageError as error:
        assert error.reason in ("truncated", "damaged_header", "unsupported_format")
        assert error.detail
    else:
        assert header.width > 0
        assert header.height > 0
        assert 0 <= header.quality <= 100


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("tail", [b"\0", b"hello", bytes(1000), b"\xff\xd9", b"\xff\xff\xd9", PLAIN])
def test_trailing_bytes_are_counted(progressive: bool, tail: bytes) -> None:
    content = encoded(smooth(83, 61), progressive=progressive)
    header = read_jpeg_header(content)
    assert trailing_bytes(content, header) == 0
    assert trailing_bytes(content + tail, header) == len(tail)


def test_a_thumbnail_is_not_the_end_of_the_image() -> None:
    content = PLAIN[:2] + segment(0xE1, b"Exif\0\0" + encoded(smooth(16, 16))) + PLAIN[2:]
    header = read_jpeg_header(content)
    assert (header.width, header.height) == (83, 61)
    assert trailing_bytes(content, header) == 0
    assert trailing_bytes(content + b"abc", header) == 3


def test_an_end_marker_inside_a_table_between_scans_is_not_the_end() -> None:
    content = PLAIN
    first_scan = content.find(b"\xff\xda")
    second_table = content.find(b"\xff\xc4", first_scan)
    odd = content[:second_table] + segment(0xFE, b"comment \xff\xd9 comment") + content[second_table:]
    header = read_jpeg_header(odd)
    assert trailing_bytes(odd, header) == 0
    assert trailing_bytes(odd + b"1234567", header) == 7
