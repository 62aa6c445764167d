"""What the youngest need: pushchairs, bottles, clothes."""

from __future__ import annotations

import math
import random

from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    WHITE,
    darker,
    lighter,
    muted,
    pastel,
    vivid,
)
from rakuten_assets.synthetic.drawing.pen import Pen


def pram(pen: Pen, chance: random.Random) -> None:
    """A pushchair with a hood and four wheels."""
    cloth, frame = (
        chance.choice((vivid, muted))(chance),
        chance.choice(((60, 62, 68), (180, 184, 190), BLACK)),
    )
    size = chance.uniform(8, 11)
    pen.line(((-34, 34), (14, 4), (36, -26), (48, -30)), 2.6, frame)
    pen.line(((34, 34), (-6, 10)), 2.6, frame)
    pen.sector(-2, -2, chance.uniform(34, 40), 180, 300, darker(cloth, 0.15))
    for k in range(3):
        angle = math.radians(200 + 30 * k)
        pen.line(((-2, -2), (-2 + 36 * math.cos(angle), -2 + 36 * math.sin(angle))), 1, darker(cloth, 0.5))
    pen.polygon(((-38, -2), (26, -2), (18, 20), (-26, 20)), cloth)
    pen.polygon(((-34, 3), (22, 3), (20, 9), (-31, 9)), lighter(cloth, 0.4))
    for x in (-30, 30):
        pen.disc(x, 38, size, (36, 36, 40))
        pen.disc(x, 38, size * 0.6, lighter(frame, 0.4))
        pen.star(x, 38, size * 0.6, frame, spikes=6, inner=0.2)


def baby_bottle(pen: Pen, chance: random.Random) -> None:
    """A feeding bottle with a teat and marks, or a dummy."""
    tint = pastel(chance)
    if chance.random() < 0.35:
        pen.disc(0, 26, 18, darker(tint, 0.2))
        pen.disc(0, 26, 11, lighter(tint, 0.6))
        pen.disc(0, 2, 36, tint, 22)
        pen.disc(0, 2, 22, vivid(chance), 13)
        pen.star(0, 2, 9, WHITE, spikes=chance.randint(4, 7))
        pen.disc(0, -26, 12, (240, 210, 150), 17)
        return
    pen.disc(0, -40, 8, (240, 210, 150), 10)
    pen.rounded(-16, -36, 16, -22, 3, darker(tint, 0.15))
    pen.rounded(-21, -24, 21, 50, 8, (206, 222, 232))
    level = chance.uniform(-14, 20)
    pen.rounded(-18, level, 18, 47, 6, (246, 240, 226))
    for k in range(6):
        pen.rectangle(-18, -12 + 10 * k, -8, -11 + 10 * k, (60, 100, 160))
    for _ in range(4):
        pen.star(
            chance.uniform(-3, 14), chance.uniform(-10, 40), 5, vivid(chance), spikes=chance.randint(4, 6)
        )


def bodysuit(pen: Pen, chance: random.Random) -> None:
    """A baby's bodysuit or sleeping bag with a print on the chest."""
    cloth, trim = pastel(chance), vivid(chance)
    cloth = darker(cloth, 0.05)
    low, wide = chance.uniform(24, 48), chance.uniform(18, 26)
    pen.polygon(
        (
            (-14, -44),
            (14, -44),
            (44, -26),
            (36, -10),
            (22, -16),
            (wide, low),
            (-wide, low),
            (-22, -16),
            (-36, -10),
            (-44, -26),
        ),
        cloth,
    )
    pen.disc(0, -44, 13, darker(cloth, 0.3), 7)
    for side in (-1, 1):
        pen.line(((side * 44, -26), (side * 36, -10)), 3, trim)
    pen.rectangle(-wide, low - 5, wide, low, trim)
    for x in (-6, 0, 6):
        pen.disc(x, low - 2, 1.5, WHITE, sides=8)
    face = vivid(chance)
    pen.disc(0, 0, 12, face)
    for side in (-1, 1):
        pen.disc(side * 9, -10, 5, darker(face, 0.1), sides=12)
        pen.disc(side * 4, -2, 1.7, BLACK, sides=8)
    pen.disc(0, 4, 4, lighter(face, 0.5), 3, sides=12)
