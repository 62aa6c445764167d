"""Image formats through Pillow: opened by signature, checked, decoded whole or refused.

That is every format but JPEG, and the few JPEGs that only Pillow converts. Its plugin classes are used
directly and not through `Image.open`, whose guard against decompression bombs is global: a warning, an error
and a limit that all threads share. Here the limits are the caller's, applied between opening and decoding.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.reasons import Reason

# More than 8 bits a channel, or no conversion to RGB: Pillow's convert("RGB") clips or refuses.
_UNSUPPORTED_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N", "LAB", "HSV"})

# What Pillow's format plugins raise on damaged bytes: they are parsers written in Python, and any of these
# comes out of one. MemoryError is not among them: it is the machine's fault, not the file's.
_DAMAGE = (
    OSError,  # truncated or broken data, unidentified images
    SyntaxError,  # Pillow's "not a ... file"
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    UserWarning,  # only where the caller's filter turns warnings into errors
)
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)

_ORIENTATION_TAG = 0x0112
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}


def raster_format(content: bytes) -> str:
    """Pillow's name of the format that the first bytes announce: PNG, GIF, WEBP, BMP, TIFF, or ""."""
    if content.startswith(_PNG_SIGNATURE):
        return "PNG"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content.startswith(b"BM"):
        return "BMP"
    if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    return ""


def open_raster(content: bytes, format_name: str) -> ImageFile.ImageFile:
    """Open an image of a known format with Pillow: its header is read, its pixels are not.

    Raises:
        UndecodableImageError: `not_an_image` where the header makes no sense.
    """
    try:
        return _OPENERS[format_name](io.BytesIO(content))
    except _BOMBS as error:
        raise UndecodableImageError(Reason.TOO_MANY_PIXELS, str(error)) from None
    except _DAMAGE as error:
        if format_name == "PNG":
            _check_png(content)  # says more precisely what is wrong
        reason = Reason.TRUNCATED if _is_truncation(error) else Reason.NOT_AN_IMAGE
        raise UndecodableImageError(reason, f"{format_name} header: {_said(error)}") from None


def is_animated(image: ImageFile.ImageFile) -> bool:
    """Whether an opened image has more than one frame or page. May move it to another frame."""
    try:
        # Not `n_frames`: for a GIF that reads the whole file, frame after frame.
        return bool(getattr(image, "is_animated", False))
    except (*_DAMAGE, *_BOMBS):  # only the first frame matters, and it has yet to be decoded
        return False


def orientation_of(image: ImageFile.ImageFile) -> int:
    """Exif orientation 1..8 of an opened image, 0 where there is none or the block is damaged."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 0)
    except _DAMAGE:
        return 0
    return value if isinstance(value, int) and 1 <= value <= 8 else 0


def decode_raster(content: bytes, format_name: str) -> npt.NDArray[np.uint8]:
    """Decode an image (its first frame) whole: uint8 (height, width, 3), as Pillow's `convert("RGB")` gives.

    Raises:
        UndecodableImageError: with the reason why it does not decode whole.
    """
    if format_name == "PNG":
        _check_png(content)
    image = open_raster(content, format_name)
    if image.mode in _UNSUPPORTED_MODES:
        raise UndecodableImageError(Reason.UNSUPPORTED_MODE, f"{format_name} of mode {image.mode}")
    try:
        image.load()
    except _BOMBS as error:
        raise UndecodableImageError(Reason.TOO_MANY_PIXELS, str(error)) from None
    except _DAMAGE as error:
        reason = Reason.TRUNCATED if _is_truncation(error) else Reason.CORRUPT_SCAN
        raise UndecodableImageError(reason, f"{format_name}: {_said(error)}") from None
    image.info.pop("transparency", None)  # RGB has no place for it; Pillow would warn about dropping it
    try:
        return np.ascontiguousarray(image.convert("RGB"), dtype=np.uint8)
    except _DAMAGE as error:
        raise UndecodableImageError(
            Reason.UNSUPPORTED_MODE, f"{format_name} of mode {image.mode}: {_said(error)}"
        ) from None


def _check_png(content: bytes) -> None:
    """Verify every chunk's checksum and the closing chunk: Pillow skips both for pixel data."""
    position = len(_PNG_SIGNATURE)
    while True:
        head = content[position : position + 8]
        if len(head) < 8:
            raise UndecodableImageError(Reason.TRUNCATED, "PNG: the file ends before its closing chunk")
        length, kind = struct.unpack(">I4s", head)
        end = position + 8 + length
        if end + 4 > len(content):
            raise UndecodableImageError(Reason.TRUNCATED, f"PNG: the file ends inside chunk {kind!r}")
        if zlib.crc32(content[position + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            raise UndecodableImageError(Reason.CORRUPT_SCAN, f"PNG: wrong checksum of chunk {kind!r}")
        if kind == b"IEND":
            return
        position = end + 4


def _is_truncation(error: BaseException) -> bool:
    return isinstance(error, EOFError) or "truncated" in str(error).lower()


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
