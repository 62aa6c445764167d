"""Tools for the house and the garden."""

from __future__ import annotations

import math
import random

from rakuten_assets.synthetic.drawing.colours import BLACK, RED, WOODS, darker, lighter, vivid
from rakuten_assets.synthetic.drawing.pen import Pen

_STEEL = (170, 174, 182)


def hammer(pen: Pen, chance: random.Random) -> None:
    """A hammer, an axe or a spade."""
    handle, long = chance.choice((*WOODS, RED, (230, 150, 40), BLACK)), chance.uniform(42, 50)
    pen.rounded(-3.4, -26, 3.4, long, 3, handle)
    pen.rounded(-4.6, 14, 4.6, long, 4, darker(handle, 0.3))
    match chance.randrange(3):
        case 0:
            pen.rectangle(-10, -38, 26, -24, (84, 88, 94))
            pen.rectangle(22, -41, 30, -21, (110, 114, 120))
            pen.polygon(((-10, -38), (-10, -24), (-32, -20), (-26, -34)), (84, 88, 94))
        case 1:
            pen.polygon(((-6, -40), (8, -40), (30, -50), (33, -16), (8, -24), (-6, -24)), (150, 154, 162))
            pen.polygon(((30, -50), (34, -50), (37, -16), (33, -16)), (214, 216, 222))
        case _:
            pen.polygon(((-15, -20), (15, -20), (14, -44), (0, -58), (-14, -44)), (120, 126, 132))
            pen.line(((0, -20), (0, -52)), 1.4, (90, 94, 100))


def saw(pen: Pen, chance: random.Random) -> None:
    """A hand saw with its teeth."""
    grip, tip, teeth = (
        chance.choice((*WOODS, RED, (240, 180, 30), (40, 90, 170))),
        chance.uniform(-4, 6),
        chance.randint(14, 22),
    )
    edge = []
    for k in range(teeth):
        x = -18 + 68 * k / teeth
        edge += [(x, 14), (x + 68 / teeth * 0.6, 18)]
    pen.polygon(((-20, -14), (50, tip), (50, 13), *reversed(edge)), _STEEL)
    pen.line(((-16, -9), (46, tip + 2)), 1.6, (214, 218, 224))
    pen.rounded(-50, -18, -16, 24, 8, grip)
    pen.rounded(-42, -8, -26, 14, 5, darker(grip, 0.75))
    for y in (-12, 18):
        pen.disc(-21, y, 2, (230, 220, 160), sides=10)


def drill(pen: Pen, chance: random.Random) -> None:
    """A cordless drill."""
    paint = chance.choice(((30, 130, 140), (240, 180, 30), (30, 70, 150), RED, (70, 150, 60), vivid(chance)))
    pen.rounded(-40, -30, 18, -4, 6, paint)
    pen.rectangle(-34, -26, 12, -22, lighter(paint, 0.35))
    pen.polygon(((18, -28), (32, -22), (32, -12), (18, -6)), BLACK)
    pen.line(((32, -17), (54, -17)), 2.6, _STEEL)
    lean = chance.uniform(-9, 4)
    pen.polygon(((-34, -6), (-12, -6), (-14 + lean, 32), (-36 + lean, 32)), darker(paint, 0.35))
    pen.rounded(-44 + lean, 29, -4 + lean, 45, 3, BLACK)
    pen.rectangle(-12, -4, -6, 6, RED)
    for k in range(3):
        pen.rectangle(-36 + 7 * k, -16, -32 + 7 * k, -9, BLACK)


def garden_hose(pen: Pen, chance: random.Random) -> None:
    """A coil of hose with a nozzle, or a pair of secateurs."""
    if chance.random() < 0.5:
        hose, stripe = chance.choice(((50, 130, 60), (230, 160, 30), (70, 74, 80))), vivid(chance)
        for k in range(5):
            r = 42 - 5.4 * k
            pen.ring(0, 0, r, 5, darker(hose, 0.12 * (k % 2)), r * 0.86)
            pen.ring(0, 0, r, 1, stripe, r * 0.86)
        pen.line(((41, 4), (48, 24), (38, 42)), 5, hose)
        pen.polygon(((34, 38), (42, 42), (36, 58), (28, 54)), (240, 130, 30))
        return
    grip, spread = vivid(chance), math.radians(chance.uniform(10, 24))
    for side in (-1, 1):
        x, y = side * math.sin(spread) * 52, math.cos(spread) * 52
        pen.line(((0, -6), (x * 0.7, y * 0.5), (x, y)), 8, grip)
        pen.polygon(
            ((side * -2, 0), (side * 9, -10), (side * -4, -48)), _STEEL if side < 0 else (120, 124, 130)
        )
    pen.disc(0, -4, 5, (60, 62, 66))
    pen.disc(0, -4, 2, _STEEL, sides=10)
