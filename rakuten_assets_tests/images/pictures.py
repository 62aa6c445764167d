"""Pictures for the integrity tests: small, deterministic, and as odd as a test needs them."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
from PIL import Image


def smooth(width: int, height: int, seed: int = 0) -> Image.Image:
    """A colourful picture that JPEG compresses well."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def noise(width: int, height: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """uint8 (height, width, 3) of independent values."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The bytes of `image` in Pillow's format `kind`; JPEG as the data set has it unless told otherwise."""
    if kind == "JPEG":
        options = {"quality": 80, "progressive": True, "subsampling": "4:2:0", **options}
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pillow_rgb(content: bytes) -> npt.NDArray[np.uint8]:
    """What an independent reader sees."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG marker segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def flat_jpeg(width: int, height: int, sampling: list[tuple[int, int]]) -> bytes:
    """A mid-gray baseline JPEG of any sampling factors: all its Huffman codes are one zero bit."""
    count = len(sampling)
    parts = b"".join(bytes([n + 1, across * 16 + down, 0]) for n, (across, down) in enumerate(sampling))
    one_code = bytes([1] + [0] * 15) + b"\0"
    scan = bytes([count]) + b"".join(bytes([n + 1, 0]) for n in range(count)) + b"\0\x3f\0"
    factors = sampling if count > 1 else [(1, 1)]
    units = -(-width // (8 * max(a for a, _ in factors))) * -(-height // (8 * max(d for _, d in factors)))
    bits = 2 * units * sum(across * down for across, down in factors)
    data = bytes(bits // 8) + (bytes([0xFF >> bits % 8]) if bits % 8 else b"")
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + bytes([16] * 64)),
            segment(0xC0, struct.pack(">BHHB", 8, height, width, count) + parts),
            segment(0xC4, b"\x00" + one_code),
            segment(0xC4, b"\x10" + one_code),
            segment(0xDA, scan),
            data,
            b"\xff\xd9",
        ]
    )


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header lies about its size."""
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        start = jpeg.find(marker)
        if start >= 0:
            return jpeg[: start + 5] + struct.pack(">HH", height, width) + jpeg[start + 9 :]
    raise AssertionError("no frame header")
