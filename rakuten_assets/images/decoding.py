"""One strict decode: RGB pixels of an image that decodes whole, or the reason why it does not.

- refuse by size, before anything is read further;
- read the header, without any decoder, and refuse by pixels and by the memory that decoding would take;
- decode: JPEG by libjpeg-turbo with every warning an error (Pillow ignores warnings: of 200 files with 64
  overwritten bytes its `load` noticed 39, the strict decode 125), the rest by Pillow;
- the pixels are those of `PIL.Image.open(...).convert("RGB")`, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.formats.foreign import description, foreign_format
from rakuten_assets.images.jpeg import (
    END_OF_IMAGE,
    JPEG_SIGNATURE,
    JpegHeader,
    read_jpeg_header,
    trailing_bytes,
)
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.memory import DECODING
from rakuten_assets.images.odd_headers import is_header_remark, with_usual_fields
from rakuten_assets.images.raster import (
    decode_raster,
    raster_format,
    read_raster_header,
    refusals,
    stored_mode,
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


class Decoded(NamedTuple):
    """An image that decodes whole.

    Attributes:
        rgb: uint8 (height, width, 3), C order.
        oddity: what the decoder remarked on a header field that no pixel depends on, "" for nothing.
    """

    rgb: npt.NDArray[np.uint8]
    oddity: str = ""


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
    check_header(content, header, limits)
    with DECODING.hold(header.memory, limits.max_memory):
        return decode_pixels(content, header, buffer).rgb


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


def pixel_mode(content: bytes, header: ImageHeader, limits: DecodeLimits) -> str:
    """Pillow's name of the pixel mode in which an image is stored (RGB, L, CMYK, P, RGBA...); limits come first.

    Raises:
        UndecodableImageError: where the header makes no sense to the decoder.
    """
    if header.mode:
        return header.mode
    with DECODING.hold(
        header.memory, limits.max_memory
    ):  # A WebP's decoder allocates canvases when it is opened.
        return stored_mode(content, header.format)


def bytes_after_end(content: bytes, header: ImageHeader) -> int:
    """How many bytes follow the end of an image that decodes whole; 0 where the format does not say where it ends."""
    if header.jpeg is not None:
        return trailing_bytes(content, header.jpeg)
    return max(0, len(content) - header.end) if header.end else 0


def decode_pixels(
    content: bytes, header: ImageHeader, buffer: npt.NDArray[np.uint8] | None = None
) -> Decoded:
    """Decode an image whose header has been read and accepted. `buffer` is as for `decode_rgb`.

    Hold `header.memory` of the budget `memory.DECODING` around it.

    Raises:
        UndecodableImageError: with the reason why it does not decode whole.
    """
    if header.jpeg is None:
        return Decoded(decode_raster(content, header.format))
    buffer, oddity = _fitting(buffer, header), ""
    try:
        pixels = _decode_strictly(content, buffer)
    except ValueError as error:
        said = str(error)
        if not is_header_remark(said):
            return _decode_otherwise(content, header.jpeg, said)
        oddity = said.removeprefix("Warning: ")
        try:
            pixels = _decode_strictly(with_usual_fields(content, header.jpeg), buffer)
        except ValueError as further:
            return _decode_otherwise(content, header.jpeg, str(further))
    # Converting CMYK to RGB is a matter of definition. The strict decode has vouched for the file; the pixels
    # must be Pillow's.
    return Decoded(decode_raster(content, header.format) if header.mode == "CMYK" else pixels, oddity)


def _decode_strictly(content: bytes, buffer: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8]:
    with refusals("JPEG", Reason.CORRUPT_SCAN, but=ValueError):
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
            content, colorspace="RGB", buffer=buffer, strict=True
        )
    return pixels


def _decode_otherwise(content: bytes, jpeg: JpegHeader, said: str) -> Decoded:
    """Pillow's decode of what the strict decoder does not support; what it complained of is refused."""
    if "Could not determine subsampling" not in said:
        raise _undecodable(said, content, jpeg)
    # Sampling factors outside the decoder's list, which Pillow takes (4:1:0 and other rarities). Pillow
    # finds a truncation here, but not every damage.
    return Decoded(decode_raster(content, "JPEG"))


def _jpeg_memory(jpeg: JpegHeader) -> int:
    """Pixels and coefficients, and Pillow's image where that decodes it once more."""
    pixels = jpeg.width * jpeg.height
    by_pillow = jpeg.components > 1 and (jpeg.mode != "RGB" or jpeg.subsampling not in _STRICT_SUBSAMPLINGS)
    return pixels * (_BYTES_OF_RGB + (4 if by_pillow else 0)) + jpeg.coefficient_bytes


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
