"""What the header of an image that Pillow decodes says: size, and what deserves a remark."""

from __future__ import annotations

from dataclasses import dataclass

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.reasons import Reason


@dataclass(frozen=True)
class RasterHeader:
    """The header of a PNG, GIF, WebP, BMP or TIFF.

    Attributes:
        width, height: pixels, as they are decoded.
        memory: bytes that Pillow and its libraries allocate at most while they decode it.
        end: where the image ends in the file; 0 where the file does not say.
        orientation: Exif orientation 1..8, 0 where there is none.
        has_icc: whether there is a colour profile.
        animated: whether there are more frames or pages than the first.
    """

    width: int
    height: int
    memory: int
    end: int = 0
    orientation: int = 0
    has_icc: bool = False
    animated: bool = False


def ends_early(format_name: str) -> UndecodableImageError:
    """The file ends inside its header."""
    return UndecodableImageError(Reason.TRUNCATED, f"{format_name}: the file ends inside the header")


def damaged(format_name: str, what: str) -> UndecodableImageError:
    """The header makes no sense."""
    return UndecodableImageError(Reason.DAMAGED_HEADER, f"{format_name} header: {what}")


def check_size(format_name: str, width: int, height: int) -> None:
    """Refuse an image without pixels.

    Raises:
        UndecodableImageError: `damaged_header`.
    """
    if width < 1 or height < 1:
        raise damaged(format_name, f"{width} x {height} pixels")
