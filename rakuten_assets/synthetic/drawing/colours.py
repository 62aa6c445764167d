"""Colours: made from hue, saturation and value, and mixed."""

from __future__ import annotations

import colorsys
import random

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (18, 18, 20)
CREAM: Colour = (236, 228, 205)
GOLD: Colour = (202, 164, 72)
GREY: Colour = (128, 130, 134)
RED: Colour = (206, 32, 38)
SKIN: tuple[Colour, ...] = ((244, 206, 172), (222, 172, 130), (176, 122, 84), (120, 80, 56))
WOODS: tuple[Colour, ...] = ((190, 140, 86), (156, 104, 58), (112, 70, 40), (214, 178, 128), (84, 58, 42))

# Share of a product's colours that are of its class' favourite hue.
_FAVOURED = 0.45


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (of a turn, any real number), saturation and value (0 to 1)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(255 * red), round(255 * green), round(255 * blue)


def mix(first: Colour, last: Colour, share: float) -> Colour:
    """`share` of the way from the first colour to the last."""
    r, g, b = (round(p + (q - p) * share) for p, q in zip(first, last, strict=True))
    return r, g, b


def darker(colour: Colour, share: float = 0.25) -> Colour:
    return mix(colour, (0, 0, 0), share)


def lighter(colour: Colour, share: float = 0.3) -> Colour:
    return mix(colour, WHITE, share)


class Tinted(random.Random):
    """Random numbers for the pictures of one class, whose products come in some hues more often than in others."""

    favourite = 0.0

    def hue(self) -> float:
        """The favourite hue, about, or any."""
        if self.random() < _FAVOURED:
            return self.favourite + self.gauss(0, 0.05)
        return self.random()


def vivid(chance: random.Random) -> Colour:
    return hsv(_hue(chance), chance.uniform(0.6, 0.95), chance.uniform(0.65, 0.95))


def muted(chance: random.Random) -> Colour:
    return hsv(_hue(chance), chance.uniform(0.15, 0.5), chance.uniform(0.25, 0.7))


def pastel(chance: random.Random) -> Colour:
    return hsv(_hue(chance), chance.uniform(0.15, 0.4), chance.uniform(0.82, 0.95))


def dark(chance: random.Random) -> Colour:
    return hsv(_hue(chance), chance.uniform(0.2, 0.7), chance.uniform(0.1, 0.3))


def any_colour(chance: random.Random) -> Colour:
    return chance.choice((vivid, muted, pastel, dark))(chance)


def _hue(chance: random.Random) -> float:
    return chance.hue() if isinstance(chance, Tinted) else chance.random()
