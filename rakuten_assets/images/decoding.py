"""One strict decode: RGB pixels of an image that decodes whole, or the reason why it does not.

- refuse by size, before anything is read further;
- read the header and refuse by pixels, before anything is decoded;
- decode: JPEG by libjpeg-turbo with every warning an error (Pillow ignores warnings: of 200 files with 64
  overwritten bytes its `load` noticed 39, the strict decode 125), the rest by Pillow;
- the pixels are those of `PIL.Image.open(...).convert("RGB")`, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import simplejpeg

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.jpeg import END_OF_IMAGE, JPEG_SIGNATURE, JpegHeader, read_jpeg_header
from rakuten_assets.images.raster import (
    decode_raster,
    is_animated,
    open_raster,
    orientation_of,
    raster_format,
)
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


@dataclass(frozen=True)
class DecodeLimits:
    """What is refused unseen: `max_file_bytes` before a file is read, `max_pixels` before it is decoded."""

    max_file_bytes: int
    max_pixels: int


@dataclass(frozen=True)
class ImageHeader:
    """What an image says about itself before any pixel is decoded.

    Attributes:
        format: Pillow's name: JPEG, PNG, GIF, WEBP, BMP, TIFF.
        mode: Pillow's name of the stored pixel mode: RGB, L, CMYK, P, RGBA...
        width, height: pixels.
        orientation: Exif orientation 1..8, 0 where there is none. It is reported, never applied.
        has_icc: whether there is a colour profile. It is reported, never applied.
        animated: whether there are more frames or pages than the first, which is the one decoded.
        jpeg: more about a JPEG, None for the other formats.
    """

    format: str
    mode: str
    width: int
    height: int
    orientation: int
    has_icc: bool
    animated: bool
    jpeg: JpegHeader | None


def decode_rgb(
    content: bytes, limits: DecodeLimits, buffer: npt.NDArray[np.uint8] | None = None
) -> npt.NDArray[np.uint8]:
    """Decode an image strictly.

    Thread-safe; the GIL is released while a JPEG is decoded.

    Args:
        content: the file's bytes.
        limits: what to refuse.
        buffer: uint8 (n,), reused for the pixels where it is large enough: the result is then a view of it,
            good until the buffer's next use. Threads that allocate every image anew spend up to a third of
            their time on page faults.

    Returns:
        uint8 (height, width, 3), C order, equal to `PIL.Image.open(...).convert("RGB")`. The first frame of
        an animation. Neither the Exif orientation nor a colour profile is applied.

    Raises:
        UndecodableImageError: with a `Reason` and what the decoder said.
    """
    check_bytes(len(content), limits)
    header = read_header(content)
    check_pixels(header, limits)
    return decode_pixels(content, header, buffer)


def check_bytes(count: int, limits: DecodeLimits) -> None:
    """Refuse an empty or too large file by its number of bytes.

    Raises:
        UndecodableImageError: `empty` or `file_too_large`.
    """
    if count == 0:
        raise UndecodableImageError(Reason.EMPTY, "the file has no bytes")
    if count > limits.max_file_bytes:
        raise UndecodableImageError(
            Reason.FILE_TOO_LARGE, f"{human_bytes(count)}, allowed are {human_bytes(limits.max_file_bytes)}"
        )


def check_pixels(header: ImageHeader, limits: DecodeLimits) -> None:
    """Refuse an image by its header: too many pixels.

    Raises:
        UndecodableImageError: `too_many_pixels`.
    """
    pixels = header.width * header.height
    if pixels > limits.max_pixels:
        raise UndecodableImageError(
            Reason.TOO_MANY_PIXELS,
            f"the header gives {header.width} x {header.height} = {human_count(pixels)} pixels, "
            f"allowed are {human_count(limits.max_pixels)}",
        )
    if max(header.width, header.height) > _LONGEST_SIDE:
        raise UndecodableImageError(
            Reason.TOO_MANY_PIXELS,
            f"{header.width} x {header.height} pixels by the header, allowed are {_LONGEST_SIDE} on a side",
        )


def read_header(content: bytes) -> ImageHeader:
    """Read an image's header; no pixel is decoded and nothing is allocated for pixels.

    Raises:
        UndecodableImageError: `not_an_image`, or `truncated` where the file ends inside the header.
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
            jpeg=jpeg,
        )
    format_name = raster_format(content)
    if not format_name:
        raise UndecodableImageError(Reason.NOT_AN_IMAGE, f"the file starts with {content[:12]!r}")
    return _raster_header(content, format_name)


def decode_pixels(
    content: bytes, header: ImageHeader, buffer: npt.NDArray[np.uint8] | None = None
) -> npt.NDArray[np.uint8]:
    """Decode an image whose header has been read and accepted: uint8 (height, width, 3), C order.

    `buffer` is as for `decode_rgb`.

    Raises:
        UndecodableImageError: with the reason why it does not decode whole.
    """
    if header.jpeg is None:
        return decode_raster(content, header.format)
    _check_plausible(content, header.jpeg)
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
            content, colorspace="RGB", buffer=_fitting(buffer, header), strict=True
        )
    except ValueError as error:
        if "Could not determine subsampling" not in str(error):
            raise _undecodable(str(error), content, header.jpeg) from None
        # Sampling factors outside the decoder's list, which Pillow takes (4:1:0 and other rarities). Pillow
        # finds a truncation here, but not every damage.
        return decode_raster(content, header.format)
    # Converting CMYK to RGB is a matter of definition. The strict decode has vouched for the file; the pixels
    # must be Pillow's.
    return decode_raster(content, header.format) if header.mode == "CMYK" else pixels


def _fitting(buffer: npt.NDArray[np.uint8] | None, header: ImageHeader) -> npt.NDArray[np.uint8] | None:
    if buffer is None or buffer.size < 3 * header.width * header.height:
        return None
    return buffer


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


def _undecodable(said: str, content: bytes, jpeg: JpegHeader) -> UndecodableImageError:
    """Sort what libjpeg-turbo said (its first warning, or its fatal error) into the taxonomy."""
    # A file that ends inside a table between scans makes the decoder complain of the table.
    if "Premature end of" in said or content.find(END_OF_IMAGE, jpeg.scan_offset) < 0:
        return UndecodableImageError(Reason.TRUNCATED, said)
    if "extraneous bytes" in said or said.startswith(("Warning", "Unknown Adobe")):
        return UndecodableImageError(Reason.DECODER_WARNING, said)
    if said.startswith(("Unsupported JPEG", "Unsupported color", "Sorry, arithmetic")):
        return UndecodableImageError(Reason.UNSUPPORTED_MODE, said)
    return UndecodableImageError(Reason.CORRUPT_SCAN, said)


def _raster_header(content: bytes, format_name: str) -> ImageHeader:
    with open_raster(content, format_name) as image:
        return ImageHeader(
            format=format_name,
            mode=image.mode,
            width=image.width,
            height=image.height,
            orientation=orientation_of(image),
            has_icc="icc_profile" in image.info,
            animated=is_animated(image),
            jpeg=None,
        )
