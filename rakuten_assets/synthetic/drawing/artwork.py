"""Pictures inside pictures: what is printed on covers, boxes, cards and cushions.

Each function fills a rectangle (x0, y0, x1, y1) of the pen's coordinates.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from rakuten_assets.synthetic.drawing.colours import (
    SKIN,
    any_colour,
    dark,
    darker,
    hsv,
    lighter,
    mix,
    muted,
    pastel,
    vivid,
)
from rakuten_assets.synthetic.drawing.pen import Pen

Box = tuple[float, float, float, float]
Art = Callable[[Pen, random.Random, Box], None]


def landscape(pen: Pen, chance: random.Random, box: Box) -> None:
    """Sky, sun, hills one behind the other, perhaps trees."""
    x0, y0, x1, y1 = box
    inside, w, h = pen.within(*box), x1 - x0, y1 - y0
    sky = hsv(chance.choice((0.55, 0.6, 0.05, 0.1, 0.8)), chance.uniform(0.2, 0.7), chance.uniform(0.6, 0.95))
    inside.shaded(x0, y0, x1, y1, sky, lighter(sky, 0.6))
    size = chance.uniform(0.05, 0.16) * w
    inside.disc(
        x0 + w * chance.random(),
        y0 + h * chance.uniform(0.1, 0.45),
        size,
        chance.choice((lighter(sky, 0.8), (250, 214, 90))),
    )
    ground, hue = chance.uniform(0.35, 0.75), chance.random() * 0.5
    for layer in range(chance.randint(2, 4)):
        top = y0 + h * min(0.95, ground + 0.14 * layer)
        ridge = [(x0 + w * k / 7, top - h * chance.uniform(-0.05, 0.22)) for k in range(8)]
        inside.polygon([(x0, y1), *ridge, (x1, y1)], hsv(hue + 0.03 * layer, 0.5, 0.75 - 0.16 * layer))
    for _ in range(chance.randint(0, 5)):
        x, y, size = (
            x0 + w * chance.random(),
            y1 - h * chance.uniform(0.05, 0.3),
            h * chance.uniform(0.06, 0.15),
        )
        inside.polygon(
            ((x - size / 2, y), (x, y - 2 * size), (x + size / 2, y)),
            hsv(0.33, 0.6, chance.uniform(0.2, 0.5)),
        )


def portrait(pen: Pen, chance: random.Random, box: Box) -> None:
    """One person from the chest up."""
    x0, y0, x1, y1 = box
    inside, w, h = pen.within(*box), x1 - x0, y1 - y0
    back, clothes, hair = (
        any_colour(chance),
        any_colour(chance),
        hsv(chance.uniform(0.0, 0.12), 0.6, chance.uniform(0.1, 0.8)),
    )
    skin = chance.choice(SKIN)
    inside.shaded(x0, y0, x1, y1, back, lighter(back, chance.uniform(0.1, 0.6)))
    x, y = x0 + w * chance.uniform(0.3, 0.7), y0 + h * chance.uniform(0.34, 0.5)
    head = min(w, h) * chance.uniform(0.13, 0.24)
    inside.disc(x, y - head * 0.1, head * chance.uniform(1.1, 1.5), hair, head * chance.uniform(1.3, 1.9))
    inside.disc(x, y1 + head * 0.4, head * 2.3, clothes, y1 - y - head * 0.6)
    inside.rectangle(x - head * 0.35, y + head * 0.5, x + head * 0.35, y + head * 1.6, darker(skin, 0.12))
    inside.disc(x, y, head * 0.85, skin, head * 1.12)
    inside.sector(x, y - head * 0.35, head * 0.95, 180, 360, hair)
    for side in (-1, 1):
        inside.disc(x + side * head * 0.34, y - head * 0.02, head * 0.1, (30, 26, 30), sides=8)
    inside.disc(x, y + head * 0.55, head * 0.26, (176, 40, 52), head * 0.09, sides=10)


def shapes(pen: Pen, chance: random.Random, box: Box) -> None:
    """An abstract composition of discs, bars and triangles in a small palette."""
    x0, y0, x1, y1 = box
    inside, w, h = pen.within(*box), x1 - x0, y1 - y0
    palette = [any_colour(chance) for _ in range(4)]
    inside.rectangle(*box, palette[0])
    for _ in range(chance.randint(4, 11)):
        x, y, size, colour = (
            x0 + w * chance.random(),
            y0 + h * chance.random(),
            w * chance.uniform(0.06, 0.34),
            chance.choice(palette),
        )
        match chance.randrange(3):
            case 0:
                inside.disc(x, y, size, colour)
            case 1:
                inside.rectangle(x, y, x + size * 1.6, y + size * chance.uniform(0.2, 1.2), colour)
            case _:
                inside.polygon(((x, y), (x + size * 1.5, y + size), (x - size, y + size * 1.4)), colour)


def burst(pen: Pen, chance: random.Random, box: Box) -> None:
    """Rays around a centre, an emblem upon it."""
    x0, y0, x1, y1 = box
    inside, w, h = pen.within(*box), x1 - x0, y1 - y0
    colour, other = vivid(chance), any_colour(chance)
    inside.rectangle(*box, colour)
    x, y, rays, turn = (
        x0 + w * chance.uniform(0.25, 0.75),
        y0 + h * chance.uniform(0.25, 0.75),
        chance.randint(7, 12),
        chance.uniform(0, 30),
    )
    for ray in range(rays):
        start = turn + 360 * ray / rays
        inside.sector(x, y, w + h, start, start + 180 / rays, other)
    size = min(w, h) * chance.uniform(0.16, 0.32)
    inside.star(
        x,
        y,
        size * 1.3,
        lighter(vivid(chance), 0.4),
        spikes=chance.randint(4, 9),
        inner=chance.uniform(0.4, 0.85),
    )
    inside.disc(x, y, size * 0.6, darker(colour, 0.4))


def creature(pen: Pen, chance: random.Random, box: Box) -> None:
    """A monster or an animal of fancy: a body, a head, eyes, horns or ears, legs."""
    x0, y0, x1, y1 = box
    inside, w, h = pen.within(*box), x1 - x0, y1 - y0
    chance.choice((landscape, shapes, _glow))(pen, chance, box)
    skin = any_colour(chance)
    x, y = x0 + w * chance.uniform(0.35, 0.65), y0 + h * chance.uniform(0.5, 0.68)
    body, tall = w * chance.uniform(0.15, 0.3), h * chance.uniform(0.14, 0.26)
    side = chance.choice((-1, 1))
    hx, hy, head = (
        x + side * body * chance.uniform(0.2, 1.0),
        y - tall * chance.uniform(0.8, 1.3),
        min(body, tall) * chance.uniform(0.6, 0.95),
    )
    for leg in (-0.6, 0.0, 0.6):
        inside.rectangle(
            x + (leg - 0.14) * body, y, x + (leg + 0.14) * body, y + tall * 1.5, darker(skin, 0.3)
        )
    if chance.random() < 0.5:
        inside.polygon(
            ((x, y), (x - side * body * 2.2, y - tall * 1.8), (x - side * body * 1.2, y + tall * 0.3)),
            darker(skin, 0.4),
        )
    inside.disc(x, y, body, skin, tall)
    for ear in (-1, 1):
        inside.polygon(
            (
                (hx + ear * head * 0.2, hy),
                (hx + ear * head * 1.1, hy - head * chance.uniform(1.0, 1.9)),
                (hx + ear * head * 0.9, hy),
            ),
            darker(skin, 0.2),
        )
    inside.disc(hx, hy, head, lighter(skin, 0.12), head * 0.85)
    for eye in (-0.4, 0.4):
        inside.disc(hx + eye * head, hy - head * 0.1, head * 0.22, (250, 244, 210), sides=10)
        inside.disc(hx + eye * head, hy - head * 0.1, head * 0.1, (20, 16, 20), sides=8)


def city(pen: Pen, chance: random.Random, box: Box) -> None:
    """A skyline with lit windows."""
    x0, y0, x1, y1 = box
    inside, w, h = pen.within(*box), x1 - x0, y1 - y0
    sky = any_colour(chance)
    inside.shaded(x0, y0, x1, y1, darker(sky, 0.35), lighter(sky, 0.35))
    x = x0
    while x < x1:
        wide, top = w * chance.uniform(0.08, 0.24), y1 - h * chance.uniform(0.2, 0.8)
        tone = mix(darker(sky, 0.6), (60, 60, 70), chance.random() * 0.5)
        inside.rectangle(x, top, x + wide, y1, tone)
        for _ in range(3):
            u, v = x + wide * chance.uniform(0.1, 0.7), top + (y1 - top) * chance.uniform(0.05, 0.8)
            inside.rectangle(u, v, u + wide * 0.2, v + h * 0.03, (244, 210, 120))
        x += wide


def space(pen: Pen, chance: random.Random, box: Box) -> None:
    """Stars, a planet or two, a ship."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    _glow(pen, chance, box)
    inside = pen.within(*box)
    for _ in range(14):
        inside.disc(x0 + w * chance.random(), y0 + h * chance.random(), w * 0.008, (230, 230, 240), sides=4)
    for _ in range(chance.randint(1, 2)):
        colour, size = vivid(chance), w * chance.uniform(0.1, 0.3)
        x, y = x0 + w * chance.random(), y0 + h * chance.random()
        inside.disc(x, y, size, darker(colour, 0.55))
        inside.disc(x - size * 0.16, y - size * 0.12, size * 0.82, colour)
    x, y, size = (
        x0 + w * chance.uniform(0.2, 0.8),
        y0 + h * chance.uniform(0.3, 0.8),
        w * chance.uniform(0.08, 0.2),
    )
    ship = ((x, y - size), (x + size * 0.9, y + size), (x, y + size * 0.5), (x - size * 0.9, y + size))
    inside.polygon(ship, (176, 184, 198))


def stripes(pen: Pen, chance: random.Random, box: Box) -> None:
    """A pattern: bands, chequers or dots."""
    x0, y0, x1, y1 = box
    inside, w, h = pen.within(*box), x1 - x0, y1 - y0
    first, second, third = (
        chance.choice((pastel, vivid, muted))(chance),
        any_colour(chance),
        any_colour(chance),
    )
    inside.rectangle(*box, first)
    count = chance.randint(3, 7)
    match chance.randrange(4):
        case 0:
            for k in range(count):
                inside.rectangle(
                    x0,
                    y0 + h * k / count,
                    x1,
                    y0 + h * (k + chance.uniform(0.25, 0.7)) / count,
                    (second, third)[k % 2],
                )
        case 1:
            for k in range(-count, count + 1):
                x = x0 + w * k / count
                inside.polygon(
                    ((x, y0), (x + w * 0.5 / count, y0), (x + w * 0.5 / count + w, y1), (x + w, y1)),
                    (second, third)[k % 2],
                )
        case 2:
            for k in range(count * count):
                if (k // count + k % count) % 2:
                    x, y = x0 + w * (k % count) / count, y0 + h * (k // count) / count
                    inside.rectangle(x, y, x + w / count, y + h / count, second)
        case _:
            for k in range(count * count):
                x, y = x0 + w * (k % count + 0.5) / count, y0 + h * (k // count + 0.5) / count
                inside.disc(x, y, w * 0.32 / count, (second, third)[k % 2], sides=12)


def leaves(pen: Pen, chance: random.Random, box: Box) -> None:
    """Flowers and leaves strewn about."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    inside = pen.within(*box)
    inside.rectangle(*box, chance.choice((pastel, dark))(chance))
    tones = [hsv(chance.uniform(0.2, 0.45), 0.55, chance.uniform(0.3, 0.75)), vivid(chance), pastel(chance)]
    for _ in range(chance.randint(9, 18)):
        x, y, size, tone = (
            x0 + w * chance.random(),
            y0 + h * chance.random(),
            w * chance.uniform(0.06, 0.17),
            chance.choice(tones),
        )
        if chance.random() < 0.5:
            inside.star(x, y, size, tone, spikes=chance.randint(5, 7), inner=0.45)
            inside.disc(x, y, size * 0.3, (246, 206, 90), sides=8)
        else:
            dx, dy = chance.uniform(-1, 1) * size, size
            inside.polygon(((x - dx, y - dy), (x + dy * 0.4, y), (x + dx, y + dy), (x - dy * 0.4, y)), tone)


def any_art(pen: Pen, chance: random.Random, box: Box) -> None:
    """One of all of them."""
    chance.choice(ALL)(pen, chance, box)


def _glow(pen: Pen, chance: random.Random, box: Box) -> None:
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    inside = pen.within(*box)
    base, light = dark(chance), vivid(chance)
    inside.rectangle(*box, base)
    x, y = x0 + w * chance.random(), y0 + h * chance.uniform(0.1, 0.9)
    for step in range(5):
        inside.disc(x, y, (w + h) * (0.36 - 0.06 * step), mix(base, light, 0.12 + 0.13 * step), sides=16)


ALL: tuple[Art, ...] = (landscape, portrait, shapes, burst, creature, city, space, stripes, leaves)
DARK: tuple[Art, ...] = (space, city, creature)
