"""One 500x500 picture: a product cut out on white or photographed, with borders as the real pictures have them.

- the borders are drawn first: none, on one axis, or on both (FACTS: 8.6 %, 26.8 %, 64.7 %; 43 % of the area);
- the product is drawn at half as much again as its final size, then scaled down: that smooths its edges;
- grain and light come last, so that no two pictures are alike in their pixels.
"""

from __future__ import annotations

import math
import random

from PIL import Image, ImageChops, ImageDraw

from rakuten_assets.synthetic.drawing.artwork import any_art
from rakuten_assets.synthetic.drawing.classes import LOOKS, Look
from rakuten_assets.synthetic.drawing.colours import Tinted, darker, vivid
from rakuten_assets.synthetic.drawing.lettering import word
from rakuten_assets.synthetic.drawing.pen import Pen
from rakuten_assets.synthetic.drawing.surfaces import add_grain, studio, surface

SIDE = 500
_CANVAS = 640
_UNITS = 124.0  # A product of 100 units, turned, has to fit the canvas.
_WHITE = (255, 255, 255)
_NO_BORDER, _ONE_AXIS = 0.086, 0.268
_SLOGANS = ("NEW", "-20%", "-50%", "TOP", "PRO", "X2", "BIO", "HD")


def draw(code: int, seed: int) -> Image.Image:
    """A product of class `code`: an RGB picture of 500x500 pixels, the same for the same arguments."""
    look = LOOKS[code]
    chance = Tinted(f"{code}/{seed}")
    chance.favourite = look.hue
    kind = chance.random()
    picture = Image.new("RGB", (SIDE, SIDE), _WHITE)
    if kind < _NO_BORDER:
        size = (SIDE, SIDE)
        content = _photograph(look, *size, chance)
    else:
        one_axis = kind < _NO_BORDER + _ONE_AXIS
        if chance.random() < look.photographed:
            content = _photograph(look, *_photograph_size(one_axis, chance), chance)
        else:
            content = _cut_out(look, one_axis, chance)
    amplitude = round(2 + 26 * chance.random() ** 2)
    content = add_grain(content, amplitude, chance.randrange(6, 40), chance)
    picture.paste(content, _place(content.size, chance))
    return picture


def _place(size: tuple[int, int], chance: random.Random) -> tuple[int, int]:
    """Most are centred, as the challenge's padding left them."""
    x, y = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    if chance.random() < 0.5:
        return x, y
    return round(x * chance.uniform(0.15, 1.85)), round(y * chance.uniform(0.15, 1.85))


def _photograph_size(one_axis: bool, chance: random.Random) -> tuple[int, int]:
    length = SIDE if one_axis else chance.randrange(270, 470)
    other = round(length * chance.uniform(0.62, 0.92)) if not one_axis else chance.randrange(280, 460)
    return (length, other) if chance.random() < 0.5 else (other, length)


def _photograph(look: Look, width: int, height: int, chance: random.Random) -> Image.Image:
    """The product on a surface, filling most of it."""
    zoom = 1.25
    w, h = round(width * zoom), round(height * zoom)
    if chance.random() < 0.25:
        scene = studio(w, h, chance)
    else:
        scene = surface(chance.choice(look.surfaces), w, h, chance)
    size = min(w, h) / 100 * chance.uniform(0.72, 1.0)
    stretch = min(1.25, max(w, h) / min(w, h)) ** chance.uniform(0, 1)
    angle = math.radians(chance.gauss(0, 1) * min(look.lean + 5, 20))
    pen = _pen(
        scene,
        w / 2 + w * chance.uniform(-0.09, 0.09),
        h / 2 + h * chance.uniform(-0.09, 0.09),
        size * (stretch if w > h else 1),
        size * (1 if w > h else stretch),
        angle,
        chance.random() < 0.5,
        chance.uniform(-0.12, 0.12),
    )
    _shadow(scene, pen, chance)
    chance.choice(look.motifs)(pen, chance)
    return scene.resize((width, height), Image.Resampling.BOX)


def _shadow(scene: Image.Image, pen: Pen, chance: random.Random) -> None:
    tone = darker(scene.getpixel((scene.width // 2, scene.height // 2)), 0.45)  # type: ignore[arg-type]
    pen.disc(chance.uniform(-3, 5), 44, 44, tone, 9)


def _cut_out(look: Look, one_axis: bool, chance: random.Random) -> Image.Image:
    """The product on white, cropped to itself; on one axis it reaches both edges of the picture."""
    canvas = Image.new("RGB", (_CANVAS, _CANVAS), _WHITE)
    count = chance.choice((2, 2, 3)) if chance.random() < look.several else 1
    aspect, shear = math.exp(chance.uniform(-0.2, 0.2)), chance.uniform(-0.1, 0.1)
    for rank in range(count):
        spread = (rank - (count - 1) / 2) * _CANVAS / count
        size = _CANVAS / _UNITS * (1 if count == 1 else 1.25 / count)
        across = chance.random() < 0.7
        pen = _pen(
            canvas,
            _CANVAS / 2 + (spread if across else spread * 0.4),
            _CANVAS / 2 + (chance.uniform(-0.1, 0.1) * _CANVAS if across else spread) * (count > 1),
            size * aspect**0.5,
            size / aspect**0.5,
            math.radians(chance.uniform(-look.lean, look.lean)),
            chance.random() < 0.5,
            shear,
        )
        chance.choice(look.motifs)(pen, chance)
    while chance.random() < 0.3:
        _advertise(canvas, chance)
    box = ImageChops.invert(canvas).getbbox() or (0, 0, _CANVAS, _CANVAS)
    width, height = box[2] - box[0], box[3] - box[1]
    longest = SIDE + 8 if one_axis else round(chance.uniform(0.48, 0.95) * SIDE)
    factor = longest / max(width, height)
    size_now = (max(16, round(width * factor)), max(16, round(height * factor)))
    content = canvas.resize(size_now, Image.Resampling.BOX, box=box)
    if one_axis:  # Cut by the picture's edge, not ending in a tip that a JPEG blurs to white.
        left, top = max(0, size_now[0] - SIDE) // 2, max(0, size_now[1] - SIDE) // 2
        content = content.crop((left, top, min(size_now[0], left + SIDE), min(size_now[1], top + SIDE)))
    return content


def _advertise(canvas: Image.Image, chance: random.Random) -> None:
    """What sellers add: a badge, a line of text, a second picture, other colours on offer, a measure."""
    pen = _pen(canvas, _CANVAS / 2, _CANVAS / 2, _CANVAS / _UNITS, _CANVAS / _UNITS, 0.0, False)
    x, y, colour = (
        chance.choice((-1, 1)) * chance.uniform(34, 46),
        chance.choice((-1, 1)) * chance.uniform(32, 46),
        vivid(chance),
    )
    match chance.randrange(5):
        case 0:
            size = chance.uniform(10, 17)
            pen.star(x, y, size, colour, spikes=chance.randint(8, 14), inner=chance.uniform(0.7, 0.9))
            pen.text(
                x - size * 0.64, y - size * 0.22, size * 0.46, chance.choice(_SLOGANS), _WHITE, size * 1.28
            )
        case 1:
            pen.text(
                -52 + chance.uniform(0, 30),
                y + 8 * (y > 0) - 8 * (y < 0),
                chance.uniform(5, 9),
                f"{word(chance)} {word(chance)}",
                colour,
                74,
            )
        case 2:
            size = chance.uniform(10, 18)
            pen.rectangle(x - size - 1, y - size - 1, x + size + 1, y + size + 1, darker(colour, 0.3))
            any_art(pen, chance, (x - size, y - size, x + size, y + size))
        case 3:
            size, down = chance.uniform(3.5, 6), chance.random() < 0.5
            for k in range(chance.randint(3, 6)):
                u, v = (x, -40 + k * size * 2.4) if down else (-40 + k * size * 2.4, y + 6)
                pen.disc(u, v, size, vivid(chance), sides=16)
        case _:
            far = 58 if x > 0 else -58
            low, high = chance.uniform(-50, -20), chance.uniform(20, 50)
            pen.line(((far, low), (far, high)), 0.8, (60, 60, 64))
            for tip, side in ((low, 1), (high, -1)):
                pen.polygon(((far, tip), (far - 2, tip + 4 * side), (far + 2, tip + 4 * side)), (60, 60, 64))
            pen.text(
                far - (14 if x > 0 else -2),
                (low + high) / 2,
                4.5,
                f"{chance.randint(12, 240)} CM",
                (60, 60, 64),
                13,
            )


def _pen(
    canvas: Image.Image,
    x: float,
    y: float,
    across: float,
    down: float,
    angle: float,
    mirrored: bool,
    shear: float = 0.0,
) -> Pen:
    """A pen at (x, y): scaled across and down, sheared, mirrored if wanted, then turned by `angle` radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    side, slant = -across if mirrored else across, shear * down
    matrix = (cosine * side, sine * side, cosine * slant - sine * down, sine * slant + cosine * down, x, y)
    return Pen(ImageDraw.Draw(canvas), matrix)
