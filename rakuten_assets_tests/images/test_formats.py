"""Headers that are read without a decoder: what Pillow says of them, what they remark, what they cost."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.decoding import bytes_after_end, decode_rgb, pixel_mode
from rakuten_assets.images.header import check_header, read_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets_tests.images.pictures import encoded, pillow_rgb, smooth

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

LIMITS = DecodeLimits(10_000_000, 1_000_000)
PICTURE = smooth(83, 61)
KINDS = ["PNG", "GIF", "WEBP", "BMP", "TIFF"]
MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "GIF": ["1", "L", "P", "RGB"],
    "WEBP": ["RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"],
}


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, depth: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + body
        + png_chunk(b"IDAT", b"")
        + png_chunk(b"IEND", b"")
    )


def reason_of(content: bytes, limits: DecodeLimits = LIMITS) -> str:
    with pytest.raises(UndecodableImageError) as caught:
        decode_rgb(content, limits)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in KINDS for mode in MODES[kind]])
def test_size_and_mode_are_pillows(kind: str, mode: str) -> None:
    source = PICTURE.convert("L") if mode == "I;16" else PICTURE.convert("RGBA")
    content = encoded(source.convert(mode), kind)
    header = read_header(content)
    with Image.open(io.BytesIO(content)) as image:
        assert (header.width, header.height) == image.size
        assert pixel_mode(content, header, LIMITS) == image.mode
        assert header.animated == getattr(image, "is_animated", False)
    assert not header.has_icc
    assert header.orientation == 0


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_orientation_and_profile_are_reported(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(PICTURE, kind, exif=exif, icc_profile=b"profile " * 20)
    header = read_header(content)
    assert (header.orientation, header.has_icc) == (orientation, True)
    with Image.open(io.BytesIO(content)) as image:
        assert (header.width, header.height) == image.size
    np.testing.assert_array_equal(decode_rgb(content, LIMITS), pillow_rgb(content))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_are_noticed(kind: str) -> None:
    frames = [smooth(20, 30, seed) for seed in range(3)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert read_header(content).animated
    assert bytes_after_end(content, read_header(content)) == 0
    np.testing.assert_array_equal(decode_rgb(content, LIMITS), pillow_rgb(content))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 5000])
def test_bytes_after_the_end_are_counted_in_every_format(kind: str, count: int) -> None:
    for mode in MODES[kind]:
        source = PICTURE.convert("L") if mode == "I;16" else PICTURE
        content = encoded(source.convert(mode), kind)
        assert bytes_after_end(content, read_header(content)) == 0, mode
        longer = content + b"P" * count
        assert bytes_after_end(longer, read_header(longer)) in (count, count - 1), mode  # RIFF pads to even


@pytest.mark.parametrize("options", [{"compression": "tiff_lzw"}, {"compression": "jpeg"},
                                     {"compression": "tiff_deflate"}, {"compression": "packbits"}])  # fmt: skip
def test_compressed_tiffs_end_where_they_end(options: dict[str, str]) -> None:
    content = encoded(PICTURE, "TIFF", **options)
    assert bytes_after_end(content, read_header(content)) == 0
    assert bytes_after_end(content + b"tail", read_header(content + b"tail")) == 4


def test_a_long_text_or_profile_costs_no_png() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("notes", "x" * 1_500_000, zip=True)
    for options in ({"pnginfo": text}, {"icc_profile": os.urandom(3_000_000)}):
        content = encoded(PICTURE, "PNG", **options)
        np.testing.assert_array_equal(decode_rgb(content, LIMITS), np.asarray(PICTURE))
    assert read_header(content).has_icc


def test_damaged_metadata_costs_no_png() -> None:
    for kind, body in ((b"iCCP", b"x"), (b"tEXt", b"no separator"), (b"zTXt", b"a\0\0broken"), (b"iTXt", b"\xff"),
                       (b"eXIf", b"nonsense"), (b"gAMA", b""), (b"pHYs", b"\0")):  # fmt: skip
        plain = encoded(PICTURE, "PNG")
        content = plain[:33] + png_chunk(kind, body) + plain[33:]
        np.testing.assert_array_equal(decode_rgb(content, LIMITS), np.asarray(PICTURE))


HUGE = 2_147_483_647
GIANTS = {
    "PNG": png_of(HUGE, HUGE),
    "PNG with Exif to come": png_of(HUGE, HUGE, body=png_chunk(b"tEXt", b"a\0b")),
    "PNG in one line": png_of(HUGE, 1),
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"!\xf9\x04\x08\0\0\0\0"
    + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\0;",
    "WebP VP8X": b"RIFF\x1e\0\0\0WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff\xff\xff\x00" + bytes(8),
    "WebP VP8L": b"RIFF\x1e\0\0\0WEBPVP8L" + struct.pack("<IB", 20, 0x2F) + b"\xff\xff\xff\x0f" + bytes(20),
    "BMP": b"BM" + struct.pack("<IIIIiiHHIIiiII", 60, 0, 54, 40, HUGE, -HUGE, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(8),
    "BMP core": b"BM" + struct.pack("<IIIIHHHH", 60, 0, 26, 12, 65535, 65535, 1, 24) + bytes(40),
    "TIFF": b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + struct.pack("<HHII", 256, 4, 1, 2**32 - 1)
    + struct.pack("<HHII", 257, 4, 1, 2**32 - 1) + bytes(4),
}  # fmt: skip


@pytest.mark.parametrize("name", GIANTS)
def test_a_header_that_claims_giants_allocates_nothing(name: str) -> None:
    tracemalloc.start()
    reason = reason_of(GIANTS[name], DecodeLimits(10**6, 50_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason == "too_many_pixels"
    assert peak < 1_000_000


def tiff_of(width: int, height: int, tags: dict[int, tuple[int, int]], data: bytes = b"") -> bytes:
    """A TIFF of 8-bit gray; tags: number -> (count, value or offset), all of type LONG."""
    entries = {256: (1, width), 257: (1, height), 258: (1, 8), 259: (1, 1), 262: (1, 1), 277: (1, 1)} | tags
    packed = b"".join(
        struct.pack("<HHII", tag, 4, count, value) for tag, (count, value) in sorted(entries.items())
    )
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4) + data


def test_what_decoding_takes_is_limited_and_not_only_pixels() -> None:
    one_tile = tiff_of(
        100, 100, {322: (1, 24_576), 323: (1, 24_576), 324: (1, 200), 325: (1, 10)}, bytes(100)
    )
    assert reason_of(one_tile) == "too_much_memory"
    many_numbers = tiff_of(100, 100, {273: (20_000_000, 8), 279: (20_000_000, 8)}, bytes(100))
    assert reason_of(many_numbers) in ("truncated", "corrupt_scan", "damaged_header", "unsupported_mode")
    webp = encoded(Image.new("RGB", (6000, 6000)), "WEBP", lossless=True, method=0)
    assert reason_of(webp, DecodeLimits(10**8, 10**8)) == "too_much_memory"
    assert (
        reason_of(encoded(smooth(200, 200), "PNG"), DecodeLimits(10**6, 10**6, 100_000)) == "too_much_memory"
    )
    assert reason_of(encoded(smooth(200, 200)), DecodeLimits(10**6, 10**6, 100_000)) == "too_much_memory"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is Linux's")
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"subsampling": "4:4:4"}),
        ("JPEG", "RGB", {"subsampling": "4:4:4", "progressive": True}),
        ("JPEG", "CMYK", {"subsampling": "4:4:4", "progressive": True}),
        ("JPEG", "L", {"progressive": True}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("GIF", "P", {}),
        ("WEBP", "RGB", {"method": 0}),
        ("WEBP", "RGBA", {"method": 0, "lossless": True, "quality": 0}),
        ("BMP", "RGB", {}),
        ("BMP", "P", {}),
        ("TIFF", "RGB", {}),
        ("TIFF", "CMYK", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {"compression": "jpeg"}),
    ],
)
def test_decoding_takes_no_more_memory_than_is_announced(
    kind: str, mode: str, options: dict[str, object]
) -> None:
    """In a fresh process: the peak of what is resident, beside `memory` of the header."""
    code = f"""
import io, resource
import numpy as np
from PIL import Image
from rakuten_assets.images.decoding import decode_rgb
from rakuten_assets.images.header import read_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.limits import DecodeLimits
tile = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)
file = io.BytesIO()
decode_rgb((Image.fromarray(tile[:9, :9]).save(file, {kind!r}), file.getvalue())[1], DecodeLimits(10**9, 10**9))
file = open("/proc/self/clear_refs", "w")
content = open(0, "rb").read()
memory = read_header(content).memory
file.write("5"); file.close()
def field(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1]) * 1024
before = field("VmRSS")
decode_rgb(content, DecodeLimits(10**9, 10**9, 10**9))
print(field("VmHWM") - before, memory)
"""
    content = encoded(smooth(2500, 2500).convert(mode), kind, **options)
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, check=True)
    taken, announced = map(int, done.stdout.split())
    assert taken < 1.05 * announced + 4_000_000
    assert announced < 3 * taken  # nor is it so far off that healthy images are refused


FOREIGN = {
    "AVIF": b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1A",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ",
    "JPEG XL": b"\xff\x0a" + bytes(30),
    "ICO": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + bytes(20),
    "PPM": b"P6\n# made by hand\n2 2\n255\n" + bytes(12),
    "PGM": b"P5 2 2 255\n" + bytes(4),
    "PSD": b"8BPS\0\1" + bytes(30),
    "SVG": b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "TGA": bytes(60) + b"TRUEVISION-XFILE.\0",
    "QOI": b"qoif" + bytes(20),
    "DNG (camera raw)": tiff_of(8, 8, {50706: (1, 4)}),
    "CR2 (camera raw)": b"II*\0\x10\0\0\0CR\2\0" + bytes(40),
    "CR3 (camera raw)": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_an_image_of_another_format_is_named(name: str) -> None:
    with pytest.raises(UndecodableImageError) as caught:
        decode_rgb(FOREIGN[name], LIMITS)
    assert (caught.value.reason, caught.value.format) == ("unsupported_format", name)
    assert name in caught.value.detail


@pytest.mark.parametrize(
    "kind", ["AVIF", "JPEG2000", "ICO", "PPM", "TGA", "PCX", "SGI", "DDS", "QOI", "ICNS"]
)
def test_what_pillow_writes_in_another_format_is_never_an_accepted_one(kind: str) -> None:
    try:
        content = encoded(smooth(64, 64), kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {kind}")
    expected = "not_an_image" if kind in ("TGA", "PCX") else "unsupported_format"  # without a signature
    assert reason_of(content) in (expected, "unsupported_format")


def test_jpeg_ls_is_named() -> None:
    frame = b"\xff\xf7\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    assert (
        reason_of(b"\xff\xd8" + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(9))
        == "unsupported_format"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html><svg></svg>404</html>", "perhaps an error page"),
        (b"\n <html><body>gone", "perhaps an error page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs pointer"),
        (b"PK\3\4" + bytes(30), "ZIP"),
        (b"\x1f\x8b" + bytes(30), "gzip"),
        (bytes(3000), "zeros only"),
        ("une image n'existe pas, désolé".encode(), "text"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "video"),
        (b"\0\0\1\0" + bytes(100), "starts with"),
    ],
)
def test_what_is_no_image_is_described(content: bytes, said: str) -> None:
    with pytest.raises(UndecodableImageError, match=said) as caught:
        decode_rgb(content, LIMITS)
    assert caught.value.reason == "not_an_image"


@settings(max_examples=400, deadline=None)
@given(
    start=st.sampled_from(
        [encoded(PICTURE, kind)[:cut] for kind in KINDS for cut in (12, 40, 120, 10**6)]
        + list(GIANTS.values())
    ),
    changes=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), max_size=12),
    tail=st.binary(max_size=60),
)
def test_any_header_is_read_or_refused(start: bytes, changes: list[tuple[int, int]], tail: bytes) -> None:
    content = bytearray(start + tail)
    for place, value in changes:
        content[place % len(content)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header = read_header(bytes(content))
            check_header(bytes(content), header, LIMITS)
            decode_rgb(bytes(content), LIMITS)
        except UndecodableImageError as error:
            assert error.detail
            return
    assert header.width > 0
    assert header.memory >= 3 * header.width * header.height
