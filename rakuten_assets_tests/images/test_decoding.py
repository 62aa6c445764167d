"""Strict decoding: Pillow's pixels for what is whole, a reason for what is not."""

from __future__ import annotations

import struct
import threading
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.decoding import decode_rgb
from rakuten_assets.images.header import read_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets_tests.images.pictures import (
    encoded,
    flat_jpeg,
    noise,
    pillow_rgb,
    segment,
    smooth,
    with_size,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # about damaged tags of a TIFF

LIMITS = DecodeLimits(max_file_bytes=1_000_000, max_pixels=1_000_000)
PICTURE = smooth(83, 61)
PLAIN = encoded(PICTURE)


def reason_of(content: bytes, limits: DecodeLimits = LIMITS) -> str:
    with pytest.raises(UndecodableImageError) as caught:
        decode_rgb(content, limits)
    assert caught.value.detail
    return caught.value.reason


def assert_as_pillow(content: bytes) -> None:
    rgb = decode_rgb(content, LIMITS)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, pillow_rgb(content))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (83, 61), (16, 16), (17, 15)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_pixels_are_pillows(size: tuple[int, int], progressive: bool, subsampling: str) -> None:
    assert_as_pillow(encoded(smooth(*size), progressive=progressive, subsampling=subsampling))


@pytest.mark.parametrize("mode", ["L", "CMYK", "YCbCr"])
def test_jpeg_modes_are_pillows(mode: str) -> None:
    content = encoded(PICTURE.convert(mode))
    assert_as_pillow(content)
    assert reason_of(content[:-20]) == "truncated"


def test_jpeg_of_ycck_is_pillows() -> None:
    cmyk = encoded(PICTURE.convert("CMYK"), subsampling="4:4:4")
    start = cmyk.find(b"Adobe")
    assert start > 0
    ycck = cmyk[: start + 11] + b"\x02" + cmyk[start + 12 :]
    assert simplejpeg.decode_jpeg_header(ycck)[2] == "YCCK"
    assert_as_pillow(ycck)


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
def test_jpeg_of_another_encoder_is_pillows(subsampling: str) -> None:
    content = simplejpeg.encode_jpeg(np.asarray(PICTURE), 90, colorsubsampling=subsampling)
    assert_as_pillow(content)


def test_jpeg_with_restarts_profile_and_rotation_is_pillows() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert_as_pillow(encoded(PICTURE, exif=exif.tobytes(), icc_profile=b"profile"))
    assert_as_pillow(encoded(PICTURE, progressive=False, restart_marker_blocks=2))
    assert_as_pillow(encoded(PICTURE, keep_rgb=True, subsampling="4:4:4"))


UNUSUAL = [
    [(4, 2), (1, 1), (1, 1)],
    [(3, 1), (1, 1), (1, 1)],
    [(2, 2), (2, 1), (1, 1)],
    [(1, 1), (2, 2), (2, 2)],
]


@pytest.mark.parametrize("sampling", UNUSUAL)
def test_unusual_sampling_is_decoded_and_its_truncation_noticed(sampling: list[tuple[int, int]]) -> None:
    content = flat_jpeg(83, 61, sampling)
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg(content)
    assert_as_pillow(content)
    assert reason_of(content[:-4]) == "truncated"


WRITABLE = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "GIF": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "WEBP": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"],
}


@pytest.mark.parametrize(
    ("kind", "mode"), [(kind, mode) for kind, modes in WRITABLE.items() for mode in modes]
)
def test_other_formats_are_pillows(kind: str, mode: str) -> None:
    picture = PICTURE.convert("RGBA")
    picture.putalpha(128)
    content = encoded(picture.convert(mode), kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rgb = decode_rgb(content, LIMITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of a transparency that RGB has no place for
        np.testing.assert_array_equal(rgb, pillow_rgb(content))
    assert rgb.flags.c_contiguous


def test_palette_with_transparency_warns_of_nothing() -> None:
    content = encoded(PICTURE.convert("P"), "PNG", transparency=bytes(range(256)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rgb = decode_rgb(content, LIMITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(rgb, pillow_rgb(content))


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "F"), ("TIFF", "I"), ("TIFF", "LAB")])
def test_more_than_8_bits_are_unsupported(kind: str, mode: str) -> None:
    picture = PICTURE.convert("L").convert(mode) if mode != "LAB" else Image.new("LAB", (8, 8))
    assert reason_of(encoded(picture, kind)) == "unsupported_mode"


def test_first_frame_of_an_animation() -> None:
    frames = [smooth(20, 30, seed) for seed in range(3)]
    for kind in ("GIF", "WEBP", "PNG"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert read_header(content).animated
        assert_as_pillow(content)
    assert not read_header(encoded(frames[0], "GIF")).animated


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    progressive=st.booleans(),
    gray=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_jpeg_is_pillows(
    width: int, height: int, quality: int, subsampling: str, progressive: bool, gray: bool, seed: int
) -> None:
    picture = Image.fromarray(noise(width, height, seed))
    picture = picture.convert("L") if gray else picture
    assert_as_pillow(encoded(picture, quality=quality, subsampling=subsampling, progressive=progressive))


@pytest.mark.parametrize("progressive", [False, True])
def test_every_truncation_is_noticed(progressive: bool) -> None:
    content = encoded(PICTURE, progressive=progressive)
    for length in range(3, len(content)):
        assert reason_of(content[:length]) == "truncated", length


def test_trailing_bytes_do_no_harm() -> None:
    assert_as_pillow(PLAIN + b"trailing")


def test_damage_that_pillow_passes_over_is_noticed() -> None:
    scan = PLAIN.rfind(b"\xff\xda")
    damaged = PLAIN[: scan + 20] + bytes(20) + PLAIN[scan + 40 :]
    pillow_rgb(damaged)  # no complaint
    assert reason_of(damaged) == "corrupt_scan"


def test_extraneous_bytes_are_a_decoder_warning() -> None:
    scan = PLAIN.rfind(b"\xff\xda")
    table = PLAIN.rfind(b"\xff\xc4", 0, scan)
    assert reason_of(PLAIN[:table] + bytes(100) + PLAIN[table:]) == "decoder_warning"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am a text file", "not_an_image"),
        (bytes(1000), "not_an_image"),
        (b"<html><body>404 not found</body></html>", "not_an_image"),
        (b"\0" + PLAIN, "not_an_image"),
        (b"\xff\xd8", "not_an_image"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\xff\xd8\xff\xd9", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"GIF89a", "truncated"),
        (b"RIFF\0\0\0\0WEBP", "truncated"),
        (b"BM", "truncated"),
        (b"II*\0", "truncated"),
        (b"BMW is a maker of cars, and this is a text", "not_an_image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "damaged_header"),
        (b"GIF89a" + bytes(40) + b";", "damaged_header"),
        (b"RIFF\x40\0\0\0WEBP" + bytes(40), "damaged_header"),
        (b"BM" + bytes(12) + b"\x28" + bytes(60), "damaged_header"),
        (b"II*\0\x08" + bytes(40), "damaged_header"),
    ],
)
def test_what_is_no_image_is_named(content: bytes, reason: str) -> None:
    assert reason_of(content) == reason


@pytest.mark.parametrize("size", [(65535, 65535), (65535, 1), (20_000, 20_000)])
def test_too_many_pixels_are_refused_before_anything_is_allocated(size: tuple[int, int]) -> None:
    limits = DecodeLimits(1_000_000, 60_000)
    tracemalloc.start()
    reason = reason_of(with_size(PLAIN, *size), limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason == "too_many_pixels"
    assert peak < 1_000_000


def test_a_header_that_its_bytes_cannot_fill_is_refused_before_anything_is_allocated() -> None:
    assert len(PLAIN) < 4000
    tracemalloc.start()
    reason = reason_of(with_size(PLAIN, 40_000, 10_000), DecodeLimits(10**6, 10**9))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason == "truncated"
    assert peak < 1_000_000


def test_the_emptiest_possible_jpeg_is_plausible() -> None:
    # One bit for each block and coefficient band: nothing whole is smaller.
    assert_as_pillow(flat_jpeg(1000, 1000, [(1, 1)]))


def test_a_lower_header_leaves_bytes_over_and_a_higher_one_lacks_them() -> None:
    assert reason_of(with_size(PLAIN, 83, 30)) in ("decoder_warning", "corrupt_scan")
    assert reason_of(with_size(PLAIN, 83, 122)) == "corrupt_scan"


def test_a_png_of_giant_size_is_refused_from_its_header() -> None:
    head = struct.pack(">4sIIBBBBB", b"IHDR", 100_000, 50_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    assert reason_of(content + encoded(PICTURE, "PNG")[33:]) == "too_many_pixels"


def test_sides_are_limited_whatever_the_pixels() -> None:
    assert reason_of(encoded(Image.new("L", (65_536, 1)), "PNG")) == "too_many_pixels"
    assert decode_rgb(encoded(Image.new("L", (65_535, 1)), "PNG"), LIMITS).shape == (1, 65_535, 3)


def test_file_size_is_limited() -> None:
    limits = DecodeLimits(len(PLAIN), 10**6)
    assert decode_rgb(PLAIN, limits).shape == (61, 83, 3)
    assert reason_of(PLAIN + b"\0", limits) == "file_too_large"


def test_pixels_are_limited() -> None:
    assert decode_rgb(PLAIN, DecodeLimits(10**6, 83 * 61)).shape == (61, 83, 3)
    assert reason_of(PLAIN, DecodeLimits(10**6, 83 * 61 - 1)) == "too_many_pixels"


def test_12_bits_are_unsupported() -> None:
    start = PLAIN.find(b"\xff\xc2") + 4
    assert reason_of(PLAIN[:start] + b"\x0c" + PLAIN[start + 1 :]) == "unsupported_mode"


@pytest.mark.parametrize("count", [2, 5])
def test_odd_numbers_of_components_are_unsupported(count: int) -> None:
    assert reason_of(flat_jpeg(40, 40, [(1, 1)] * count)) == "unsupported_mode"


def test_a_bomb_of_scans_is_refused_before_the_decoder_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each further scan of nothing costs the decoder a pass over the whole image.
    content = encoded(smooth(1000, 1000))
    end = content.rfind(b"\xff\xd9")
    scan = segment(0xDA, b"\x01\x01\x00\x01\x3f\x10") + b"\x7f"
    few, many = (content[:end] + scan * count + content[end:] for count in (20, 5000))
    assert reason_of(few) == "corrupt_scan"  # decoded, and found wrong

    def decode(*arguments: object, **options: object) -> None:
        pytest.fail("the decoder was called")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", decode)
    assert reason_of(many) == "decoder_warning"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_truncated_rasters_are_noticed(kind: str) -> None:
    content = encoded(Image.fromarray(noise(40, 30)), kind)
    for length in range(13, len(content), 97):
        if kind == "TIFF" and length > 40 * 30 * 3:
            continue
        assert reason_of(content[:length]) in ("truncated", "not_an_image", "corrupt_scan"), length


def test_a_png_must_be_whole_to_its_last_chunk() -> None:
    content = encoded(PICTURE, "PNG")
    for length in range(8, len(content)):
        assert reason_of(content[:length]) == "truncated", length


def test_a_flipped_bit_in_a_png_is_noticed() -> None:
    content = encoded(PICTURE, "PNG")
    start = content.find(b"IDAT")
    for position in range(start, len(content) - 12, 131):
        damaged = bytearray(content)
        damaged[position] ^= 16
        assert reason_of(bytes(damaged)) in ("corrupt_scan", "truncated"), position


def test_the_buffer_is_used_where_it_is_large_enough() -> None:
    buffer = np.empty(83 * 61 * 3 + 5, np.uint8)
    rgb = decode_rgb(PLAIN, LIMITS, buffer)
    assert np.shares_memory(rgb, buffer)
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, pillow_rgb(PLAIN))
    small = np.empty(83 * 61 * 3 - 1, np.uint8)
    assert not np.shares_memory(decode_rgb(PLAIN, LIMITS, small), small)


def test_a_failed_decode_leaves_the_buffer_usable() -> None:
    buffer = np.empty(83 * 61 * 3, np.uint8)
    with pytest.raises(UndecodableImageError):
        decode_rgb(PLAIN[:-30], LIMITS, buffer)
    rgb = decode_rgb(PLAIN, LIMITS, buffer)
    assert np.shares_memory(rgb, buffer)
    np.testing.assert_array_equal(rgb, pillow_rgb(PLAIN))


def test_threads_do_not_disturb_one_another() -> None:
    contents = [encoded(smooth(60, 40, seed)) for seed in range(8)]
    contents += [encoded(smooth(60, 40, 9), "PNG"), encoded(smooth(60, 40, 10).convert("CMYK"))]
    expected = [pillow_rgb(content) for content in contents]
    failures: list[int] = []

    def work(offset: int) -> None:
        for turn in range(60):
            number = (turn + offset) % len(contents)
            if not np.array_equal(decode_rgb(contents[number], LIMITS), expected[number]):
                failures.append(number)
            with pytest.raises(UndecodableImageError):
                decode_rgb(contents[number][:-9], LIMITS)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_pillows_globals_are_left_alone() -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    decode_rgb(encoded(PICTURE, "PNG"), LIMITS)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before == (89478485, False)


def test_pillows_own_limit_does_not_interfere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_rgb(encoded(PICTURE, "PNG"), LIMITS).shape == (61, 83, 3)
        assert decode_rgb(encoded(PICTURE.convert("CMYK")), LIMITS).shape == (61, 83, 3)


@settings(max_examples=300, deadline=None)
@given(
    head=st.sampled_from(
        [
            b"",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\x40\0\0\0WEBP",
            b"BM",
            b"II*\0",
            b"MM\0*",
        ]
    ),
    tail=st.binary(max_size=300),
)
def test_any_bytes_are_pixels_or_a_reason(head: bytes, tail: bytes) -> None:
    try:
        rgb = decode_rgb(head + tail, LIMITS)
    except UndecodableImageError as error:
        assert error.reason
        assert error.detail
    else:
        assert rgb.ndim == 3
