"""Games around a table: cards, boards, miniatures, darts; and the socks that share a class with the darts."""

from __future__ import annotations

import math
import random

from rakuten_assets.synthetic.drawing import artwork
from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    CREAM,
    GOLD,
    RED,
    WHITE,
    Colour,
    darker,
    hsv,
    lighter,
    mix,
    pastel,
    vivid,
)
from rakuten_assets.synthetic.drawing.lettering import word
from rakuten_assets.synthetic.drawing.pen import Pen

_CARD_FRAMES: tuple[Colour, ...] = (
    (196, 128, 62),
    (60, 140, 120),
    (170, 60, 140),
    (70, 96, 170),
    (196, 60, 50),
    (226, 196, 84),
    (90, 90, 96),
)


def trading_card(pen: Pen, chance: random.Random) -> None:
    """One collectible card: border, name bar with a cost, picture window, rules text, strength."""
    w, h = 34.0, 49.0
    frame = mix(chance.choice(_CARD_FRAMES), vivid(chance), 0.15)
    border = chance.choice((BLACK, (60, 52, 46), (226, 206, 90), (214, 216, 220)))
    pen.rounded(-w, -h, w, h, 4, border)
    pen.rectangle(-w + 3, -h + 3, w - 3, h - 3, frame)
    pen.rectangle(-w + 5, -h + 5, w - 5, -h + 13, lighter(frame, 0.55))
    pen.text(-w + 7, -h + 6.5, 5, word(chance), BLACK, w * 1.1)
    for k in range(chance.randint(1, 3)):
        pen.disc(w - 9 - 6.5 * k, -h + 9, 3, vivid(chance), sides=12)
    top, bottom = -h + 16, chance.uniform(0, 12)
    pen.rectangle(-w + 5, top - 1, w - 5, bottom + 1, darker(frame, 0.5))
    chance.choice((artwork.creature, artwork.creature, artwork.portrait, artwork.burst, artwork.space))(
        pen, chance, (-w + 6, top, w - 6, bottom)
    )
    for k in range(chance.randint(0, 7)):
        pen.star(-w + 10 + 7.5 * k, top - 2, 3, (250, 200, 40))
    pen.rectangle(-w + 5, bottom + 4, w - 5, h - 6, CREAM)
    y = bottom + 7
    while y < h - 14:
        pen.rectangle(-w + 8, y, -w + 8 + (2 * w - 18) * chance.uniform(0.5, 1), y + 1.4, (110, 100, 90))
        y += 4
    pen.rectangle(w - 22, h - 12, w - 6, h - 5, lighter(frame, 0.4))
    pen.text(w - 20, h - 11, 5, f"{chance.randint(1, 9)}0", BLACK)


def cards_spread(pen: Pen, chance: random.Random) -> None:
    """Several cards: a fan, or a page of an album."""
    if chance.random() < 0.5:
        count = chance.randint(2, 4)
        for k in range(count):
            middle = k - (count - 1) / 2
            trading_card(
                pen.at(middle * 62 / count, abs(middle) * 4, 0.74, middle * chance.uniform(8, 16)), chance
            )
        return
    columns, rows = chance.choice(((2, 2), (3, 2), (2, 3)))
    scale = min(48 / columns / 34, 48 / rows / 49)
    for k in range(columns * rows):
        x, y = (k % columns - (columns - 1) / 2) * 98 / columns, (k // columns - (rows - 1) / 2) * 98 / rows
        trading_card(pen.at(x, y, scale * 0.94), chance)


def board_game(pen: Pen, chance: random.Random) -> None:
    """A board with its squares, pawns and dice."""
    wood, light = (
        chance.choice(((120, 76, 44), (40, 90, 70), (60, 60, 110), (150, 40, 44))),
        chance.choice((CREAM, pastel(chance))),
    )
    pen.rounded(-48, -44, 48, 48, 3, darker(wood, 0.4))
    pen.rounded(-48, -48, 48, 44, 3, wood)
    cells = chance.choice((5, 6, 8))
    size = 84 / cells
    if chance.random() < 0.5:
        for k in range(cells * cells):
            x, y = -42 + (k % cells) * size, -44 + (k // cells) * size
            pen.rectangle(
                x, y, x + size, y + size, light if (k + k // cells * (cells + 1)) % 2 else darker(wood, 0.25)
            )
    else:
        hue = chance.random()
        for k in range(cells):
            for x, y in (
                (-42 + k * size, -44),
                (-42 + k * size, 40 - size),
                (-42, -44 + k * size),
                (42 - size, -44 + k * size),
            ):
                pen.rectangle(x + 0.7, y + 0.7, x + size - 0.7, y + size - 0.7, hsv(hue + 0.21 * k, 0.6, 0.9))
        artwork.any_art(pen, chance, (-42 + size + 2, -42 + size, 40 - size, 38 - size))
    for _ in range(chance.randint(4, 12)):
        _pawn(
            pen.at(chance.uniform(-38, 38), chance.uniform(-32, 38), chance.uniform(0.8, 1.2)), vivid(chance)
        )
    for _ in range(chance.randint(1, 3)):
        _die(pen.at(chance.uniform(-34, 34), chance.uniform(-34, 34), 1, chance.uniform(-40, 40)), chance)


def game_box(pen: Pen, chance: random.Random) -> None:
    """A flat carton seen at an angle: lid with artwork and a big title, two sides, the number of players."""
    paint, deep = vivid(chance), chance.uniform(8, 16)
    w, h = chance.choice(((46, 36), (42, 42), (36, 46)))
    pen.polygon(
        ((-w, h), (w, h), (w + deep * 0.6, h + deep * 0.9), (-w + deep * 0.6, h + deep * 0.9)),
        darker(paint, 0.45),
    )
    pen.polygon(
        ((w, -h), (w + deep * 0.6, -h + deep * 0.9), (w + deep * 0.6, h + deep * 0.9), (w, h)),
        darker(paint, 0.3),
    )
    pen.rectangle(-w, -h, w, h, paint)
    artwork.any_art(pen, chance, (-w + 3, -h * 0.5, w - 3, h - 3))
    title = word(chance)
    pen.text(-w * 0.88 + 1, -h * 0.9 + 1, h * 0.3, title, BLACK, w * 1.7)
    pen.text(-w * 0.88, -h * 0.9, h * 0.3, title, (252, 236, 120), w * 1.7)
    pen.disc(w * 0.74, h * 0.7, h * 0.18, WHITE)
    pen.text(w * 0.64, h * 0.63, h * 0.15, f"{chance.randint(2, 4)}-{chance.randint(5, 8)}", BLACK, w * 0.22)
    for k in range(chance.randint(2, 4)):
        _pawn(pen.at(-w * 0.8 + k * 12, h + deep * 0.5, 0.9), vivid(chance))


def miniatures(pen: Pen, chance: random.Random) -> None:
    """Warriors for a wargame in one unpainted colour, in a row on round bases."""
    metal = chance.choice(((120, 124, 130), (88, 92, 96), (150, 126, 90), (80, 96, 74), (166, 168, 172)))
    count = chance.randint(2, 5)
    for k in range(count):
        x = (k - (count - 1) / 2) * 88 / count
        _warrior(
            pen.at(x, chance.uniform(-5, 5), chance.uniform(1.15, 1.35) / count**0.42, chance.uniform(-5, 5)),
            chance,
            metal,
        )


def role_play(pen: Pen, chance: random.Random) -> None:
    """A rule book of a fantasy game with many-sided dice before it."""
    leather = chance.choice(((84, 40, 30), (40, 44, 70), (50, 60, 44), (30, 28, 30)))
    pen.rectangle(-36, -48, 32, 40, darker(leather, 0.4))
    pen.rectangle(-38, -50, 30, 38, leather)
    chance.choice((artwork.creature, artwork.city, artwork.burst))(pen, chance, (-32, -24, 24, 24))
    pen.text(-32, -44, 12, word(chance), GOLD, 56)
    pen.text(-24, 28, 6, word(chance), GOLD, 40)
    for corner in ((-38, -50), (24, -50), (-38, 32), (24, 32)):
        pen.rectangle(corner[0], corner[1], corner[0] + 6, corner[1] + 6, GOLD)
    for k in range(chance.randint(2, 4)):
        die = pen.at(
            -26 + 22 * k + chance.uniform(-5, 5),
            38 + chance.uniform(-6, 5),
            chance.uniform(0.7, 1.2),
            chance.uniform(0, 60),
        )
        colour = vivid(chance)
        die.disc(0, 0, 13, colour, sides=6)
        die.disc(0, 0, 8.4, lighter(colour, 0.35), sides=3)
        die.text(-4, -3, 6, chance.choice(("20", "12", "8", "7", "1")), WHITE)


def dartboard(pen: Pen, chance: random.Random) -> None:
    """A dartboard with darts in it."""
    first, second = chance.choice((((196, 40, 44), (30, 120, 70)), ((40, 70, 160), (196, 40, 44))))
    pen.disc(0, 0, 50, (24, 24, 26), sides=32)
    turn = chance.uniform(0, 18)
    for radius, light, deep in (
        (41, first, second),
        (38, CREAM, BLACK),
        (25, first, second),
        (22, CREAM, BLACK),
    ):
        for k in range(20):
            pen.sector(0, 0, radius, turn + 18 * k, turn + 18 * k + 18, light if k % 2 else deep)
    pen.disc(0, 0, 5, second)
    pen.disc(0, 0, 2.4, first)
    for _ in range(chance.randint(1, 4)):
        angle, flight = math.radians(chance.uniform(-70, 70)), vivid(chance)
        x, y = chance.uniform(-24, 24), chance.uniform(-24, 24)
        tail = (x + 30 * math.cos(angle), y + 30 * math.sin(angle))
        pen.line(((x, y), tail), 2.4, (170, 172, 178))
        pen.disc(*tail, 7, flight, sides=4)


def baby_socks(pen: Pen, chance: random.Random) -> None:
    """A pair of small socks with bands, a heel and a face or a dot pattern."""
    base, second, third = chance.choice((pastel, vivid))(chance), vivid(chance), pastel(chance)
    spread, lean = chance.uniform(20, 26), chance.uniform(-12, 30)
    for side in (-1, 1):
        sock = pen.at(
            side * spread,
            chance.uniform(-5, 5),
            1,
            side * lean / 2,
            mirrored=side > 0 and chance.random() < 0.5,
        )
        sock.polygon(((-14, -46), (12, -46), (12, 16), (-14, 24)), base)
        sock.disc(-2, 20, 15, second, 14)
        sock.polygon(((12, 8), (10, 34), (-26, 44), (-30, 26), (-12, 14)), base)
        sock.disc(-26, 35, 11, second, 10)
        sock.rectangle(-15, -50, 13, -38, third)
        for k in range(chance.randint(3, 5)):
            sock.rectangle(-14, -34 + 10 * k, 12, -29 + 10 * k, (second, third)[k % 2])
        for k in range(5):
            sock.disc(-24 + 8 * k, 30 - k, 1.6, WHITE, sides=8)


def billiards(pen: Pen, chance: random.Random) -> None:
    """Numbered balls in a triangle on green cloth, a cue across."""
    pen.rounded(-50, -40, 50, 44, 4, (96, 56, 30))
    pen.rectangle(-45, -35, 45, 39, chance.choice(((20, 110, 70), (24, 90, 130), (140, 30, 44))))
    rows, size = chance.randint(3, 4), 7.4
    x0, y0 = chance.uniform(-12, 12), chance.uniform(-28, -14)
    for row in range(rows):
        for k in range(row + 1):
            x, y, colour = x0 + (k - row / 2) * size * 2.05, y0 + row * size * 1.8, vivid(chance)
            pen.disc(x + 1.5, y + 1.5, size, (10, 40, 30))
            pen.disc(x, y, size, colour)
            pen.disc(x, y, size * 0.45, WHITE, sides=12)
    pen.line(
        ((chance.uniform(-60, -30), 46), (chance.uniform(10, 50), chance.uniform(-10, 30))),
        2.6,
        (214, 170, 110),
    )
    pen.disc(chance.uniform(-36, -24), chance.uniform(0, 24), size, WHITE)


def _pawn(pen: Pen, colour: Colour) -> None:
    pen.disc(0, 8, 5.4, darker(colour, 0.4), 2.6, sides=16)
    pen.polygon(((-4.6, 7), (4.6, 7), (1.6, -3), (-1.6, -3)), colour)
    pen.disc(0, -4.5, 3.4, lighter(colour, 0.2), sides=12)


def _die(pen: Pen, chance: random.Random) -> None:
    face = chance.choice((WHITE, RED, (240, 236, 220)))
    pen.rounded(-6, -6, 7, 7, 1.5, darker(face, 0.4))
    pen.rounded(-7, -7, 6, 6, 1.5, face)
    dots = ((-3.5, -3.5), (2.5, 2.5), (-0.5, -0.5), (2.5, -3.5), (-3.5, 2.5))[: chance.randint(1, 5)]
    for x, y in dots:
        pen.disc(x, y, 1.2, BLACK if face != RED else WHITE, sides=8)


def _warrior(pen: Pen, chance: random.Random, metal: Colour) -> None:
    light, deep = lighter(metal, 0.25), darker(metal, 0.4)
    pen.disc(0, 38, 18, (30, 32, 32), 6)
    pen.disc(0, 36, 16, (92, 84, 60), 5)
    for side in (-1, 1):
        pen.line(((side * 4, 12), (side * chance.uniform(5, 12), 35)), 7, deep)
    pen.polygon(((-13, -14), (13, -14), (9, 16), (-9, 16)), metal)
    pen.polygon(((-13, -14), (0, -14), (-2, 16), (-9, 16)), light)
    for side in (-1, 1):
        pen.disc(side * 14, -12, 7, light, 6, sides=12)
        hand = (side * chance.uniform(14, 24), chance.uniform(-14, 12))
        pen.line(((side * 14, -10), hand), 5, metal)
        match chance.randrange(4):
            case 0:
                pen.line(
                    (hand, (hand[0] + side * chance.uniform(-4, 14), hand[1] - chance.uniform(18, 36))),
                    3,
                    light,
                )
            case 1:
                pen.disc(hand[0], hand[1] + 4, 9, deep, 12)
                pen.disc(hand[0], hand[1] + 4, 4, light, 6, sides=12)
            case 2:
                pen.rectangle(hand[0] - 13, hand[1] - 3, hand[0] + 9, hand[1] + 2, deep)
            case _:
                pen.disc(*hand, 4, light, sides=10)
    pen.disc(0, -23, 8, metal, 9)
    pen.rectangle(-6, -25, 6, -21, deep)
    if chance.random() < 0.5:
        pen.polygon(((-3, -31), (3, -31), (chance.uniform(-6, 6), -44)), light)
