"""What a file is that is none of the formats that are decoded: an image of another one, or no image at all."""

from __future__ import annotations

import re

from rakuten_assets.images.formats import tiff

_STARTS: list[tuple[bytes, str]] = [
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "CUR"),
    (b"icns", "ICNS"),
    (b"8BPS", "PSD"),
    (b"gimp xcf", "XCF"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"BPG\xfb", "BPG"),
    (b"FLIF", "FLIF"),
    (b"SIMPLE  =", "FITS"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"\x01\xda", "SGI"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
    (b"FUJIFILMCCD-RAW", "RAF (camera raw)"),
    (b"IIU\0", "RW2 (camera raw)"),
    (b"IIRO", "ORF (camera raw)"),
    (b"IIRS", "ORF (camera raw)"),
    (b"%!PS-Adobe", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"\x8aMNG\r\n\x1a\n", "MNG"),
    (b"\x8bJNG\r\n\x1a\n", "JNG"),
]
_BRANDS: dict[bytes, str] = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    **dict.fromkeys(
        (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"heif"), "HEIC"
    ),
    b"crx ": "CR3 (camera raw)",
    b"jp2 ": "JPEG 2000",
}
_NETPBM = re.compile(rb"P([1-6])[ \t\r\n#]+[\d#]")
_NETPBM_NAMES = {b"1": "PBM", b"2": "PGM", b"3": "PPM", b"4": "PBM", b"5": "PGM", b"6": "PPM"}
_PFM = re.compile(rb"P[Ff]\s+\d+\s+\d+\s")
_PAM = re.compile(rb"P7\s+WIDTH")
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<\?xml.*?\?>|<!--.*?-->|<!DOCTYPE svg.*?>)*<svg[\s>]", re.IGNORECASE | re.DOTALL
)
_MARKUP = re.compile(rb"\s*(<!doctype html|<html|<head|<body|<\?xml|<!--|<script)", re.IGNORECASE)
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"
_LFS = b"version https://git-lfs.github.com/spec/"

_NO_IMAGES: list[tuple[bytes, str]] = [
    (_LFS, "a git-lfs pointer: run `git lfs pull`"),
    (b"PK\3\4", "a ZIP archive, or a document packed as one"),
    (b"\x1f\x8b", "gzip"),
    (b"%PDF", "a PDF"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"{", "text that looks like JSON"),
]


def foreign_format(content: bytes) -> str:
    """The name of an image format that is not decoded here, "" where the bytes announce none.

    >>> foreign_format(b"\\0\\0\\0\\x1cftypavif")
    'AVIF'
    """
    for start, name in _STARTS:
        if content.startswith(start) and _is_plausible(content, name):
            return name
    if content[4:8] == b"ftyp":
        return _by_brand(content)
    if netpbm := _NETPBM.match(content):
        return _NETPBM_NAMES[netpbm[1]]
    if _PFM.match(content):
        return "PFM"
    if _PAM.match(content):
        return "PAM"
    if content.startswith(tiff.SIGNATURES):
        if content[8:10] == b"CR":
            return "CR2 (camera raw)"
        return "DNG (camera raw)" if tiff.is_dng(content) else ""
    if _SVG.match(content[:4096]):
        return "SVG"
    return "TGA" if content.endswith(_TGA_FOOTER) else ""


def description(content: bytes) -> str:
    """What bytes that are no image seem to be, with their beginning: for a person."""
    beginning = f"the file starts with {content[:12]!r}"
    for start, name in _NO_IMAGES:
        if content.startswith(start):
            return f"{name}; {beginning}"
    if _MARKUP.match(content):
        return f"a web page or other markup, perhaps an error page; {beginning}"
    if content[4:8] == b"ftyp":
        return f"a video or audio file; {beginning}"
    if not any(content[:4096]):
        return f"zeros only; {beginning}"
    if _is_text(content[:512]):
        return f"text; {beginning}"
    return beginning


def _is_plausible(content: bytes, name: str) -> bool:
    """Short signatures are not enough: zeros and small numbers begin many files."""
    if name in ("ICO", "CUR"):
        count = int.from_bytes(content[4:6], "little")
        return 1 <= count <= 1024 and len(content) >= 22 and content[9] == 0
    if name == "SGI":
        return len(content) >= 512 and content[2] in (0, 1) and content[3] in (1, 2)
    return True


def _by_brand(content: bytes) -> str:
    """The format of an ISO base media file: its main brand's, or the first compatible one's that is an image's."""
    size = int.from_bytes(content[:4], "big")
    brands = [content[8:12]] + [content[at : at + 4] for at in range(16, min(size, 256), 4)]
    names = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    if "AVIF" in names:  # Its main brand may be the general one.
        return "AVIF"
    return names[0] if names else ""


def _is_text(beginning: bytes) -> bool:
    try:
        text = beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 3:
            return False
        text = beginning[: error.start].decode("utf-8")
    return text.isprintable() or all(letter.isprintable() or letter in "\r\n\t" for letter in text)
