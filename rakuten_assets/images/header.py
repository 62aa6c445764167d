"""What an image says about itself, and whether that is refused, before any pixel is decoded.

- by the number of bytes, before anything is read further;
- by the header, which is read without any decoder: pixels, plausibility, the memory that decoding would take.
"""

from __future__ import annotations

from dataclasses import dataclass

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.formats.foreign import description, foreign_format
from rakuten_assets.images.jpeg import JPEG_SIGNATURE, JpegHeader, read_jpeg_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.raster import raster_format, read_raster_header
from rakuten_assets.images.reasons import Reason
from rakuten_assets.units import human_bytes, human_count

# A Huffman-coded block of 8x8 pixels takes at least one bit.
_MOST_PIXELS_IN_A_BYTE = 8 * 64
# Every scan of a progressive image passes over the whole image, so a small file of empty scans could keep a
# decoder busy for minutes. This many pixel visits take a few seconds; usual files have about 10 scans.
_MOST_VISITS = 5_000_000_000
_LEAST_BYTES_OF_A_SCAN = 11
_START_OF_SCAN = b"\xff\xda"
# A JPEG cannot have more on a side; other formats can claim a row of billions.
_LONGEST_SIDE = 65535
_BYTES_OF_RGB = 3
_STRICT_SUBSAMPLINGS = frozenset({"4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:4:1"})


@dataclass(frozen=True)
class ImageHeader:
    """What an image says about itself before any pixel is decoded.

    Attributes:
        format: Pillow's name: JPEG, PNG, GIF, WEBP, BMP, TIFF.
        mode: Pillow's name of a JPEG's stored pixel mode: RGB, L, CMYK; "" for other formats, see `pixel_mode`.
        width, height: pixels.
        orientation: Exif orientation 1..8, 0 where there is none. It is reported, never applied.
        has_icc: whether there is a colour profile. It is reported, never applied.
        animated: whether there are more frames or pages than the first, which is the one decoded.
        memory: bytes that decoding allocates at most, the pixels included.
        end: where the image ends in the file, 0 where the header does not say (as a JPEG's).
        jpeg: more about a JPEG, None for the other formats.
    """

    format: str
    mode: str
    width: int
    height: int
    orientation: int
    has_icc: bool
    animated: bool
    memory: int
    end: int
    jpeg: JpegHeader | None


def check_bytes(count: int, limits: DecodeLimits) -> None:
    """Refuse an empty or too large file by its number of bytes.

    Raises:
        UndecodableImageError: `empty` or `file_too_large`.
    """
    if count == 0:
        raise UndecodableImageError(Reason.EMPTY, "the file has no bytes")
    if count > limits.max_file_bytes:
        raise UndecodableImageError(
            Reason.FILE_TOO_LARGE,
            f"{human_bytes(count)}, allowed are {human_bytes(limits.max_file_bytes)} (RAKUTEN_MAX_FILE_BYTES)",
        )


def check_header(content: bytes, header: ImageHeader, limits: DecodeLimits) -> None:
    """Refuse an image by its header: too many pixels, more than its bytes can hold, or too much memory to decode them.

    Raises:
        UndecodableImageError: `too_many_pixels`, `truncated`, `decoder_warning` (a bomb of scans),
            `unsupported_mode` or `too_much_memory`.
    """
    pixels = header.width * header.height
    if pixels > limits.max_pixels:
        raise UndecodableImageError(
            Reason.TOO_MANY_PIXELS,
            f"the header gives {header.width} x {header.height} = {human_count(pixels)} pixels, "
            f"allowed are {human_count(limits.max_pixels)} (RAKUTEN_MAX_PIXELS)",
        )
    if max(header.width, header.height) > _LONGEST_SIDE:
        raise UndecodableImageError(
            Reason.TOO_MANY_PIXELS,
            f"{header.width} x {header.height} pixels by the header, allowed are {_LONGEST_SIDE} on a side",
        )
    if header.jpeg is not None:
        _check_plausible(content, header.jpeg)
    if header.memory > limits.max_memory:
        raise UndecodableImageError(
            Reason.TOO_MUCH_MEMORY,
            f"decoding this {header.format} of {header.width} x {header.height} pixels takes about "
            f"{human_bytes(header.memory)}, allowed are {human_bytes(limits.max_memory)} (RAKUTEN_MAX_MEMORY)",
        )


def read_header(content: bytes) -> ImageHeader:
    """Read an image's header; no decoder sees the file and nothing is allocated for pixels.

    Raises:
        UndecodableImageError: `not_an_image`, `unsupported_format` (which is named), `damaged_header`, or
            `truncated` where the file ends inside the header.
    """
    if content.startswith(JPEG_SIGNATURE):
        jpeg = read_jpeg_header(content)
        return ImageHeader(
            format="JPEG",
            mode=jpeg.mode,
            width=jpeg.width,
            height=jpeg.height,
            orientation=jpeg.orientation,
            has_icc=jpeg.has_icc,
            animated=False,
            memory=_jpeg_memory(jpeg),
            end=0,
            jpeg=jpeg,
        )
    if name := foreign_format(content):
        raise UndecodableImageError(Reason.UNSUPPORTED_FORMAT, f"{name}, which is not decoded here", name)
    format_name = raster_format(content)
    if not format_name:
        raise UndecodableImageError(Reason.NOT_AN_IMAGE, description(content))
    header = read_raster_header(content, format_name)
    return ImageHeader(
        format=format_name,
        mode="",
        width=header.width,
        height=header.height,
        orientation=header.orientation,
        has_icc=header.has_icc,
        animated=header.animated,
        memory=header.memory + _BYTES_OF_RGB * header.width * header.height,
        end=header.end,
        jpeg=None,
    )


def _jpeg_memory(jpeg: JpegHeader) -> int:
    """Pixels and coefficients, and Pillow's image where that decodes it once more."""
    pixels = jpeg.width * jpeg.height
    by_pillow = jpeg.components > 1 and (jpeg.mode != "RGB" or jpeg.subsampling not in _STRICT_SUBSAMPLINGS)
    return pixels * (_BYTES_OF_RGB + (4 if by_pillow else 0)) + jpeg.coefficient_bytes


def _check_plausible(content: bytes, jpeg: JpegHeader) -> None:
    if jpeg.precision != 8 or not jpeg.mode:
        raise UndecodableImageError(
            Reason.UNSUPPORTED_MODE, f"JPEG of {jpeg.components} components of {jpeg.precision} bits"
        )
    if jpeg.huffman and jpeg.width * jpeg.height > _MOST_PIXELS_IN_A_BYTE * len(content):
        raise UndecodableImageError(
            Reason.TRUNCATED,
            f"{len(content)} bytes cannot hold the {jpeg.width} x {jpeg.height} pixels of the header",
        )
    pixels = jpeg.width * jpeg.height
    if len(content) // _LEAST_BYTES_OF_A_SCAN * pixels > _MOST_VISITS:  # counting takes time too
        scans = content.count(_START_OF_SCAN, jpeg.scan_offset)
        if scans * pixels > _MOST_VISITS:
            raise UndecodableImageError(
                Reason.DECODER_WARNING, f"{scans} scans over {human_count(pixels)} pixels"
            )
