"""What products lie on or stand before, and the grain of a photograph.

Surfaces are made once a process, larger than a picture, and each picture takes another piece of one: drawing
wood or grass anew for each picture would cost more than all the rest.
"""

from __future__ import annotations

import functools
import random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from rakuten_assets.synthetic.drawing.colours import Colour, any_colour, mix

_SIDE = 840
_BICUBIC = Image.Resampling.BICUBIC
# Dark, middle and light tone of each surface. None is light enough to pass for a white border.
_TONES: dict[str, tuple[Colour, Colour, Colour]] = {
    "oak": ((92, 58, 30), (158, 110, 64), (206, 160, 108)),
    "walnut": ((30, 18, 12), (70, 44, 30), (112, 76, 54)),
    "pine": ((160, 120, 74), (204, 168, 116), (226, 198, 152)),
    "grass": ((24, 52, 14), (70, 112, 38), (142, 172, 82)),
    "linen": ((122, 116, 104), (176, 168, 152), (212, 206, 192)),
    "blue cloth": ((24, 36, 70), (52, 74, 122), (92, 118, 164)),
    "red cloth": ((70, 14, 20), (132, 34, 42), (176, 76, 78)),
    "dark table": ((8, 8, 10), (34, 32, 34), (74, 70, 70)),
    "wall": ((150, 146, 140), (192, 188, 180), (222, 218, 212)),
    "carpet": ((70, 58, 52), (128, 110, 98), (176, 160, 146)),
    "stone": ((70, 70, 70), (122, 120, 116), (176, 172, 166)),
    "water": ((8, 70, 120), (30, 130, 190), (120, 200, 230)),
    "sand": ((150, 126, 88), (198, 174, 130), (226, 208, 172)),
    "parquet": ((100, 62, 30), (168, 116, 66), (208, 164, 112)),
}


def surface(name: str, width: int, height: int, chance: random.Random) -> Image.Image:
    """A piece of a surface, in its own tint and lie."""
    whole = _surface(name)
    zoom = chance.uniform(0.7, 1.0)
    w, h = round(width * zoom), round(height * zoom)
    x, y = chance.randrange(_SIDE - w), chance.randrange(_SIDE - h)
    piece = whole.transform(
        (width, height), Image.Transform.EXTENT, (x, y, x + w, y + h), Image.Resampling.NEAREST
    )
    if chance.random() < 0.5:
        piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    level = chance.uniform(0.7, 1.08)
    table = [min(228, round(v * level * tint)) for tint in _tint(chance) for v in range(256)]
    return piece.point(table)


def studio(width: int, height: int, chance: random.Random) -> Image.Image:
    """A coloured backdrop that runs from one tone to another."""
    first, last = any_colour(chance), any_colour(chance)
    last = mix(first, last, chance.uniform(0.2, 0.7))
    corners = [mix(first, last, chance.random()) for _ in range(4)]
    small = Image.new("RGB", (2, 2))
    small.putdata([(min(r, 228), min(g, 228), min(b, 228)) for r, g, b in corners])
    return small.resize((width, height), Image.Resampling.BILINEAR)


def add_grain(picture: Image.Image, amplitude: int, light: int, chance: random.Random) -> Image.Image:
    """Sensor noise and uneven light, on all but white: in a cut-out that is no part of the photograph.

    Args:
        picture: RGB, at most 800 pixels on a side.
        amplitude: of the noise, in grey levels (about three standard deviations).
        light: of the light's unevenness, in grey levels.
    """
    width, height = picture.size
    noise, shade = _noise(), _light()[chance.randrange(len(_light()))]
    x, y = chance.randrange(_SIDE - width), chance.randrange(_SIDE - height)
    offset = noise[y : y + height, x : x + width] * np.int16(amplitude)
    x, y = chance.randrange(_SIDE - width), chance.randrange(_SIDE - height)
    offset += shade[y : y + height, x : x + width] * np.int16(light)
    offset >>= 7
    offset[np.asarray(picture.convert("L")) > 250] = 0
    # Plane by plane: adding one plane to interleaved pixels takes three times as long.
    planes = (np.asarray(plane).astype(np.int16) for plane in picture.split())
    return Image.merge("RGB", [Image.fromarray(_clipped(plane + offset)) for plane in planes])


def _tint(chance: random.Random) -> tuple[float, float, float]:
    warmth, green = chance.uniform(-0.1, 0.1), chance.uniform(-0.04, 0.04)
    return 1 + warmth, 1 + green, 1 - warmth


@functools.cache
def _surface(name: str) -> Image.Image:
    random_bytes = random.Random(f"surface/{name}").randbytes

    def cloud(columns: int, rows: int) -> npt.NDArray[np.int32]:
        small = Image.frombytes("L", (columns, rows), random_bytes(columns * rows))
        return np.asarray(small.resize((_SIDE, _SIDE), _BICUBIC), np.int32)

    match name:
        case "oak" | "walnut" | "pine":
            tone = cloud(8, 60) * 3 + cloud(14, 240) * 3 + cloud(40, 700) * 2
            tone -= (_every(137)[:, None] < 4) * 700
        case "parquet":
            tone = cloud(10, 120) * 3 + cloud(26, 400) * 3 + cloud(8, 12) * 2
            tone -= ((_every(110)[:, None] < 4) | ((_every(290) < 4)[None, :])) * 700
        case "grass":
            tone = cloud(420, 260) * 4 + cloud(120, 80) * 3 + cloud(9, 9)
        case "linen" | "blue cloth" | "red cloth":
            weave = (_every(6)[:, None] < 3) ^ (_every(6)[None, :] < 3)
            tone = cloud(7, 7) * 4 + cloud(300, 300) * 3 + weave * 160
        case "water":
            tone = cloud(26, 60) * 5 + cloud(60, 140) * 3
        case "stone":
            tone = cloud(9, 9) * 2 + cloud(90, 90) * 3 + cloud(420, 420) * 3
            tone -= ((_every(260)[:, None] < 6) | ((_every(310) < 6)[None, :])) * 600
        case _:
            tone = cloud(5, 5) * 4 + cloud(40, 40) * 2 + cloud(400, 400) * 2
    low, high = int(tone.min()), int(tone.max())
    grey = ((tone - low) * 255 // (high - low)).astype(np.uint8)
    # The middle of a sum of clouds is crowded: stretched, so that the tones are all used.
    stretched = np.clip((grey.astype(np.int32) - 64) * 2, 0, 255).astype(np.uint8)
    dark, middle, light = _TONES[name]
    return ImageOps.colorize(Image.fromarray(stretched), dark, light, middle)


def _clipped(levels: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)


def _every(period: int) -> npt.NDArray[np.int32]:
    return np.arange(_SIDE, dtype=np.int32) % period


@functools.cache
def _noise() -> npt.NDArray[np.int16]:
    """int16 (840, 840), -127 to 127: half of it fine, half of it blotches of three pixels, as in a phone's JPEGs."""
    chance = random.Random("noise")
    fine = np.frombuffer(chance.randbytes(_SIDE * _SIDE), np.uint8).reshape(_SIDE, _SIDE).astype(np.int16)
    third = _SIDE // 3
    coarse = Image.frombytes("L", (third, third), chance.randbytes(third * third)).resize(
        (_SIDE, _SIDE), _BICUBIC
    )
    return (fine + np.asarray(coarse, np.int16)) // 2 - 127


@functools.cache
def _light() -> tuple[npt.NDArray[np.int16], ...]:
    """int16 (840, 840), -127 to 127 each: slow changes of light, over 90 to 300 pixels."""
    chance = random.Random("light")
    layers = []
    for cells in (4, 6, 9, 12):
        small = Image.frombytes("L", (cells, cells), chance.randbytes(cells * cells))
        layers.append(np.asarray(small.resize((_SIDE, _SIDE), _BICUBIC), np.int16) - 127)
    return tuple(layers)
