"""Furniture for indoors."""

from __future__ import annotations

import random

from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    WOODS,
    any_colour,
    darker,
    lighter,
    vivid,
)
from rakuten_assets.synthetic.drawing.motifs.home import vase
from rakuten_assets.synthetic.drawing.pen import Pen


def chair(pen: Pen, chance: random.Random) -> None:
    """A chair or a bar stool: legs, seat, back with slats or upholstery."""
    wood, fabric = chance.choice((*WOODS, (50, 50, 54), (200, 202, 206))), any_colour(chance)
    seat, back = chance.uniform(-4, 10), chance.uniform(-50, -38)
    for x, y in ((-16, seat - 6), (24, seat - 6)):
        pen.line(((x, y), (x + chance.uniform(-3, 3), 38)), 3.4, darker(wood, 0.4))
    slats = chance.randint(0, 4)
    if slats < 2:
        pen.rounded(-19, back, 25, seat - 2, chance.uniform(3, 18), fabric)
        pen.rounded(-15, back + 4, 21, seat - 6, 3, lighter(fabric, 0.12))
    else:
        for x in (-17, 24):
            pen.line(((x, seat), (x, back)), 4, wood)
        for k in range(slats):
            y = back + 3 + k * (seat - back - 10) / slats
            pen.rectangle(-17, y, 24, y + 4.5, lighter(wood, 0.12))
    pen.polygon(((-19, seat - 8), (25, seat - 8), (20, seat + 5), (-28, seat + 5)), lighter(fabric, 0.2))
    pen.polygon(((-28, seat + 5), (20, seat + 5), (20, seat + 9), (-28, seat + 9)), darker(fabric, 0.3))
    for x in (-26, 18):
        pen.line(((x, seat + 8), (x + chance.uniform(-4, 2), 50)), 4, wood)
    if chance.random() < 0.4:
        pen.line(((-26, 34), (18, 34)), 2.4, darker(wood, 0.2))


def wardrobe(pen: Pen, chance: random.Random) -> None:
    """A cupboard, a chest of drawers or a bookcase, of boards."""
    wood, w, h = (
        chance.choice((*WOODS, (226, 226, 224), (70, 72, 78))),
        chance.uniform(26, 48),
        chance.uniform(26, 48),
    )
    deep = chance.uniform(4, 10)
    pen.polygon(
        ((w, -h), (w + deep, -h - deep * 0.5), (w + deep, h - deep * 0.6), (w, h)), darker(wood, 0.35)
    )
    pen.polygon(
        ((-w, -h), (w, -h), (w + deep, -h - deep * 0.5), (-w + deep, -h - deep * 0.5)), lighter(wood, 0.25)
    )
    pen.rectangle(-w, -h, w, h, wood)
    columns, rows = chance.randint(1, 4), chance.randint(1, 5)
    style = chance.choice(("drawers", "doors", "shelves"))
    for column in range(columns):
        for row in range(rows):
            x0, y0 = -w + 2 + column * (2 * w - 2) / columns, -h + 2 + row * (2 * h - 4) / rows
            x1, y1 = x0 + (2 * w - 2) / columns - 2, y0 + (2 * h - 4) / rows - 2
            if style == "shelves" or chance.random() < 0.15:
                pen.rectangle(x0, y0, x1, y1, darker(wood, 0.55))
                x = x0 + 1
                while x < x1 - 4 and chance.random() < 0.85:
                    wide = chance.uniform(1.5, 4)
                    pen.rectangle(x, y0 + (y1 - y0) * chance.uniform(0.2, 0.5), x + wide, y1, vivid(chance))
                    x += wide + 0.3
            else:
                pen.rectangle(x0, y0, x1, y1, darker(wood, 0.22))
                pen.rectangle(x0 + 0.8, y0 + 0.8, x1 - 0.8, y1 - 0.8, lighter(wood, 0.1))
                if style == "doors":
                    pen.disc(
                        x1 - 3 if column % 2 == 0 else x0 + 3, (y0 + y1) / 2, 1.3, darker(wood, 0.6), sides=10
                    )
                else:
                    pen.rectangle(
                        (x0 + x1) / 2 - 4,
                        (y0 + y1) / 2 - 0.8,
                        (x0 + x1) / 2 + 4,
                        (y0 + y1) / 2 + 0.8,
                        (60, 58, 56),
                    )
    for x in (-w + 3, w - 3):
        pen.rectangle(x - 2, h, x + 2, h + 4, darker(wood, 0.5))


def sofa(pen: Pen, chance: random.Random) -> None:
    """A sofa or an armchair with cushions."""
    fabric, seats = any_colour(chance), chance.randint(1, 3)
    w, back = 18 + 11 * seats, chance.uniform(-30, -18)
    pen.rounded(-w, back, w, 20, 7, darker(fabric, 0.15))
    for k in range(seats):
        x0, x1 = -w + 8 + k * (2 * w - 16) / seats, -w + 8 + (k + 1) * (2 * w - 16) / seats
        pen.rounded(x0 + 0.6, back + 4, x1 - 0.6, 8, 5, lighter(fabric, 0.08))
        pen.rounded(x0 + 0.6, 2, x1 - 0.6, 15, 4, lighter(fabric, 0.2))
        if chance.random() < 0.55:
            cushion = pen.at((x0 + x1) / 2 + chance.uniform(-4, 4), -4, 1, chance.uniform(-25, 25))
            cushion.rounded(-8, -8, 8, 8, 3, any_colour(chance))
    pen.rectangle(-w + 4, 14, w - 4, 24, darker(fabric, 0.3))
    for side in (-1, 1):
        pen.rounded(side * w - 7, -6, side * w + 7, 25, 6, fabric)
        pen.rectangle(side * (w - 2) - 2, 25, side * (w - 2) + 2, 31, BLACK)


def table(pen: Pen, chance: random.Random) -> None:
    """A table with something on it."""
    wood, deep, w = chance.choice((*WOODS, (214, 216, 218))), chance.uniform(9, 20), chance.uniform(38, 50)
    for x, y in ((-w + 16, -4.0), (w - 8, -4.0)):
        pen.line(((x, y), (x, 30)), 3, darker(wood, 0.5))
    pen.polygon(((-w + 12, -8 - deep), (w, -8 - deep), (w - 10, -4), (-w, -4)), lighter(wood, 0.15))
    for k in range(3):
        y = -8 - deep + (deep + 4) * (k + 1) / 4
        pen.line(((-w + 9 - 3 * k, y), (w - 3 - 3 * k, y)), 0.7, darker(wood, 0.12))
    pen.rectangle(-w, -4, w - 10, 0, darker(wood, 0.25))
    for x in (-w + 3, w - 13):
        pen.line(((x, 0), (x, 42)), 4, wood)
    if chance.random() < 0.7:
        vase(pen.at(chance.uniform(-20, 20), -24, 0.36), chance)
    if chance.random() < 0.5:
        pen.disc(chance.uniform(-24, 24), -12, 9, any_colour(chance), 3)
