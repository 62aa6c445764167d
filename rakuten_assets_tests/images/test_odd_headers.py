"""Remarks about a header cost no picture: the pixels are Pillow's, and damage behind the remark is still seen."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import simplejpeg

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.decoding import decode_pixels, decode_rgb
from rakuten_assets.images.header import read_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets_tests.images.pictures import encoded, pillow_rgb, segment, smooth

LIMITS = DecodeLimits(1_000_000, 1_000_000)
PICTURE = smooth(83, 61)


def with_revision(content: bytes, major: int, minor: int) -> bytes:
    at = content.find(b"JFIF\0") + 5
    return content[:at] + bytes([major, minor]) + content[at + 2 :]


def with_adobe(content: bytes, transform: int) -> bytes:
    """An Adobe segment in place of JFIF's, or in its own place where there is one already."""
    body = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
    start = content.find(b"Adobe")
    if start >= 0:
        return content[: start + 11] + bytes([transform]) + content[start + 12 :]
    start = content.find(b"\xff\xe0")
    return content[:start] + segment(0xEE, body) + content[start + 18 :]


def with_scan_parameters(content: bytes, parameters: bytes) -> bytes:
    at = content.find(b"\xff\xda")
    end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return content[: end - 3] + parameters + content[end:]


def with_profile_part(content: bytes, number: int, count: int) -> bytes:
    return content[:2] + segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + bytes(200)) + content[2:]


BASELINE = encoded(PICTURE, progressive=False)
PROGRESSIVE = encoded(PICTURE)
CMYK = encoded(PICTURE.convert("CMYK"), subsampling="4:4:4")
GRAY = encoded(PICTURE.convert("L"))
ODD = {
    **{f"JFIF {major}.{minor}": with_revision(PROGRESSIVE, major, minor)
       for major, minor in ((0, 0), (2, 1), (3, 0), (255, 255))},
    "JFIF 2.01, baseline": with_revision(BASELINE, 2, 1),
    "JFIF 2.01, gray": with_revision(GRAY, 2, 1),
    **{f"Adobe {code}": with_adobe(PROGRESSIVE, code) for code in (3, 77, 255)},
    "Adobe 3, baseline": with_adobe(BASELINE, 3),
    **{f"Adobe {code}, CMYK": with_adobe(CMYK, code) for code in (1, 3, 255)},
    "scan 0 to 0": with_scan_parameters(BASELINE, b"\0\0\0"),
    "scan 1 to 5": with_scan_parameters(BASELINE, b"\1\5\0"),
    "scan bits": with_scan_parameters(BASELINE, b"\0\x3f\x21"),
    "scan of gray": with_scan_parameters(encoded(PICTURE.convert("L"), progressive=False), b"\0\0\0"),
    "part 5 of 1 of a profile": with_profile_part(PROGRESSIVE, 5, 1),
    "part 1 of 3, baseline": with_profile_part(BASELINE, 1, 3),
    "profile, gray": with_profile_part(GRAY, 0, 0),
    "one part twice": with_profile_part(with_profile_part(BASELINE, 1, 1), 1, 1),
    "profile and revision": with_profile_part(with_revision(PROGRESSIVE, 2, 1), 2, 1),
    "two remarks": with_scan_parameters(with_revision(BASELINE, 2, 1), b"\0\0\0"),
    "Adobe and scan": with_scan_parameters(with_adobe(BASELINE, 3), b"\0\0\0"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_remark_about_a_header_costs_no_picture(name: str) -> None:
    content = ODD[name]
    with pytest.raises(ValueError, match=r"JFIF revision|Adobe color transform|Invalid SOS|bad ICC marker"):
        simplejpeg.decode_jpeg(content, colorspace="RGB", strict=True)
    np.testing.assert_array_equal(decode_rgb(content, LIMITS), pillow_rgb(content))
    assert decode_pixels(content, read_header(content)).oddity


@pytest.mark.parametrize("name", ODD)
def test_damage_behind_a_remark_is_seen(name: str) -> None:
    content = ODD[name]
    with pytest.raises(UndecodableImageError) as caught:
        decode_rgb(content[:-30], LIMITS)
    assert caught.value.reason == "truncated"
    if "CMYK" in name or "gray" in name:
        return
    scan = content.rfind(b"\xff\xda") + 20
    with pytest.raises(UndecodableImageError) as caught:
        decode_rgb(content[:scan] + bytes(20) + content[scan + 20 :], LIMITS)
    assert caught.value.reason in ("corrupt_scan", "decoder_warning")


def test_what_is_usual_is_left_without_a_remark() -> None:
    for content in (
        BASELINE,
        PROGRESSIVE,
        CMYK,
        GRAY,
        with_revision(BASELINE, 1, 255),
        with_adobe(BASELINE, 1),
    ):
        assert decode_pixels(content, read_header(content)).oddity == ""


def test_a_progressive_scans_parameters_are_no_remark() -> None:
    with pytest.raises(UndecodableImageError):
        decode_rgb(with_scan_parameters(PROGRESSIVE, b"\1\5\0"), LIMITS)
