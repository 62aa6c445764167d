"""Image formats through Pillow: opened by signature, checked, decoded whole or refused.

That is every format but JPEG, and the few JPEGs that only Pillow converts. Its plugin classes are used
directly and not through `Image.open`, whose guard against decompression bombs is global: a warning, an error
and a limit that all threads share. Here the limits are the caller's, applied to the header that `formats` reads,
before Pillow sees the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
from rakuten_assets.images.formats import bmp, gif, png, tiff, webp
from rakuten_assets.images.formats.header import RasterHeader, damaged
from rakuten_assets.images.reasons import Reason

# More than 8 bits a channel, or no conversion to RGB: Pillow's convert("RGB") clips or refuses.
_UNSUPPORTED_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N", "LAB", "HSV"})
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_ROWS_BYTES = 1 << 20

_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
_HEADERS: dict[str, Callable[[bytes], RasterHeader]] = {
    "PNG": png.read_png,
    "GIF": gif.read_gif,
    "WEBP": webp.read_webp,
    "BMP": bmp.read_bmp,
    "TIFF": tiff.read_tiff,
}


def raster_format(content: bytes) -> str:
    """Pillow's name of the format that the first bytes announce: PNG, GIF, WEBP, BMP, TIFF, or ""."""
    if content.startswith(png.SIGNATURE):
        return "PNG"
    if content.startswith(gif.SIGNATURES):
        return "GIF"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if bmp.is_bmp(content):
        return "BMP"
    if content.startswith(tiff.SIGNATURES):
        return "TIFF"
    return ""


def read_raster_header(content: bytes, format_name: str) -> RasterHeader:
    """Read the header of an image of a known format, without Pillow.

    Raises:
        UndecodableImageError: `truncated` or `damaged_header`.
    """
    return _HEADERS[format_name](content)


def open_raster(content: bytes, format_name: str) -> ImageFile.ImageFile:
    """Open an image of a known format, whose limits have been checked, with Pillow. Its pixels are not decoded.

    Raises:
        UndecodableImageError: `damaged_header` where the header makes no sense, or what `refusals` says.
    """
    with refusals(format_name, Reason.DAMAGED_HEADER):
        if format_name == "PNG":
            content = png.without_metadata(content)
        return _OPENERS[format_name](io.BytesIO(content))


def stored_mode(content: bytes, format_name: str) -> str:
    """The pixel mode in which an image is stored, in Pillow's names.

    Raises:
        UndecodableImageError: as `open_raster`.
    """
    if format_name == "PNG":
        png.check_chunks(content)  # says more precisely what is wrong
    with open_raster(content, format_name) as image:
        return image.mode


def decode_raster(content: bytes, format_name: str) -> npt.NDArray[np.uint8]:
    """Decode an image (its first frame) whole: uint8 (height, width, 3), as Pillow's `convert("RGB")` gives.

    Raises:
        UndecodableImageError: with the reason why it does not decode whole.
    """
    if format_name == "PNG":
        png.check_chunks(content)
    image = open_raster(content, format_name)
    if image.mode in _UNSUPPORTED_MODES:
        raise UndecodableImageError(Reason.UNSUPPORTED_MODE, f"{format_name} of mode {image.mode}")
    with refusals(format_name, Reason.CORRUPT_SCAN):
        image.load()
    image.info.pop("transparency", None)  # RGB has no place for it; Pillow would warn about dropping it
    with refusals(f"{format_name} of mode {image.mode}", Reason.UNSUPPORTED_MODE):
        return _rgb(image)


@contextmanager
def refusals(what: str, reason: Reason, but: type[Exception] | None = None) -> Iterator[None]:
    """Turn whatever Pillow raises inside the block into a refusal with a reason.

    Its format plugins are parsers written in Python, so damaged bytes bring any exception out of them; `reason` is
    what such an exception says of the file. Exceptions of the type `but` pass.

    Raises:
        UndecodableImageError: `truncated`, `too_many_pixels`, `too_much_memory`, `decoder_failure` or `reason`.
    """
    try:
        yield
    except UndecodableImageError:
        raise
    except _BOMBS as error:
        raise UndecodableImageError(Reason.TOO_MANY_PIXELS, f"{what}: {error}") from None
    except MemoryError:
        raise UndecodableImageError(Reason.TOO_MUCH_MEMORY, f"{what}: there was no memory for it") from None
    except RecursionError as error:
        raise UndecodableImageError(Reason.DECODER_FAILURE, f"{what}: {error}") from None
    except Exception as error:
        said = str(error) or type(error).__name__
        if but is not None and isinstance(error, but):
            raise
        if (
            isinstance(error, EOFError)
            or isinstance(error.__cause__, EOFError)
            or "truncated" in said.lower()
        ):
            reason = Reason.TRUNCATED
        if reason is Reason.DAMAGED_HEADER:
            raise damaged(what, said) from None
        raise UndecodableImageError(reason, f"{what}: {said}") from None


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """uint8 (height, width, 3) of a loaded image, some rows at a time: whole, it would be held three times over."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _ROWS_BYTES // (3 * width))
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(band if band.mode == "RGB" else band.convert("RGB"))
    return pixels
