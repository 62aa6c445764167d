"""Video games and what they are played on."""

from __future__ import annotations

import random

from rakuten_assets.synthetic.drawing import artwork
from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    GREY,
    WHITE,
    Colour,
    any_colour,
    dark,
    darker,
    lighter,
    mix,
    pastel,
    vivid,
)
from rakuten_assets.synthetic.drawing.lettering import word
from rakuten_assets.synthetic.drawing.pen import Pen

_PLATFORMS: tuple[tuple[Colour, str], ...] = (
    ((96, 176, 52), "BOX 360"),
    ((30, 70, 170), "STATION 2"),
    ((24, 26, 32), "STATION 3"),
    ((226, 228, 232), "DUO DS"),
    ((206, 30, 40), "COMMUTE"),
)
_RATINGS: tuple[tuple[str, Colour], ...] = (
    ("3", (120, 180, 60)),
    ("7", (120, 180, 60)),
    ("12", (240, 160, 30)),
    ("16", (240, 160, 30)),
    ("18", (206, 32, 38)),
)


def game_case(pen: Pen, chance: random.Random) -> None:
    """A boxed console game: plastic case, the platform's strip on top, loud artwork, an age rating at the bottom."""
    w, h = chance.uniform(31, 36), chance.uniform(44, 50)
    strip, platform = chance.choice(_PLATFORMS)
    plastic = chance.choice((darker(strip, 0.4), (40, 42, 46)))
    pen.rounded(-w - 3, -h - 1.5, w + 2, h + 1.5, 2, plastic)
    chance.choice((artwork.burst, artwork.creature, artwork.landscape, artwork.portrait, artwork.city))(
        pen, chance, (-w, -h * 0.78, w, h)
    )
    pen.rectangle(-w, -h, w, -h * 0.78, strip)
    ink = BLACK if sum(strip) > 500 else WHITE
    pen.disc(-w * 0.82, -h * 0.89, h * 0.06, ink, sides=12)
    pen.text(-w * 0.62, -h * 0.94, h * 0.1, platform, ink, w * 1.2)
    y, tone = h * chance.choice((-0.62, -0.5, 0.2, 0.35)), vivid(chance)
    for line in range(chance.randint(1, 2)):
        title, top = word(chance), y + line * h * 0.26
        pen.text(-w * 0.86 + 1.2, top + 1.2, h * 0.21, title, BLACK, w * 1.7)
        pen.text(-w * 0.86, top, h * 0.21, title, lighter(tone, 0.55), w * 1.7)
    rating, colour = chance.choice(_RATINGS)
    pen.rectangle(-w * 0.94, h * 0.72, -w * 0.56, h * 0.97, WHITE)
    pen.rectangle(-w * 0.92, h * 0.73, -w * 0.58, h * 0.96, colour)
    pen.text(-w * 0.87, h * 0.77, h * 0.14, rating, WHITE, w * 0.24)
    pen.rectangle(w * 0.5, h * 0.86, w * 0.92, h * 0.95, any_colour(chance))


def download_game(pen: Pen, chance: random.Random) -> None:
    """Key art of a downloadable game: dark and cinematic, glowing title, a PC mark and a download arrow."""
    w, h = chance.choice(((50, 28), (50, 33), (36, 48), (33, 47)))
    chance.choice((*artwork.DARK, artwork.space))(pen, chance, (-w, -h, w, h))
    glow = chance.choice(((250, 190, 70), (110, 210, 250), (240, 80, 60), (190, 250, 140), (236, 236, 250)))
    size, y = min(w * 0.26, h * 0.3), h * chance.choice((-0.8, -0.2, 0.3))
    title = word(chance)
    for spread, tone in ((1.6, darker(glow, 0.65)), (0.8, darker(glow, 0.35)), (0, lighter(glow, 0.35))):
        pen.text(-w * 0.8 - spread, y - spread, size + 2 * spread, title, tone, w * 1.6 + 2 * spread)
    pen.rectangle(-w * 0.8, y + size * 1.25, w * chance.uniform(0.0, 0.8), y + size * 1.32, glow)
    hero = pen.within(-w, -h, w, h)
    x, tall = w * chance.uniform(-0.5, 0.5), h * chance.uniform(0.5, 0.9)
    hero.disc(x, h - tall, tall * 0.15, (8, 8, 12))
    hero.polygon(((x, h - tall * 0.95), (x + tall * 0.36, h), (x - tall * 0.36, h)), (8, 8, 12))
    pen.rectangle(w - 14, h - 10, w - 1, h - 1, (12, 12, 16))
    pen.text(w - 12.5, h - 8, 5, "PC", WHITE)
    pen.polygon(((w - 5.5, h - 2.5), (w - 3.5, h - 5.5), (w - 7.5, h - 5.5)), (90, 200, 255))
    pen.rectangle(w - 6.1, h - 8.5, w - 4.9, h - 5, (90, 200, 255))


def gamepad(pen: Pen, chance: random.Random) -> None:
    """A controller: two grips, two sticks, a cross, four coloured buttons."""
    shell = chance.choice((BLACK, (44, 46, 54), (228, 230, 234), vivid(chance)))
    grip, wide = chance.uniform(16, 30), chance.uniform(40, 48)
    for side in (-1, 1):
        pen.polygon(
            (
                (side * 12, -18),
                (side * wide, -16),
                (side * (wide + 4), 10 + grip),
                (side * (wide - 9), 12 + grip),
                (side * 16, 12),
            ),
            shell,
        )
        pen.disc(side * (wide - 3.5), 10 + grip, 8, shell)
        pen.disc(side * (wide - 12), -8, 14, shell)
        pen.rounded(side * 30 - 10, -26, side * 30 + 10, -18, 3, darker(shell, 0.4))
    pen.rectangle(-30, -20, 30, 10, shell)
    rim, top = lighter(shell, 0.25) if sum(shell) < 400 else darker(shell, 0.25), lighter(shell, 0.12)
    for x in (-15, 15):
        pen.disc(x, 8, 9, rim)
        pen.disc(x + chance.uniform(-1, 1), 8 + chance.uniform(-1, 1), 6.5, (30, 30, 34))
    pen.rectangle(-38, -9, -24, -5, rim)
    pen.rectangle(-33, -14, -29, 0, rim)
    for dx, dy, colour in (
        (0, -6.5, (80, 190, 90)),
        (6.5, 0, (220, 60, 60)),
        (0, 6.5, (70, 130, 230)),
        (-6.5, 0, (230, 200, 60)),
    ):
        pen.disc(31 + dx, -7 + dy, 3, colour, sides=12)
    pen.rounded(-9, -16, 9, -6, 2, top)
    if chance.random() < 0.4:
        cable = [
            (0, -22),
            (chance.uniform(-20, 20), -34),
            (chance.uniform(-40, 40), -42),
            (chance.uniform(-50, 50), -50),
        ]
        pen.line(cable, 2, (40, 40, 44))


def headset(pen: Pen, chance: random.Random) -> None:
    """Headphones with a microphone on an arm."""
    shell, accent = chance.choice((BLACK, (60, 62, 70), (214, 216, 220))), vivid(chance)
    pen.arc(0, 8, 37, chance.uniform(46, 54), 180, 360, 7, shell)
    for side in (-1, 1):
        pen.rounded(side * 36 - 9, -8, side * 36 + 9, 34, 7, shell)
        pen.disc(side * 36, 13, 8, accent, 15)
        pen.disc(side * 36, 13, 5, darker(accent, 0.4), 10)
    side = chance.choice((-1, 1))
    pen.line(
        ((side * 36, 28), (side * 28, 42), (side * chance.uniform(4, 14), chance.uniform(42, 48))),
        2.6,
        darker(shell, 0.3),
    )
    pen.disc(side * 9, 45, 5, BLACK, 3.4)


def handheld(pen: Pen, chance: random.Random) -> None:
    """A retro console to hold: screen with pixel scenery, cross on the left, two buttons on the right."""
    shell = chance.choice(((206, 206, 200), vivid(chance), pastel(chance), (60, 62, 90), (190, 30, 44)))
    if chance.random() < 0.5:  # Upright: the screen above the buttons.
        h = chance.uniform(44, 50)
        pen.rounded(-31, -h, 31, h, 6, darker(shell, 0.2))
        pen.rounded(-30, -h, 29, h - 2, 6, shell)
        _screen(pen, chance, -22, -h + 8, 22, -2)
        _cross_and_buttons(pen, chance, -16, 18, 15, 16)
        for k in range(4):
            pen.line(((10 + 4 * k, 36), (14 + 4 * k, 30)), 1.4, darker(shell, 0.4))
        pen.text(-22, 2, 4, word(chance), darker(shell, 0.5), 30)
        return
    pen.rounded(-50, -23, 50, 23, chance.uniform(8, 20), darker(shell, 0.2))
    pen.rounded(-49, -23, 49, 21, chance.uniform(8, 20), shell)
    _screen(pen, chance, -24, -17, 24, 16)
    _cross_and_buttons(pen, chance, -37, -2, 37, -2)
    pen.text(-12, 17, 3, word(chance), darker(shell, 0.5), 24)


def console(pen: Pen, chance: random.Random) -> None:
    """A home console seen from above and in front, its controller on a cable, or in its carton."""
    shell = chance.choice(((196, 196, 190), (40, 40, 46), (228, 228, 226)))
    depth, tall = chance.uniform(16, 28), chance.uniform(9, 16)
    y = -14.0
    pen.polygon(((-36, y - depth), (36, y - depth), (46, y), (-46, y)), lighter(shell, 0.12))
    pen.polygon(
        ((-14, y - depth * 0.7), (14, y - depth * 0.7), (17, y - depth * 0.3), (-17, y - depth * 0.3)),
        darker(shell, 0.5),
    )
    pen.rectangle(-46, y, 46, y + tall, shell)
    pen.rectangle(-46, y + tall * 0.7, 46, y + tall, darker(shell, 0.35))
    for k in range(2):
        pen.rounded(-38 + 14 * k, y + tall * 0.2, -28 + 14 * k, y + tall * 0.6, 1, (30, 30, 34))
    pen.disc(38, y + tall * 0.4, 2.6, vivid(chance), sides=12)
    pad_x = chance.uniform(-14, 14)
    pen.line(((-33, y + tall * 0.5), (-30, y + tall + 16), (pad_x - 20, 22), (pad_x, 26)), 1.6, (40, 40, 44))
    pad = pen.at(pad_x, 30, 0.62, chance.uniform(-14, 14))
    pad.rounded(-40, -18, 40, 18, chance.uniform(5, 17), mix(shell, GREY, 0.3))
    _cross_and_buttons(pad, chance, -24, 0, 24, 0)
    pad.rectangle(-7, 2, -1, 5, BLACK)
    pad.rectangle(2, 2, 8, 5, BLACK)


def games_lot(pen: Pen, chance: random.Random) -> None:
    """A second-hand lot: a row of game cases, a console, a pad, thrown together."""
    count = chance.randint(3, 6)
    for k in range(count):
        x = (k - (count - 1) / 2) * 96 / count
        game_case(pen.at(x, -18 + chance.uniform(-5, 5), 0.86 / count**0.5, chance.uniform(-14, 14)), chance)
    if chance.random() < 0.6:
        console(pen.at(-18, 26, 0.55, chance.uniform(-8, 8)), chance)
    else:
        spines = chance.randint(5, 9)
        for k in range(spines):
            tone = chance.choice((vivid, dark))(chance)
            pen.rectangle(-48, 8 + k * 36 / spines, 4, 8 + (k + 0.9) * 36 / spines, tone)
            pen.rectangle(-30, 8 + (k + 0.3) * 36 / spines, -8, 8 + (k + 0.6) * 36 / spines, WHITE)
    gamepad(pen.at(28, 26, 0.45, chance.uniform(-35, 35)), chance)


def _screen(pen: Pen, chance: random.Random, x0: float, y0: float, x1: float, y1: float) -> None:
    pen.rounded(x0 - 3, y0 - 3, x1 + 3, y1 + 3, 3, (34, 34, 40))
    w, h, sky = (
        x1 - x0,
        y1 - y0,
        chance.choice(((110, 190, 240), (160, 180, 60), (30, 30, 60), vivid(chance))),
    )
    pen.rectangle(x0, y0, x1, y1, sky)
    columns = 9
    for k in range(columns):
        high = h * chance.choice((0.12, 0.12, 0.25, 0.4))
        pen.rectangle(
            x0 + w * k / columns, y1 - high, x0 + w * (k + 1) / columns, y1, darker(sky, 0.5 + 0.04 * (k % 3))
        )
    for _ in range(3):
        x, y = x0 + w * chance.uniform(0.05, 0.85), y0 + h * chance.uniform(0.1, 0.5)
        pen.rectangle(x, y, x + w * 0.12, y + h * 0.1, chance.choice((WHITE, (240, 200, 60), (200, 60, 50))))


def _cross_and_buttons(pen: Pen, chance: random.Random, x: float, y: float, u: float, v: float) -> None:
    pen.rectangle(x - 8, y - 2.7, x + 8, y + 2.7, (30, 30, 34))
    pen.rectangle(x - 2.7, y - 8, x + 2.7, y + 8, (30, 30, 34))
    colour = chance.choice(((170, 30, 80), (200, 40, 40), (60, 90, 200)))
    pen.disc(u + 4.5, v - 3.5, 4.2, colour, sides=16)
    pen.disc(u - 4.5, v + 3.5, 4.2, colour, sides=16)
