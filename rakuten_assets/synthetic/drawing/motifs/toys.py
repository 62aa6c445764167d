"""Toys for children, figurines, scale models."""

from __future__ import annotations

import random

from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    GREY,
    SKIN,
    WHITE,
    Colour,
    any_colour,
    darker,
    hsv,
    lighter,
    vivid,
)
from rakuten_assets.synthetic.drawing.pen import Pen


def figurine(pen: Pen, chance: random.Random) -> None:
    """A collector's figure with a big head on a round base, with cape, hat, hair or weapon."""
    skin, suit, hair, cape = (
        chance.choice((*SKIN, (120, 180, 90))),
        vivid(chance),
        any_colour(chance),
        vivid(chance),
    )
    pen.disc(0, 45, chance.uniform(24, 32), (36, 36, 40), 6)
    pen.disc(0, 43, 24, chance.choice((GREY, darker(suit, 0.5))), 4.5)
    if chance.random() < 0.45:
        sway = chance.uniform(-12, 12)
        pen.polygon(((-13, 2), (13, 2), (25 + sway, 41), (-25 + sway, 41)), cape)
    step = chance.uniform(3, 9)
    for side in (-1, 1):
        pen.polygon(
            ((side * 1, 18), (side * 11, 18), (side * (step + 7), 42), (side * (step - 3), 42)),
            darker(suit, 0.3),
        )
        pen.disc(side * (step + 3), 42, 7, darker(suit, 0.6), 3.6, sides=12)
        hand = (side * chance.uniform(18, 32), chance.uniform(-6, 24))
        pen.line(((side * 12, 4), hand), 7.5, suit)
        pen.disc(*hand, 4.6, skin, sides=12)
        if chance.random() < 0.35:
            tip = (hand[0] + side * chance.uniform(2, 14), hand[1] - chance.uniform(16, 40))
            pen.line((hand, tip), 2.6, chance.choice(((190, 194, 204), (110, 70, 40), vivid(chance))))
    pen.polygon(((-13, -1), (13, -1), (11, 22), (-11, 22)), suit)
    pen.rectangle(-12, 15, 12, 19, (230, 190, 60))
    pen.star(0, 7, 5, lighter(cape, 0.4))
    head_w, head_h = chance.uniform(18, 25), chance.uniform(18, 23)
    pen.rounded(-head_w - 2, -49, head_w + 2, -20, 10, hair)
    pen.rounded(-head_w, -44 + 2, head_w, -42 + 2 * head_h, 9, skin)
    pen.rectangle(-head_w, -46, head_w, -33, hair)
    for side in (-1, 1):
        pen.disc(side * head_w * 0.45, -22, 4.2, (20, 18, 22), sides=16)
        pen.disc(side * head_w * 0.45 + 1.4, -23.6, 1.2, WHITE, sides=8)
    match chance.randrange(4):
        case 0:
            pen.polygon(((-head_w - 6, -38), (head_w + 6, -38), (6, -50), (-6, -50)), cape)
        case 1:
            for side in (-1, 1):
                pen.polygon(((side * 6, -46), (side * head_w, -44), (side * (head_w - 2), -60)), hair)
        case 2:
            for k in range(5):
                x = -head_w + k * head_w / 2
                pen.polygon(((x - 6, -42), (x + 6, -42), (x + chance.uniform(-6, 6), -58)), hair)
        case _:
            pen.rectangle(-head_w, -36, head_w, -31, cape)


def teddy(pen: Pen, chance: random.Random) -> None:
    """A soft animal sitting: bear, rabbit or elephant."""
    fur = chance.choice(((170, 116, 70), (216, 176, 126), (150, 150, 160), (236, 150, 180), vivid(chance)))
    belly, kind = lighter(fur, 0.45), chance.randrange(3)
    for side in (-1, 1):
        pen.disc(side * 24, 36, 13, fur, 11)
        pen.disc(side * 27, 37, 7, belly, 7)
        pen.disc(side * 25, 8, 8, darker(fur, 0.1), 16)
    pen.disc(0, 20, 23, darker(fur, 0.06), 26)
    pen.disc(0, 22, 14, belly, 18)
    for side in (-1, 1):
        if kind == 1:
            pen.disc(side * 9, -50, 6, fur, 20)
            pen.disc(side * 9, -48, 3, (240, 170, 180), 14)
        else:
            size = 9 if kind == 0 else 17
            pen.disc(side * 21, -34 if kind == 0 else -24, size, fur)
            pen.disc(side * 21, -34 if kind == 0 else -24, size * 0.55, (240, 180, 170))
    pen.disc(0, -20, 24, fur, 21)
    if kind == 2:
        pen.line(((0, -12), (-3, 4), (chance.uniform(-12, 12), 12)), 9, darker(fur, 0.1))
    else:
        pen.disc(0, -12, 10, belly, 8)
        pen.disc(0, -16, 4, (40, 28, 26), 3, sides=12)
    for side in (-1, 1):
        pen.disc(side * 9, -24, 3, (24, 20, 22), sides=12)
    if chance.random() < 0.6:
        bow = vivid(chance)
        pen.polygon(((0, 2), (-12, -5), (-12, 9)), bow)
        pen.polygon(((0, 2), (12, -5), (12, 9)), bow)


def building_blocks(pen: Pen, chance: random.Random) -> None:
    """A heap or a tower of coloured bricks with studs or letters."""
    y, rows = 48.0, chance.randint(3, 5)
    for row in range(rows):
        high, x = 88 / rows, -48 + chance.uniform(0, 30) * row / rows
        while x < 44 - 8 * row:
            wide, colour = high * chance.choice((1.0, 1.0, 1.6)), vivid(chance)
            pen.polygon(
                ((x, y - high), (x + wide, y - high), (x + wide + 4, y - high - 4), (x + 4, y - high - 4)),
                lighter(colour, 0.35),
            )
            pen.rectangle(x, y - high, x + wide, y, colour)
            pen.polygon(
                ((x + wide, y - high), (x + wide + 4, y - high - 4), (x + wide + 4, y - 4), (x + wide, y)),
                darker(colour, 0.3),
            )
            if chance.random() < 0.6:
                pen.text(
                    x + wide / 2 - high * 0.2,
                    y - high * 0.78,
                    high * 0.55,
                    chance.choice("ABCDE12345"),
                    WHITE,
                )
            else:
                pen.disc(
                    x + wide / 2,
                    y - high / 2,
                    high * 0.28,
                    lighter(colour, 0.5),
                    sides=chance.choice((3, 4, 16)),
                )
            x += wide + 1.5
            if chance.random() < 0.2:
                x += high * 0.5
        y -= high


def train(pen: Pen, chance: random.Random) -> None:
    """A wooden engine with its waggons."""
    body, roof, wheel = vivid(chance), vivid(chance), vivid(chance)
    pen.rectangle(-46, -6, -4, 22, body)
    pen.rectangle(-20, -34, 4, 22, darker(body, 0.15))
    pen.rectangle(-24, -40, 8, -33, roof)
    pen.rectangle(-15, -28, -1, -12, (200, 230, 246))
    pen.rectangle(-41, -24, -33, -6, roof)
    pen.disc(-37, -26, chance.uniform(6, 9), darker(roof, 0.2), 4)
    for k in range(chance.randint(1, 2)):
        x, colour = 10 + 22 * k, vivid(chance)
        pen.rectangle(x, -2, x + 20, 22, colour)
        for _ in range(3):
            pen.disc(x + chance.uniform(4, 16), -4, 4.5, vivid(chance), sides=12)
        pen.line(((x - 6, 18), (x + 2, 18)), 2, BLACK)
    for x in (-38, -20, -2, 15, 26, 38, 48)[: chance.randint(5, 7)]:
        pen.disc(x, 26, 8, wheel)
        pen.disc(x, 26, 3, lighter(wheel, 0.6), sides=12)


def stacking_rings(pen: Pen, chance: random.Random) -> None:
    """Rings on a stick, a duck or a ball beside them."""
    hue, count = chance.random(), chance.randint(4, 6)
    pen.disc(-10, 44, 36, (214, 170, 110), 6)
    for k in range(count):
        y, wide = 38 - k * 72 / count, 36 - k * 22 / count
        pen.disc(-10, y, wide, hsv(hue + k / count, 0.8, 0.75), 36 / count + 2)
        pen.disc(-10, y - 2, wide * 0.92, hsv(hue + k / count, 0.75, 0.95), 36 / count - 1)
    pen.disc(-10, -40, 9, vivid(chance))
    if chance.random() < 0.5:
        pen.disc(30, 30, 19, (250, 208, 50), 14)
        pen.disc(38, 10, 12, (250, 208, 50))
        pen.polygon(((48, 8), (58, 12), (48, 15)), (240, 130, 40))
        pen.disc(41, 7, 2.2, BLACK, sides=8)
    else:
        ball = vivid(chance)
        pen.disc(34, 28, 19, ball)
        for k in range(3):
            pen.sector(34, 28, 19, 120 * k, 120 * k + 60, lighter(ball, 0.65))


def quadcopter(pen: Pen, chance: random.Random) -> None:
    """A drone from above: a body, four arms, four rotors."""
    shell, accent = (
        chance.choice(((224, 226, 230), (44, 46, 52), (90, 94, 100), vivid(chance))),
        vivid(chance),
    )
    reach, turn, size = chance.uniform(30, 36), chance.uniform(-25, 25), chance.uniform(12, 17)
    for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        x, y = dx * reach, dy * reach * chance.uniform(0.8, 0.9)
        pen.line(((0, 0), (x, y)), 5, darker(shell, 0.2))
        if chance.random() < 0.5:
            pen.ring(x, y, size, 2, accent)
        blade = pen.at(x, y, 1, turn + chance.uniform(0, 180))
        blade.disc(size * 0.55, 0, size * 0.55, (56, 58, 64), 2.2, sides=12)
        blade.disc(-size * 0.55, 0, size * 0.55, (56, 58, 64), 2.2, sides=12)
        pen.disc(x, y, 4.2, darker(shell, 0.4), sides=12)
    wide = chance.uniform(10, 16)
    pen.rounded(-wide - 1, -19, wide + 1, 19, 8, darker(shell, 0.3))
    pen.rounded(-wide, -18, wide, 16, 8, shell)
    pen.rectangle(-wide * 0.5, -10, wide * 0.5, 6, accent)
    pen.disc(0, 13, 5, BLACK)
    pen.disc(0, 13, 2.4, (90, 140, 200), sides=10)


def model_car(pen: Pen, chance: random.Random) -> None:
    """A remote-controlled car from the side: big tyres, a wedge of a body, an aerial, sometimes its transmitter."""
    paint, stripe = vivid(chance), any_colour(chance)
    roof, nose, wheel = chance.uniform(-22, -12), chance.uniform(-50, -44), chance.uniform(11, 15)
    pen.line(((18, -10), (chance.uniform(20, 34), -48)), 1, GREY)
    pen.polygon(
        ((nose, 12), (nose + 4, 2), (-22, -4), (-10, roof), (16, roof), (28, -4), (47, -3), (48, 12)), paint
    )
    pen.polygon(((-18, -3), (-8, roof + 3), (2, roof + 3), (2, -3)), (40, 50, 64))
    pen.polygon(((5, -3), (5, roof + 3), (14, roof + 3), (23, -3)), (40, 50, 64))
    pen.rectangle(nose + 3, 3, 47, 6.5, stripe)
    pen.text(-14, -1, 8, str(chance.randint(10, 99)), WHITE)
    pen.rectangle(36, roof + 4, 50, roof + 8, darker(paint, 0.3))
    pen.rectangle(40, roof + 6, 44, -2, darker(paint, 0.3))
    pen.rectangle(-44, 12, 44, 16, (40, 40, 44))
    for x in (-27, 27):
        pen.disc(x, 17, wheel, (28, 28, 30))
        pen.disc(x, 17, wheel * 0.6, lighter(stripe, 0.4), sides=12)
        pen.star(x, 17, wheel * 0.6, darker(stripe, 0.3), spikes=5, inner=0.35)


def model_plane(pen: Pen, chance: random.Random) -> None:
    """A propeller plane seen from above at an angle, with roundels."""
    paint, mark = (
        chance.choice(((96, 112, 74), (130, 136, 142), vivid(chance), (196, 180, 140))),
        vivid(chance),
    )
    back, span, chord = chance.uniform(34, 44), chance.uniform(42, 50), chance.uniform(7, 11)
    pen.polygon(
        ((-span, -12), (span, -12), (span * 0.9, -12 + chord), (4, 6), (-4, 6), (-span * 0.9, -12 + chord)),
        darker(paint, 0.12),
    )
    pen.polygon(((-17, back - 2), (17, back - 2), (15, back + 6), (-15, back + 6)), darker(paint, 0.12))
    pen.polygon(((0, -46), (6, -38), (6, 0), (2.4, back + 6), (-2.4, back + 6), (-6, 0), (-6, -38)), paint)
    pen.disc(0, -16, 3.6, (60, 90, 120), 8)
    for side in (-1, 1):
        x = side * span * 0.66
        pen.disc(x, -7, 5, mark, sides=16)
        pen.disc(x, -7, 2.4, WHITE, sides=12)
    pen.disc(0, -46, chance.uniform(14, 19), (70, 72, 78), 1.3)
    pen.disc(0, -46, 3.2, mark, sides=12)


def spare_parts(pen: Pen, chance: random.Random) -> None:
    """Parts for a model: cog wheels, a motor with its cables, a battery."""
    metal = chance.choice((GREY, (176, 180, 188), (196, 164, 80)))
    for x, y, size in ((-26, -22, chance.uniform(15, 22)), (20, -28, chance.uniform(10, 18))):
        pen.star(x, y, size, darker(metal, 0.2), spikes=chance.randint(12, 18), inner=0.82)
        pen.disc(x, y, size * 0.72, metal)
        pen.disc(x, y, size * 0.28, (40, 42, 46))
    can: Colour = chance.choice(((190, 40, 44), (60, 62, 68), (40, 80, 160)))
    pen.rounded(-44, 8, -2, 36, 4, can)
    pen.rectangle(-44, 14, -2, 18, lighter(can, 0.3))
    pen.rectangle(-50, 19, -44, 25, metal)
    for k, colour in enumerate(((200, 40, 40), (30, 30, 32), (230, 190, 50))):
        cable = (
            (-2, 15 + 7 * k),
            (16, 10 + 10 * k + chance.uniform(-8, 8)),
            (44, 12 + 12 * k + chance.uniform(-6, 6)),
        )
        pen.line(cable, 2.2, colour)
