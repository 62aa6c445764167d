"""Swimming pools and what belongs to them."""

from __future__ import annotations

import random

from rakuten_assets.synthetic.drawing import artwork
from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    CREAM,
    GREY,
    WHITE,
    WOODS,
    Colour,
    darker,
    hsv,
    lighter,
    mix,
    pastel,
    vivid,
)
from rakuten_assets.synthetic.drawing.pen import Pen

_WALLS: tuple[Colour, ...] = (
    (60, 110, 170),
    (206, 210, 214),
    (150, 104, 64),
    (80, 84, 92),
    (40, 150, 180),
    (190, 150, 100),
)


def pool(pen: Pen, chance: random.Random) -> None:
    """A pool above ground: round or square wall, blue water, often a ladder, sometimes what comes with it."""
    wall, water = mix(chance.choice(_WALLS), vivid(chance), chance.uniform(0, 0.25)), _water(chance)
    rx, ry, tall = chance.uniform(36, 50), chance.uniform(9, 20), chance.uniform(10, 34)
    if chance.random() < 0.6:
        pen.disc(0, tall, rx, darker(wall, 0.25), ry, sides=32)
        pen.rectangle(-rx, 0, rx, tall, wall)
        panels, tint = chance.randint(0, 14), chance.choice((darker, lighter))(wall, 0.22)
        for k in range(panels):
            x = -rx + 2 * rx * (k + 0.3) / panels
            pen.rectangle(x, ry * 0.4, x + rx * 0.05, tall + ry * 0.7, tint)
        pen.disc(0, 0, rx, lighter(wall, chance.uniform(0.2, 0.6)), ry, sides=32)
        pen.disc(0, 1, rx * 0.93, water, ry * 0.86, sides=32)
    else:
        slant, rows = chance.uniform(0.55, 0.85), chance.randint(2, 6)
        pen.rectangle(-rx, 4, rx, 8 + tall, wall)
        for k in range(rows):
            pen.rectangle(-rx, 5 + k * tall / rows, rx, 6 + k * tall / rows, darker(wall, 0.3))
        pen.polygon(((-rx, 4), (-rx * slant, -ry), (rx * slant, -ry), (rx, 4)), lighter(wall, 0.35))
        inner = (
            (-rx * 0.9, 2.4),
            (-rx * slant * 0.92, -ry + 2.4),
            (rx * slant * 0.92, -ry + 2.4),
            (rx * 0.9, 2.4),
        )
        pen.polygon(inner, water)
    _waves(pen, chance, rx * 0.7, ry * 0.5, water)
    for _ in range(chance.randint(0, 3)):
        _ring(
            pen.at(chance.uniform(-0.6, 0.6) * rx, chance.uniform(-0.3, 0.2) * ry, chance.uniform(0.5, 1)),
            chance,
            water,
        )
    if chance.random() < 0.75:
        x, rail = chance.uniform(-0.75, 0.75) * rx, chance.choice(((222, 224, 228), (110, 114, 120), *WOODS))
        for dx in (-4.5, 4.5):
            pen.line(((x + dx, -chance.uniform(16, 24)), (x + dx * 1.5, tall + ry)), 1.8, rail)
        for k in range(4):
            pen.line(((x - 5, -12 + 9 * k), (x + 5, -12 + 9 * k)), 1.8, rail)
    if chance.random() < 0.35:
        side = chance.choice((-1, 1))
        pump(pen.at(side * rx * 0.9, tall + ry, chance.uniform(0.25, 0.45), mirrored=side > 0), chance)


def sunken_pool(pen: Pen, chance: random.Random) -> None:
    """A pool let into a terrace, seen from above: kidney, round or rectangular, with deck chairs."""
    terrace, water = chance.choice((CREAM, (196, 186, 170), (150, 120, 90), (170, 172, 174))), _water(chance)
    w, h = chance.uniform(40, 50), chance.uniform(28, 48)
    pen.rounded(-w, -h, w, h, chance.uniform(1, 20), terrace)
    rows = chance.randint(4, 9)
    for k in range(1, rows):
        pen.line(
            ((-w * 0.96, -h + 2 * h * k / rows), (w * 0.96, -h + 2 * h * k / rows)), 0.6, darker(terrace, 0.2)
        )
    border, shape = lighter(terrace, 0.6), chance.randrange(3)
    x, y, r = (
        chance.uniform(-0.15, 0.15) * w,
        chance.uniform(-0.1, 0.1) * h,
        min(w, h) * chance.uniform(0.5, 0.66),
    )
    lobe, drop = chance.uniform(0.4, 0.9) * r, chance.uniform(-0.3, 0.3) * r
    for grow, colour in ((1.12, border), (1.0, water)):
        if shape == 0:
            pen.disc(x - lobe * 0.6, y + drop, r * grow, colour, r * 0.8 * grow)
            pen.disc(x + lobe * 0.7, y - drop, r * 0.8 * grow, colour, r * 0.7 * grow)
        elif shape == 1:
            pen.rounded(
                x - w * 0.66 * grow, y - h * 0.5 * grow, x + w * 0.66 * grow, y + h * 0.5 * grow, 5, colour
            )
        else:
            pen.disc(x, y, r * 1.1 * grow, colour, r * grow, sides=32)
    for k in range(chance.randint(2, 4)):
        pen.line(
            ((x - r * 0.7, y - r * 0.4 + 5 * k), (x - r * 0.2, y - r * 0.5 + 6 * k)), 1.4, lighter(water, 0.5)
        )
    for _ in range(chance.randint(0, 3)):
        _ring(
            pen.at(x + chance.uniform(-0.6, 0.6) * r, y + chance.uniform(-0.4, 0.4) * r, 0.9), chance, water
        )
    towel = vivid(chance)
    for k in range(chance.randint(1, 4)):
        bed = pen.at(-w * 0.8 + k * 12, chance.choice((-1, 1)) * h * 0.82, 1, chance.uniform(-20, 20))
        bed.rectangle(-4, -7, 4, 7, towel)
        bed.rectangle(-4, -7, 4, -3, WHITE)
    for k in range(chance.randint(0, 3)):
        pen.disc(w * (0.84 - 0.2 * k), -h * 0.82, 5, hsv(0.3, 0.6, chance.uniform(0.3, 0.6)), sides=10)


def inflatable(pen: Pen, chance: random.Random) -> None:
    """A float: a ring with an animal's neck, an air mattress, or a paddling pool of rings."""
    first, second = vivid(chance), chance.choice((WHITE, pastel(chance), vivid(chance)))
    match chance.randrange(3):
        case 0:
            _stripes_around(pen, 0, 18, chance.uniform(40, 48), chance.uniform(16, 24), first, second)
            hole = chance.uniform(10, 22)
            pen.disc(0, 16, hole, lighter(first, 0.6), hole * 0.45)
            side, top = chance.choice((-1, 1)), chance.uniform(-46, -30)
            x = side * chance.uniform(18, 30)
            pen.line(((x * 0.7, 10), (x * 1.2, -10), (x * 0.8, top + 6), (x * 1.1, top)), 10, first)
            pen.disc(x * 1.2, top, 9, first)
            pen.polygon(
                (
                    (x * 1.2 + side * 6, top - 4),
                    (x * 1.2 + side * 19, top + 4),
                    (x * 1.2 + side * 6, top + 6),
                ),
                GREY,
            )
            pen.disc(x * 1.2 + side * 2, top - 3, 2, BLACK, sides=10)
        case 1:
            count, slant = chance.randint(4, 8), chance.uniform(-14, 14)
            for k in range(count):
                y = -34 + 68 * k / count
                shift = slant * k / count
                pen.rounded(-46 + shift, y, 46 + shift, y + 66 / count, 33 / count, (first, second)[k % 2])
            pen.rounded(-46, -44, 46, -32, 6, darker(first, 0.15))
        case _:
            water, rings = _water(chance), chance.randint(2, 3)
            for k in range(rings):
                y = 26 - 13 * k
                _stripes_around(
                    pen, 0, y, 48 - k, 17, (first, second)[k % 2], lighter((first, second)[k % 2], 0.3)
                )
            pen.disc(0, 24 - 13 * (rings - 1), 38, water, 11, sides=32)
            _waves(pen.at(0, 24 - 13 * (rings - 1)), chance, 26, 6, water)
            for _ in range(chance.randint(1, 4)):
                pen.star(chance.uniform(-30, 30), chance.uniform(22, 38), 5, vivid(chance), spikes=5)


def pump(pen: Pen, chance: random.Random) -> None:
    """A filter pump with its pipes."""
    shell, blue = (
        chance.choice(((60, 62, 68), (214, 216, 218), (90, 100, 110))),
        hsv(chance.uniform(0.5, 0.62), 0.75, 0.75),
    )
    left, wheel, top = chance.uniform(-48, -34), chance.uniform(17, 27), chance.uniform(-46, -24)
    pen.rounded(left, -10, 10, 30, 8, shell)
    fins = chance.randint(3, 8)
    for k in range(fins):
        x = left + 5 + (2 - left) * k / fins
        pen.rectangle(x, -6, x + 3, 26, darker(shell, 0.3))
    pen.rectangle(13, top, 27, -8, darker(shell, 0.2))
    pen.rectangle(34, 2, chance.uniform(46, 56), 15, darker(shell, 0.2))
    pen.disc(20, 8, wheel, blue)
    pen.disc(20, 8, wheel * 0.62, lighter(blue, 0.3), sides=chance.choice((6, 8, 20)))
    pen.rectangle(left + 6, 30, 32, 37, BLACK)
    if chance.random() < 0.5:
        pen.line(((20, top), (chance.uniform(-30, 40), top - 8), (chance.uniform(-50, 50), top - 2)), 6, blue)


def filter_cartridge(pen: Pen, chance: random.Random) -> None:
    """Pleated paper between two plastic ends, one or several, with their label or their carton."""
    end = chance.choice(
        (hsv(chance.uniform(0.5, 0.62), 0.75, chance.uniform(0.55, 0.85)), vivid(chance), BLACK)
    )
    paper = chance.choice(((232, 234, 236), (226, 232, 200), (196, 220, 240), (240, 214, 190)))
    count = chance.randint(1, 3)
    if chance.random() < 0.4:
        carton = pen.at(chance.uniform(-14, 14), chance.uniform(-8, 4))
        carton.rectangle(-40, -40, 40, 40, vivid(chance))
        artwork.any_art(carton, chance, (-34, -36, 34, chance.uniform(-10, 20)))
    for k in range(count):
        w, h = chance.uniform(10, 26) / count**0.4, chance.uniform(20, 48)
        shift = (k - (count - 1) / 2) * 90 / count
        one = pen.at(shift + chance.uniform(-6, 6), chance.uniform(-8, 8), 1, chance.uniform(-12, 12))
        pleats = chance.randint(6, 15)
        for pleat in range(pleats):
            x = -w + 2 * w * pleat / pleats
            one.rectangle(x, -h, x + 2 * w / pleats, h, paper if pleat % 2 else darker(paper, 0.25))
        for _ in range(chance.randint(0, 4)):
            y = chance.uniform(-0.8, 0.8) * h
            one.rectangle(-w - 1, y, w + 1, y + 2, end)
        if chance.random() < 0.5:
            y = chance.uniform(-0.6, 0.3) * h
            artwork.any_art(one, chance, (-w * 0.8, y, w * 0.8, y + h * chance.uniform(0.2, 0.5)))
        one.rounded(-w - 2, h - 6, w + 2, h, 1, end)
        one.rounded(-w - 2, -h, w + 2, -h + 6, 1, end)
        one.disc(0, -h, w + 2, lighter(end, 0.2), 5)
        one.disc(0, -h, w * chance.uniform(0.3, 0.6), (30, 40, 60), 2.6)


def pool_hose(pen: Pen, chance: random.Random) -> None:
    """A coil of blue hose, or a bucket of chlorine with a dispenser."""
    hose = hsv(chance.uniform(0.52, 0.62), chance.uniform(0.5, 0.85), chance.uniform(0.55, 0.9))
    if chance.random() < 0.6:
        turns, wide, gap = chance.randint(3, 6), chance.uniform(32, 42), chance.uniform(6, 10)
        for k in range(turns):
            y = -8 - gap * turns / 2 + gap * k
            pen.ring(chance.uniform(-3, 3), y, wide - chance.uniform(0, 5), 6, darker(hose, 0.25), 17)
            pen.ring(0, y - 1, wide - 1, 3.4, lighter(hose, 0.2), 16)
        end = (chance.uniform(-50, 50), chance.uniform(30, 48))
        pen.line(((wide - 2, gap * turns / 2), (end[0] * 0.8 + 10, 30), end), 6, hose)
        return
    lid, top = vivid(chance), chance.uniform(-34, -16)
    pen.polygon(((-36, top), (18, top), (14, 46), (-32, 46)), (236, 238, 240))
    pen.rounded(-38, top - 7, 20, top + 3, 2, lid)
    pen.rectangle(-34, top + 14, 16, chance.uniform(20, 36), hose)
    pen.text(-30, top + 20, 8, chance.choice(("CHLORE", "PH-", "PH+", "CHOC", "ANTI")), WHITE, 40)
    pen.disc(chance.uniform(24, 36), 30, chance.uniform(10, 16), lid)
    pen.disc(32, 24, 7, lighter(lid, 0.5), sides=8)


def _water(chance: random.Random) -> Colour:
    return hsv(chance.uniform(0.49, 0.58), chance.uniform(0.4, 0.85), chance.uniform(0.7, 0.96))


def _waves(pen: Pen, chance: random.Random, wide: float, high: float, water: Colour) -> None:
    for _ in range(chance.randint(3, 9)):
        x, y = chance.uniform(-wide, wide * 0.8), chance.uniform(-high, high * 0.4)
        pen.line(((x, y), (x + 4, y - 1.4), (x + 8, y)), 0.9, lighter(water, 0.6))


def _ring(pen: Pen, chance: random.Random, water: Colour) -> None:
    tone = vivid(chance)
    pen.disc(0, 0, 7, tone, 3.8)
    pen.disc(0, 0, 3.6, water, 1.7)


def _stripes_around(
    pen: Pen, x: float, y: float, rx: float, ry: float, first: Colour, second: Colour
) -> None:
    inside = pen.within(x - rx, y - ry, x + rx, y + ry)
    inside.disc(x, y, rx, first, ry, sides=32)
    for k in range(4):
        left = x - rx * 0.8 + rx * 0.45 * k
        inside.polygon(
            (
                (left, y - ry * 0.5),
                (left + rx * 0.2, y - ry * 0.5),
                (left + rx * 0.2, y + ry * 0.75),
                (left, y + ry * 0.75),
            ),
            second,
        )
