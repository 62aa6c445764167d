"""What decorates a home: cushions and bed linen, lamps, vases, clocks, candles."""

from __future__ import annotations

import math
import random

from rakuten_assets.synthetic.drawing import artwork
from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    CREAM,
    GOLD,
    GREY,
    RED,
    WHITE,
    WOODS,
    Colour,
    any_colour,
    darker,
    hsv,
    lighter,
    mix,
    muted,
    pastel,
    vivid,
)
from rakuten_assets.synthetic.drawing.pen import Pen


def cushion(pen: Pen, chance: random.Random) -> None:
    """A square cushion with drawn-in sides and a printed cover."""
    w, h, pull = chance.uniform(42, 48), chance.uniform(34, 48), chance.uniform(3, 7)
    trim = any_colour(chance)
    outline = []
    for (x0, y0), (x1, y1) in zip(
        ((-w, -h), (w, -h), (w, h), (-w, h)), ((w, -h), (w, h), (-w, h), (-w, -h)), strict=True
    ):
        for k in range(6):
            t = k / 6
            sag = 4 * t * (1 - t) * pull
            x, y = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
            outline.append((x * (1 - sag / w) if x0 == x1 else x, y * (1 - sag / h) if y0 == y1 else y))
    pen.polygon([(x * 1.03, y * 1.03) for x, y in outline], darker(trim, 0.25))
    pen.polygon(outline, trim)
    art = chance.choice(
        (
            artwork.stripes,
            artwork.stripes,
            artwork.leaves,
            artwork.leaves,
            artwork.shapes,
            artwork.creature,
            artwork.landscape,
        )
    )
    inner = (-w + pull + 3, -h + pull + 3, w - pull - 3, h - pull - 3)
    art(pen, chance, inner)
    for x, y, dx, dy in ((-w, -h, 1, 1), (w, -h, -1, 1), (w, h, -1, -1), (-w, h, 1, -1)):
        pen.line(((x * 0.94, y * 0.94), (x + dx * 16, y + dy * 12)), 1, darker(trim, 0.35))


def bed_linen(pen: Pen, chance: random.Random) -> None:
    """A made bed: headboard, two pillows, a duvet with a print that hangs over the sides."""
    wood, w = chance.choice(WOODS), chance.uniform(40, 48)
    pen.rounded(-w * 0.9, -44, w * 0.9, -10, 3, wood)
    sheet = pastel(chance)
    pen.polygon(((-w * 0.84, -22), (w * 0.84, -22), (w, 42), (-w, 42)), sheet)
    art = chance.choice(
        (artwork.stripes, artwork.leaves, artwork.landscape, artwork.shapes, artwork.creature)
    )
    pillow_seed = chance.random()
    for side in (-1, 1):
        x = side * w * 0.42
        pen.rounded(x - w * 0.36, -30, x + w * 0.36, -11, 6, darker(sheet, 0.12))
        art(pen, random.Random(pillow_seed), (x - w * 0.31, -28, x + w * 0.31, -14))
    art(pen, chance, (-w * 0.95, -8, w * 0.95, 38))
    turned = any_colour(chance)
    pen.rectangle(-w * 0.95, -10, w * 0.95, chance.uniform(-5, 0), turned)
    for side in (-1, 1):
        pen.polygon(
            ((side * w * 0.95, -8), (side * w * 1.08, 44), (side * w * 0.95, 40)), darker(turned, 0.3)
        )
    pen.rectangle(-w * 1.04, 40, w * 1.04, 47, darker(wood, 0.2))


def bulb(pen: Pen, chance: random.Random) -> None:
    """A light bulb: globe, pear or candle, clear or tinted."""
    glow = chance.choice(((250, 226, 140), (250, 240, 210), vivid(chance), pastel(chance)))
    wide, tall, steps = chance.uniform(20, 38), chance.uniform(26, 42), chance.randint(2, 4)
    for k in range(steps):
        inside = 1 - 0.1 * k
        tone = mix(darker(glow, 0.25), lighter(glow, 0.5), k / (steps - 1))
        pen.disc(0, -14, wide * inside, tone, tall * inside, sides=chance.choice((12, 20, 20)))
    neck = chance.uniform(8, 13)
    pen.polygon(((-neck - 4, 12), (neck + 4, 12), (neck, 26), (-neck, 26)), mix(glow, GREY, 0.3))
    wire, wave = chance.choice(((170, 110, 40), (120, 120, 126), RED)), chance.uniform(4, 16)
    zigzag = [(-9 + 18 * k / 6, -16 + (wave if k % 2 else -wave)) for k in range(chance.randint(3, 7))]
    pen.line([(-neck * 0.5, 14), *zigzag, (neck * 0.5, 14)], 1.4, wire)
    if chance.random() < 0.5:
        pen.disc(-wide * 0.4, -14 - tall * 0.4, wide * 0.2, lighter(glow, 0.85), tall * 0.16)
    metal = chance.choice(((190, 192, 196), GOLD, (120, 122, 128)))
    for k in range(chance.randint(3, 5)):
        pen.rectangle(-neck + k * 0.6, 26 + 5 * k, neck - k * 0.6, 30 + 5 * k, darker(metal, 0.3 * (k % 2)))


def lamp(pen: Pen, chance: random.Random) -> None:
    """A table lamp, or a lamp that hangs from the ceiling."""
    glow, foot = (
        chance.choice(((250, 226, 140), (244, 232, 206), vivid(chance), pastel(chance))),
        chance.choice((BLACK, GOLD, *WOODS, vivid(chance))),
    )
    narrow, wide = chance.uniform(8, 26), chance.uniform(26, 42)
    hanging = chance.random() < 0.4
    top = chance.uniform(-4, 8) if hanging else -48
    low = top + chance.uniform(26, 46)
    if hanging:
        pen.line(((0, -50), (0, top)), 1.6, BLACK)
        pen.disc(0, low, wide * 0.3, (255, 244, 190), wide * 0.3)
    pen.polygon(((-narrow, top), (narrow, top), (wide, low), (-wide, low)), glow)
    pen.polygon(
        ((-narrow * 0.5, top), (narrow * 0.2, top), (wide * 0.2, low), (-wide * 0.4, low)), lighter(glow, 0.5)
    )
    bands, trim = chance.randint(0, 3), any_colour(chance)
    for k in range(bands):
        t = (k + 0.5) / (bands + 1)
        half, y = narrow + (wide - narrow) * t, top + (low - top) * t
        pen.polygon(((-half, y), (half, y), (half + 1, y + 3), (-half - 1, y + 3)), trim)
    if not hanging:
        pen.line(((0, low), (0, 44)), chance.uniform(2, 6), foot)
        for _ in range(chance.randint(0, 3)):
            pen.disc(
                0,
                chance.uniform(low + 8, 40),
                chance.uniform(4, 14),
                darker(foot, chance.uniform(0, 0.3)),
                chance.uniform(4, 10),
            )
        pen.disc(0, 46, chance.uniform(14, 26), darker(foot, 0.2), 4)


def vase(pen: Pen, chance: random.Random) -> None:
    """A vase with flowers."""
    glaze, neck, belly = any_colour(chance), chance.uniform(6, 11), chance.uniform(14, 22)
    for _ in range(chance.randint(3, 8)):
        x, y, petal = chance.uniform(-30, 30), chance.uniform(-48, -18), vivid(chance)
        pen.line(((0, 4), (x * 0.6, y * 0.4), (x, y)), 1.4, hsv(0.3, 0.6, chance.uniform(0.3, 0.55)))
        pen.star(x, y, chance.uniform(6, 11), petal, spikes=chance.randint(5, 8), inner=0.5)
        pen.disc(x, y, 2.6, (244, 206, 80), sides=10)
    shoulder = chance.uniform(14, 26)
    left = ((-neck, 0), (-neck * 0.8, 6), (-belly, shoulder), (-belly * 0.7, 46))
    pen.polygon([*left, *((-x, y) for x, y in reversed(left))], glaze)
    pen.polygon(
        ((-neck * 0.6, 2), (-neck * 0.2, 2), (-belly * 0.4, shoulder), (-belly * 0.8, shoulder)),
        lighter(glaze, 0.4),
    )
    pen.rectangle(-belly * 0.95, shoulder - 3, belly * 0.95, shoulder + 1, darker(glaze, 0.35))


def wall_clock(pen: Pen, chance: random.Random) -> None:
    """A wall clock or a mirror in a sunburst frame."""
    rim, face = (
        chance.choice((*WOODS, BLACK, GOLD, vivid(chance))),
        chance.choice((WHITE, CREAM, (40, 42, 48), pastel(chance))),
    )
    if chance.random() < 0.4:
        pen.star(0, 0, 50, GOLD, spikes=chance.randint(12, 20), inner=0.72)
    pen.disc(0, 0, 42, rim, sides=32)
    pen.disc(0, 0, chance.uniform(34, 38), face, sides=32)
    ink = WHITE if sum(face) < 300 else BLACK
    for hour in range(12):
        angle = math.tau * hour / 12
        x, y = math.sin(angle), -math.cos(angle)
        pen.line(((26 * x, 26 * y), (32 * x, 32 * y)), 2.6 if hour % 3 == 0 else 1.2, ink)
    for length, width, angle in ((18, 2.6, chance.random()), (27, 1.6, chance.random())):
        pen.line(
            ((0, 0), (length * math.sin(math.tau * angle), -length * math.cos(math.tau * angle))), width, ink
        )
    pen.disc(0, 0, 2.6, rim, sides=12)


def candles(pen: Pen, chance: random.Random) -> None:
    """A garland of lights or a group of candles with flames."""
    if chance.random() < 0.5:
        wire = [
            (-50.0 + 10 * k, -26 + 18 * math.sin(k * 0.9 + chance.uniform(0, 0.5)) + chance.uniform(-4, 22))
            for k in range(11)
        ]
        pen.line(wire, 1.2, (40, 70, 50))
        for x, y in wire:
            tone = vivid(chance)
            pen.disc(x, y + 9, 5.4, tone, 7, sides=12)
            pen.disc(x, y + 8, 2.4, lighter(tone, 0.7), 3.4, sides=10)
            pen.rectangle(x - 1.8, y, x + 1.8, y + 4, (50, 60, 50))
        return
    for k in range(chance.randint(2, 4)):
        x, top, wax, wide = (
            -32 + 22 * k + chance.uniform(-4, 4),
            chance.uniform(-24, 14),
            pastel(chance),
            chance.uniform(7, 10),
        )
        pen.shaded(x - wide, top, x + wide, 44, wax, darker(wax, 0.3), steps=4, across=True)
        pen.disc(x, top, wide, lighter(wax, 0.3), 2.6)
        pen.polygon(((x - 4, top - 5), (x, top - 20), (x + 4, top - 5), (x, top - 1)), (250, 160, 40))
        pen.polygon(((x - 2, top - 5), (x, top - 12), (x + 2, top - 5)), (255, 236, 150))
    tray: Colour = muted(chance)
    pen.disc(0, 46, 48, tray, 5)
