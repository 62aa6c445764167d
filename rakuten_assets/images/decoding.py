"""One strict decode: RGB pixels of an image that decodes whole, or the reason why it does not.

- refuse by size, before anything is read further;
- read the header, without any decoder, and refuse by pixels and by the memory that decoding would take;
- decode: JPEG by libjpeg-turbo with every warning an error (Pillow ignores warnings: of 200 files with 64
  overwritten bytes its `load` noticed 39, the strict decode 125), the rest by Pillow;
- the pixels are those of `PIL.Image.open(...).convert("RGB")`, to the bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from upath import UPath

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.header import ImageHeader, check_bytes, check_header, read_header
from rakuten_assets.images.jpeg import (
    END_OF_IMAGE,
    JpegHeader,
    trailing_bytes,
)
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.memory import DECODING
from rakuten_assets.images.odd_headers import is_header_remark, with_usual_fields
from rakuten_assets.images.raster import (
    decode_raster,
    refusals,
    stored_mode,
)
from rakuten_assets.images.reasons import Reason
from rakuten_assets.storage.content_cache import read_scanned


class Decoded(NamedTuple):
    """An image that decodes whole.

    Attributes:
        rgb: uint8 (height, width, 3), C order.
        oddity: what the decoder remarked on a header field that no pixel depends on, "" for nothing.
    """

    rgb: npt.NDArray[np.uint8]
    oddity: str = ""


def read_content(file: Path | UPath, limits: DecodeLimits, sha256: str = "") -> bytes:
    """A file's bytes; of one that is too large, one byte more than allowed, which `decode_rgb` refuses.

    Args:
        sha256: of the content that a scan found, as for `read_scanned`; "" where it is not known.

    Raises:
        OSError: it cannot be read.
    """
    return read_scanned(file, sha256, limits.max_file_bytes + 1)


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


def pixel_mode(content: bytes, header: ImageHeader, limits: DecodeLimits) -> str:
    """Pillow's name of the pixel mode in which an image is stored (RGB, L, CMYK, P, RGBA...); limits come first.

    Raises:
        UndecodableImageError: where the header makes no sense to the decoder.
    """
    if header.mode:
        return header.mode
    # A WebP's decoder allocates canvases when it is opened.
    with DECODING.hold(header.memory, limits.max_memory):
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


def _fitting(buffer: npt.NDArray[np.uint8] | None, header: ImageHeader) -> npt.NDArray[np.uint8] | None:
    if buffer is None or buffer.size < 3 * header.width * header.height:
        return None
    return buffer


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
