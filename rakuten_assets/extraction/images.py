"""From files to a batch of backbone inputs: read, verify, decode, resize; one image after the other, on one thread."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from rakuten_assets.errors import UndecodableImageError, UnreachableError
from rakuten_assets.extraction.preprocessing import Preprocessing, preprocess
from rakuten_assets.extraction.report import UnusableImage
from rakuten_assets.images.decoding import decode_rgb, read_content
from rakuten_assets.images.header import check_bytes
from rakuten_assets.images.limits import DecodeLimits

if TYPE_CHECKING:
    from PIL.Image import Image

_PIXEL_BYTES = 500 * 500 * 3
_thread = threading.local()


@dataclass(frozen=True)
class ImageReader:
    """Reads images for one extractor; thread-safe."""

    limits: DecodeLimits
    preprocessing: Preprocessing

    def read(
        self, images: Sequence[tuple[Path | UPath, bytes]], content_of: Callable[[int], bytes] | None = None
    ) -> tuple[NDArray[np.uint8], dict[int, UnusableImage]]:
        """Read images given as (file, sha256 that its content must have).

        Args:
            content_of: gives the content of the file at a position of `images`; default: it is read here.

        Returns:
            The usable ones, uint8 (n, side, side, 3) in order, and the others by their position in `images`.
        """
        side = self.preprocessing.side
        batch = np.empty((len(images), side, side, 3), np.uint8)
        unusable: dict[int, UnusableImage] = {}
        for position, (file, sha256) in enumerate(images):
            try:
                content = content_of(position) if content_of else self.read_content(file, sha256)
                check_bytes(len(content), self.limits)
                if hashlib.sha256(content).digest() != sha256:
                    unusable[position] = UnusableImage(file, "its content has changed since the scan")
                    continue
                pixels = decode_rgb(content, self.limits, _pixel_buffer())
                batch[position - len(unusable)] = preprocess(pixels, self.preprocessing)
            except UnreachableError:  # That says nothing of the image.
                raise
            except OSError as error:
                unusable[position] = UnusableImage(file, f"cannot be read: {error.strerror or error}")
            except UndecodableImageError as error:
                unusable[position] = UnusableImage(file, f"does not decode: {error}")
        return batch[: len(images) - len(unusable)], unusable

    def read_content(self, file: Path | UPath, sha256: bytes = b"") -> bytes:
        """A file's bytes, which had this digest when they were scanned; of one that is too large, one more than is
        allowed."""
        return read_content(file, self.limits, sha256.hex())

    def read_single(self, image: Path | UPath | str | bytes | Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
        """One image as the network's input, uint8 (side, side, 3).

        Args:
            image: a file, a file's content, or pixels in RGB (a Pillow image, or uint8 (height, width, 3)).

        Raises:
            UndecodableImageError: it does not decode whole.
            OSError: the file cannot be read.
            ValueError: it is no image.
        """
        if isinstance(image, str):
            image = Path(image)
        if isinstance(image, (Path, UPath)):
            image = self.read_content(image)
        if isinstance(image, bytes):
            check_bytes(len(image), self.limits)
            return preprocess(decode_rgb(image, self.limits), self.preprocessing)
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(
                f"a {type(image).__name__} of {pixels.dtype} {pixels.shape} is not an image in RGB, uint8 (height, "
                'width, 3); of a Pillow image take image.convert("RGB")'
            )
        return preprocess(np.ascontiguousarray(pixels), self.preprocessing)


def _pixel_buffer() -> NDArray[np.uint8]:
    """This thread's memory for one decoded image of the challenge's size; larger ones get memory of their own.

    Fresh memory for every image cost a quarter of the decode: 190 page faults each.
    """
    if not hasattr(_thread, "pixels"):
        _thread.pixels = np.empty(_PIXEL_BYTES, np.uint8)
    buffer: NDArray[np.uint8] = _thread.pixels
    return buffer
