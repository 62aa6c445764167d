"""What is refused of an image before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodeLimits:
    """What is refused unseen: `max_file_bytes` before a file is read, the others before it is decoded.

    Attributes:
        max_file_bytes: size of a file.
        max_pixels: width times height.
        max_memory: bytes that images being decoded may take together in this process, their pixels included: an image
            that takes more by itself is refused, large ones of several threads wait for one another.
    """

    max_file_bytes: int = 50_000_000
    max_pixels: int = 50_000_000
    max_memory: int = 600_000_000
