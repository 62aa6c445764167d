"""A picture of all augmentations: a row for each transform, each policy and each way of mixing, with what it does."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rakuten_assets.augmentation.colour import BrightnessContrast, Gamma, HueSaturationValue, ToGrey
from rakuten_assets.augmentation.geometry import (
    ElasticTransform,
    HorizontalFlip,
    Perspective,
    Rotate,
    ShiftScaleRotate,
    VerticalFlip,
)
from rakuten_assets.augmentation.mixing import CutMix, Mixing, MixUp, blended
from rakuten_assets.augmentation.normalisation import to_size
from rakuten_assets.augmentation.policies import FEW, HEAVY, LIGHT, MANY, MEDIUM
from rakuten_assets.augmentation.quality import CoarseDropout, GaussianBlur, GaussianNoise, JpegCompression
from rakuten_assets.augmentation.transform import Policy, Transform
from rakuten_assets.errors import AugmentationError

Pixels = NDArray[np.uint8]

SIDE = 224
"""Pictures are augmented at the document's size, then shown smaller."""

# The document's parameters, each applied for certain: a row shows what a transform does, not how often.
TRANSFORMS: tuple[Transform, ...] = (
    HorizontalFlip(p=1.0),
    VerticalFlip(p=1.0),
    Rotate(p=1.0),
    ShiftScaleRotate(p=1.0),
    Perspective(p=1.0),
    ElasticTransform(p=1.0),
    BrightnessContrast(p=1.0),
    HueSaturationValue(p=1.0),
    Gamma(p=1.0),
    ToGrey(p=1.0),
    GaussianNoise(p=1.0),
    GaussianBlur(p=1.0),
    JpegCompression(p=1.0),
    CoarseDropout(p=1.0),
)

_POLICY_TEXTS = {
    "light": f"classes of more than {MANY:,} rows",
    "medium": f"classes of {FEW:,} to {MANY:,} rows",
    "heavy": f"classes of fewer than {FEW:,} rows",
}
_MARGIN, _GAP, _HEADING, _LABEL = 14, 6, 52, 210
_INK, _QUIET, _RULE, _PAPER = "#1F2328", "#59636E", "#D1D9E0", "#FFFFFF"


@dataclass(frozen=True)
class Example:
    """A picture to augment and what stands above its columns.

    Attributes:
        caption: such as the class.
        pixels: uint8 (h, w, 3).
    """

    caption: str
    pixels: Pixels


def gallery_png(examples: Sequence[Example], draws: int = 3, tile: int = 112, seed: int = 0) -> bytes:
    """Draw the gallery: for each example its original, then `draws` augmented ones, by transform.

    Args:
        examples: at least one; a light and a dark product show most. Mixing is shown from two on.
        draws: augmented pictures of an example in a row; they are those of epochs 0, 1, ...
        tile: side of a shown picture in pixels.

    Returns:
        PNG bytes, the same for the same arguments.

    Raises:
        AugmentationError: for no example.
    """
    if not examples or draws < 1:
        raise AugmentationError("a gallery needs at least one picture and one draw")
    pictures = [np.ascontiguousarray(to_size(example.pixels, SIDE)) for example in examples]
    rows: list[tuple[str, str, list[Pixels]]] = []
    for one in (*TRANSFORMS, LIGHT, MEDIUM, HEAVY):
        augmented = [
            one.augment(picture, seed=seed, row=row, epoch=epoch)
            for row, picture in enumerate(pictures)
            for epoch in range(draws)
        ]
        rows.append((*_texts(one), augmented))
    if len(pictures) > 1:
        rows += [
            (type(mix).__name__, _parameters(mix), _mixed(pictures, mix, draws, seed))
            for mix in (MixUp(), CutMix())
        ]
    return _drawn(examples, pictures, rows, draws, tile)


def _mixed(pictures: Sequence[Pixels], mix: Mixing, draws: int, seed: int) -> list[Pixels]:
    mixed = []
    for row, picture in enumerate(pictures):
        for epoch in range(draws):
            drawn = mix.draw(len(pictures) - 1, SIDE, SIDE, seed=seed, row=row, epoch=epoch)
            assert drawn is not None  # p is 1
            partner = (row + 1 + drawn.partner) % len(pictures)  # in a gallery never the picture itself
            mixed.append(blended(picture, pictures[partner], drawn))
    return mixed


def _texts(transform: Transform) -> tuple[str, str]:
    if isinstance(transform, Policy):
        return f"policy {transform.name}", _POLICY_TEXTS[transform.name]
    return type(transform).__name__, _parameters(transform)


def _parameters(transform: Transform | Mixing) -> str:
    """The parameters but `p`, rounded, one a line."""
    lines = []
    for one in fields(transform):
        value = getattr(transform, one.name)
        if one.name not in ("p", "fill"):
            values = value if isinstance(value, tuple) else (value,)
            shown = [f"{number:.3g}" if isinstance(number, float) else str(number) for number in values]
            lines.append(f"{one.name} {' to '.join(dict.fromkeys(shown))}")
    return "\n".join(lines)


def _drawn(
    examples: Sequence[Example],
    originals: Sequence[Pixels],
    rows: Sequence[tuple[str, str, list[Pixels]]],
    draws: int,
    tile: int,
) -> bytes:
    block = (draws + 1) * (tile + _GAP) + _GAP
    width = 2 * _MARGIN + _LABEL + len(examples) * block
    height = 2 * _MARGIN + _HEADING + len(rows) * (tile + _GAP)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), "Augmentations", fill=_INK, font=_font(19))
    for number, example in enumerate(examples):
        left = _MARGIN + _LABEL + number * block
        draw.text((left, _MARGIN), _cut(example.caption, block - _GAP), fill=_INK, font=_font(15))
        draw.text((left, _MARGIN + 24), "original", fill=_QUIET, font=_font(12))
        for epoch in range(draws):
            place = left + (epoch + 1) * (tile + _GAP)
            draw.text((place, _MARGIN + 24), f"epoch {epoch}", fill=_QUIET, font=_font(12))
    for row, (title, text, augmented) in enumerate(rows):
        top = _MARGIN + _HEADING + row * (tile + _GAP)
        draw.text((_MARGIN, top + 4), title, fill=_INK, font=_font(14))
        draw.multiline_text((_MARGIN, top + 24), text, fill=_QUIET, font=_font(12), spacing=3)
        for number, original in enumerate(originals):
            shown = [original, *augmented[number * draws : (number + 1) * draws]]
            for place, pixels in enumerate(shown):
                left = _MARGIN + _LABEL + number * block + place * (tile + _GAP)
                small = Image.fromarray(pixels).resize((tile - 2, tile - 2), Image.Resampling.BICUBIC)
                sheet.paste(small, (left + 1, top + 1))
                # Products stand on white: without the frame one could not see where a picture ends.
                draw.rectangle((left, top, left + tile - 1, top + tile - 1), outline=_RULE)
    content = io.BytesIO()
    sheet.save(content, "PNG", compress_level=6)
    return content.getvalue()


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    while text and _font(15).getlength(text) > width:
        text = text[:-1]
    return text
