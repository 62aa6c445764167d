"""The bytes of one image file: a healthy JPEG as the challenge ships them, or one that is damaged on purpose.

Healthy is what the real files are: 500x500 RGB, JFIF, progressive, 4:2:0, IJG quality 80, no EXIF, no ICC.
The bytes are a function of the task alone.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance

from rakuten_assets.errors import CatalogError
from rakuten_assets.synthetic.drawing import SIDE, draw

_QUALITY = 80
_SUBSAMPLING = "4:2:0"

_START_OF_FRAME_PROGRESSIVE = b"\xff\xc2"
_START_OF_SCAN = b"\xff\xda"
_LIED_SIDE = 65_535

_DAMAGED_BYTES = 24
_DAMAGE_ATTEMPTS = 400
# What libjpeg-turbo says of bits that no Huffman code stands for. Damage that it can decode (to wrong pixels,
# without a word) would be a fault that no decoder can find.
_DAMAGE_SIGN = "bad Huffman code"

_ODD_SIZES = ((333, 517), (640, 480), (1000, 750), (96, 96), (90, 700), (1200, 160), (499, 500))
_ERROR_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n"
    "<body><h1>Not Found</h1><p>The requested image {name} was not found on this server.</p></body></html>\n"
)


class ImageTask(NamedTuple):
    """One file to write: the picture (code, seed), the fault's kind ("" for none), its number and its variant."""

    file: str
    code: int
    seed: int
    kind: str
    ordinal: int
    detail: str


def write_chunk(chunk: Sequence[ImageTask], folder: Path) -> tuple[int, int]:
    """Write each task's file under `folder`; returns the number of images and of bytes.

    Raises:
        CatalogError, OSError: if a file cannot be made or written.
    """
    size = sum((folder / task.file).write_bytes(image_bytes(task)) for task in chunk)
    return len(chunk), size


def image_bytes(task: ImageTask) -> bytes:
    """The content of the task's file.

    Raises:
        CatalogError: for a kind of fault that is unknown or has no file.
    """
    chance = random.Random(f"{task.kind}/{task.ordinal}/{task.seed}")
    match task.kind:
        case "" | "same_label" | "conflicting_labels" | "train_test_twin":
            return _picture_jpeg(task)
        case "truncated":
            content = _picture_jpeg(task)
            return content[: round(len(content) * chance.uniform(0.3, 0.95))]
        case "corrupt_scan":
            return _with_corrupt_scan(_picture_jpeg(task), chance)
        case "garbage":
            return _garbage(task, chance)
        case "empty":
            return b""
        case "too_many_pixels":
            return _with_lying_header(_picture_jpeg(task))
        case "trailing_bytes":
            return (
                _picture_jpeg(task)
                + b"\x00" * chance.randrange(16, 256)
                + b"cached\n" * chance.randrange(4, 400)
            )
        case "blank":
            return _jpeg(Image.new("RGB", (SIDE, SIDE), _spread_colour(task.ordinal)))
        case "near_blank":
            return _jpeg(_near_blank(task.ordinal, chance))
        case "grayscale":
            return _jpeg(draw(task.code, task.seed).convert("L"))
        case "cmyk":
            return _jpeg(draw(task.code, task.seed).convert("CMYK"))
        case "odd_size":
            size = _ODD_SIZES[task.ordinal % len(_ODD_SIZES)]
            return _jpeg(draw(task.code, task.seed).resize(size, Image.Resampling.BICUBIC))
        case "png_named_jpg":
            return _saved(draw(task.code, task.seed), "PNG", compress_level=3)
        case "animated_gif":
            return _animated_gif(draw(task.code, task.seed))
        case "pixel_twin":
            return _pixel_twin(task)
        case "near_duplicate":
            return _near_duplicate(task)
    raise CatalogError(
        f"{task.file}: no image file can be made for the fault {task.kind!r}; a defect of the plan"
    )


def _picture_jpeg(task: ImageTask) -> bytes:
    return _jpeg(draw(task.code, task.seed))


def _jpeg(picture: Image.Image, quality: int = _QUALITY, **options: Any) -> bytes:
    subsampling = {"subsampling": _SUBSAMPLING} if picture.mode == "RGB" else {}
    return _saved(picture, "JPEG", **{"quality": quality, "progressive": True, **subsampling, **options})


def _saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def _with_lying_header(content: bytes) -> bytes:
    # A frame header: marker, length (2 bytes), bits a sample (1), height (2), width (2).
    start = content.index(_START_OF_FRAME_PROGRESSIVE) + 5
    return content[:start] + _LIED_SIDE.to_bytes(2, "big") * 2 + content[start + 4 :]


def _with_corrupt_scan(content: bytes, chance: random.Random) -> bytes:
    """Overwrite some bytes inside the entropy-coded data, at the first place tried where a strict decoder notices."""
    first = content.index(_START_OF_SCAN) + 16
    for _ in range(_DAMAGE_ATTEMPTS):
        start = chance.randrange(first, len(content) - _DAMAGED_BYTES - 2)
        stop = start + _DAMAGED_BYTES
        damage = bytes(chance.randrange(0xFF) for _ in range(_DAMAGED_BYTES))
        if b"\xff" in content[start - 1 : stop + 1]:
            continue  # Markers stay whole: this fault is about the data between them.
        damaged = content[:start] + damage + content[stop:]
        if _DAMAGE_SIGN in _complaint(damaged):
            return damaged
    raise CatalogError(
        f"none of {_DAMAGE_ATTEMPTS} damages to a scan of {len(content):,} bytes was noticed by the strict decoder; "
        "use another seed"
    )


def _complaint(content: bytes) -> str:
    import simplejpeg  # Only this fault needs it.

    try:
        simplejpeg.decode_jpeg(content, "RGB", strict=True)
    except ValueError as error:
        return str(error)
    return ""


def _garbage(task: ImageTask, chance: random.Random) -> bytes:
    if task.ordinal % 2:
        return _ERROR_PAGE.format(name=task.file).encode()
    # 0xA5 0x5A begins no image format.
    return b"\xa5\x5a" + chance.randbytes(chance.randrange(2_000, 30_000))


def _spread_colour(number: int) -> tuple[int, int, int]:
    """Colours far apart from each other: multiples of three irrational steps, white first."""
    steps = (0.819_172_5, 0.671_043_6, 0.549_700_5)
    red, green, blue = (round(255 * (1 - number * step % 1)) for step in steps)
    return red, green, blue


def _near_blank(number: int, chance: random.Random) -> Image.Image:
    """A constant colour but for a pattern of about one grey level, which survives the JPEG."""
    base = np.array(_spread_colour(number + 1), np.int16).clip(8, 247)
    pattern = Image.frombytes("L", (5, 5), chance.randbytes(25)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )
    offset = np.asarray(pattern, np.int16)[..., None] * 5 // 256 - 2
    return Image.fromarray((base + offset).astype(np.uint8))


def _animated_gif(picture: Image.Image) -> bytes:
    small = picture.resize((SIDE // 2, SIDE // 2), Image.Resampling.BICUBIC)
    frames = [ImageEnhance.Brightness(small).enhance(level).quantize(64) for level in (1.0, 0.8, 0.6)]
    return _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200, loop=0)


def _pixel_twin(task: ImageTask) -> bytes:
    """The same quantised coefficients in other bytes: every decoder gives the same pixels."""
    picture = draw(task.code, task.seed)
    match task.detail:
        case "comment":
            return _jpeg(picture, comment=f"copy {task.ordinal}")
        case "baseline":
            return _jpeg(picture, progressive=False)
    return _jpeg(picture)


def _near_duplicate(task: ImageTask) -> bytes:
    original = _picture_jpeg(task)
    if task.detail == "original":
        return original
    picture = Image.open(io.BytesIO(original)).convert("RGB")
    match task.detail:
        case "recompressed":
            return _jpeg(picture, quality=62)
        case "brightened":
            return _jpeg(ImageEnhance.Brightness(picture).enhance(1.04))
        case "cropped":
            box = (3, 2, SIDE - 2, SIDE - 3)
            return _jpeg(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box))
    raise CatalogError(
        f"{task.file}: unknown variant {task.detail!r} of a near-duplicate; a defect of the plan"
    )
