"""What is used up: food, pet supplies, stationery."""

from __future__ import annotations

import random

from rakuten_assets.synthetic.drawing import artwork
from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    CREAM,
    GOLD,
    GREY,
    RED,
    WHITE,
    any_colour,
    darker,
    hsv,
    lighter,
    pastel,
    vivid,
)
from rakuten_assets.synthetic.drawing.lettering import word
from rakuten_assets.synthetic.drawing.pen import Pen


def jar(pen: Pen, chance: random.Random) -> None:
    """A jar of jam or honey with a label and a gingham lid."""
    filling, lid = (
        chance.choice(((190, 30, 40), (230, 150, 30), (110, 50, 30), (120, 150, 40), (240, 190, 90))),
        vivid(chance),
    )
    w, top = chance.uniform(24, 34), chance.uniform(-30, -18)
    pen.rounded(-w, top, w, 46, 9, filling)
    pen.rectangle(-w + 4, top + 4, -w + 8, 42, lighter(filling, 0.45))
    pen.rounded(-w * 0.86, top - 14, w * 0.86, top + 2, 3, lid)
    for k in range(6):
        x = -w * 0.84 + k * w * 0.28
        pen.rectangle(x, top - 13, x + w * 0.12, top + 1, lighter(lid, 0.6))
    pen.rounded(-w * 0.8, top + 16, w * 0.8, 38, 3, CREAM)
    pen.rectangle(-w * 0.8, top + 18, w * 0.8, top + 20, lid)
    pen.text(-w * 0.68, top + 23, 8, word(chance), BLACK, w * 1.36)
    for _ in range(chance.randint(2, 4)):
        x, y = chance.uniform(-w * 0.55, w * 0.55), chance.uniform(top + 38, 34)
        pen.disc(x, y, 3.6, vivid(chance), sides=12)
        pen.line(((x, y - 3), (x + 2, y - 6)), 1, (60, 120, 50))


def bottle(pen: Pen, chance: random.Random) -> None:
    """A bottle of oil, wine or sauce."""
    glass, w = (
        chance.choice(((40, 70, 40), (90, 30, 34), (60, 40, 26), (214, 180, 60), (150, 60, 40))),
        chance.uniform(12, 18),
    )
    shoulder = chance.uniform(-20, -8)
    pen.polygon(
        (
            (-5, -44),
            (5, -44),
            (5, shoulder - 10),
            (w, shoulder + 6),
            (w, 50),
            (-w, 50),
            (-w, shoulder + 6),
            (-5, shoulder - 10),
        ),
        glass,
    )
    pen.rectangle(-w + 3, shoulder + 8, -w + 6, 48, lighter(glass, 0.4))
    pen.rounded(-6.5, -50, 6.5, -36, 2, chance.choice((GOLD, RED, BLACK, vivid(chance))))
    label = chance.choice((CREAM, WHITE, (240, 220, 120), vivid(chance)))
    pen.rectangle(-w, shoulder + 16, w, 40, darker(label, 0.06))
    pen.text(-w * 0.8, shoulder + 19, 6, word(chance), BLACK, w * 1.6)
    artwork.any_art(pen, chance, (-w * 0.7, shoulder + 28, w * 0.7, 36))


def packet(pen: Pen, chance: random.Random) -> None:
    """A packet of coffee, sweets or crisps with crimped edges, or a tin."""
    paint, w, h = vivid(chance), chance.uniform(26, 36), chance.uniform(38, 48)
    if chance.random() < 0.3:
        pen.rectangle(-w, -h + 12, w, h - 12, paint)
        for k in range(5):
            pen.rectangle(-w, -h + 16 + k * 2, w, -h + 17 + k * 2, darker(paint, 0.3))
        pen.disc(0, h - 12, w, darker(paint, 0.3), 6)
        pen.disc(0, -h + 12, w, (190, 194, 200), 6)
    else:
        zigzag = [(-w + 2 * w * k / 12, -h + 3 * (k % 2)) for k in range(13)]
        zagzig = [(-w + 2 * w * k / 12, h - 3 * (k % 2)) for k in range(13)]
        pen.polygon([*zigzag, (w * 0.93, 0), *reversed(zagzig), (-w * 0.93, 0)], paint)
        pen.rectangle(-w * 0.97, -h + 5, w * 0.97, -h + 8, lighter(paint, 0.4))
        pen.polygon(((-w * 0.8, -h + 10), (-w * 0.6, -h + 10), (-w * 0.75, h - 10)), lighter(paint, 0.3))
    pen.disc(0, -h * 0.3, w * 0.8, lighter(vivid(chance), 0.3), h * 0.24)
    pen.text(-w * 0.62, -h * 0.4, h * 0.2, word(chance), WHITE, w * 1.24)
    tone = hsv(chance.uniform(0.02, 0.14), 0.7, chance.uniform(0.35, 0.85))
    for _ in range(chance.randint(4, 9)):
        pen.disc(
            chance.uniform(-0.6, 0.6) * w,
            chance.uniform(0.15, 0.6) * h,
            chance.uniform(4, 8),
            darker(tone, chance.uniform(0, 0.3)),
            sides=12,
        )


def dog(pen: Pen, chance: random.Random) -> None:
    """A dog standing in a coat, with collar, or a cat on a cushion."""
    fur, coat = (
        chance.choice(((190, 140, 90), (90, 62, 46), (226, 214, 190), (60, 58, 60), (150, 150, 154))),
        vivid(chance),
    )
    if chance.random() < 0.35:
        pen.disc(0, 40, 48, coat, 11)
        pen.disc(0, 36, 40, lighter(coat, 0.3), 8)
        pen.disc(4, 18, 28, fur, 20)
        pen.arc(24, 22, 20, 16, -60, 120, 7, darker(fur, 0.15))
        pen.disc(-20, -10, 18, fur, 16)
        for side in (-1, 1):
            pen.polygon(
                ((-20 + side * 4, -20), (-20 + side * 17, -36), (-20 + side * 17, -12)), darker(fur, 0.1)
            )
            pen.disc(-20 + side * 7, -12, 3, (120, 200, 90), sides=12)
            pen.line(((-20 + side * 4, -3), (-20 + side * 22, -5 + chance.uniform(-3, 3))), 0.8, GREY)
        pen.polygon(((-23, -6), (-17, -6), (-20, -2)), (230, 130, 130))
        return
    for x in (-26, -16, 16, 26):
        pen.line(((x, 14), (x + chance.uniform(-4, 4), 46)), 8, darker(fur, 0.1 if x in (-26, 16) else 0.25))
    pen.line(((32, -4), (48, -20 + chance.uniform(-10, 20))), 6, fur)
    pen.rounded(-34, -14, 34, 20, 14, fur)
    pen.polygon(((-22, -16), (26, -16), (28, 12), (-20, 16)), coat)
    for k in range(3):
        pen.rectangle(-18 + 14 * k, -15, -13 + 14 * k, 13, lighter(coat, 0.45))
    hx, hy = -38 + chance.uniform(-3, 5), -26 + chance.uniform(-5, 4)
    pen.line(((-28, -6), (hx + 6, hy + 6)), 15, fur)
    pen.disc(hx, hy, 15, fur, 14)
    pen.disc(hx - 12, hy + 5, 9, lighter(fur, 0.25), 7)
    pen.disc(hx - 19, hy + 2, 3.6, (30, 26, 28), sides=12)
    pen.disc(hx - 4, hy - 3, 2.4, (24, 20, 22), sides=10)
    pen.disc(hx + 10, hy + 2, 6, darker(fur, 0.35), 13)
    pen.line(((-34, -4), (-24, -16)), 4, RED)


def feeding_bowl(pen: Pen, chance: random.Random) -> None:
    """A bowl of dry food with a bone and a paw print, or a bed for a pet."""
    paint = vivid(chance)
    pen.disc(0, -4, 40, lighter(paint, 0.3), 11)
    pen.disc(0, -4, 35, darker(paint, 0.5), 8.5)
    for _ in range(chance.randint(12, 22)):
        pen.disc(
            chance.uniform(-28, 28),
            chance.uniform(-16, -3),
            chance.uniform(3, 5),
            hsv(0.07, 0.6, chance.uniform(0.35, 0.65)),
            sides=8,
        )
    pen.polygon(((-40, -4), (-35, 3), (35, 3), (40, -4), (48, 36), (-48, 36)), paint)
    pen.disc(0, 36, 48, darker(paint, 0.3), 6)
    pen.disc(0, 24, 6.5, WHITE, 5.4)
    for dx in (-8, -2.8, 2.8, 8):
        pen.disc(dx, 15.5 - (2 if abs(dx) < 5 else 0), 2.6, WHITE, 3.4, sides=12)
    bone = pen.at(chance.uniform(-20, 20), -34, 1, chance.uniform(-35, 35))
    bone.rectangle(-18, -4, 18, 4, CREAM)
    for x in (-20, 20):
        for y in (-5, 5):
            bone.disc(x, y, 6.4, CREAM, sides=12)


def notebook(pen: Pen, chance: random.Random) -> None:
    """A notebook with an elastic band and a title plate, ruled or ring-bound, sometimes with a pen."""
    cover, w, h = (
        chance.choice((CREAM, pastel(chance), vivid(chance), (70, 60, 54), BLACK)),
        chance.uniform(28, 36),
        chance.uniform(42, 50),
    )
    pen.rounded(-w + 2, -h + 2, w + 2, h + 2, 4, (200, 196, 184))
    pen.rounded(-w, -h, w, h, 4, darker(cover, 0.3))
    pen.rounded(-w + 0.6, -h + 0.6, w - 0.6, h - 0.6, 4, cover)
    ink = BLACK if sum(cover) > 330 else CREAM
    if chance.random() < 0.4:
        for k in range(14):
            pen.ring(-w, -h + 5 + k * (2 * h - 10) / 13, 3, 1, (70, 72, 78))
    style = chance.randrange(3)
    if style == 0:
        pen.text(-w * 0.5, -h * 0.5, 7, word(chance), ink, w)
        pen.line(
            [(chance.uniform(-0.5, 0.5) * w, chance.uniform(-0.2, 0.6) * h) for _ in range(7)],
            1.4,
            any_colour(chance),
        )
    elif style == 1:
        artwork.any_art(
            pen, chance, (-w * 0.6, -h * chance.uniform(0.1, 0.6), w * 0.6, h * chance.uniform(0.2, 0.7))
        )
        pen.text(-w * 0.5, -h * 0.8, 6, word(chance), ink, w)
    else:
        pen.rounded(-w * 0.6, -h * 0.6, w * 0.5, -h * 0.2, 2, WHITE)
        for k in range(3):
            pen.rectangle(-w * 0.5, -h * (0.5 - 0.1 * k), w * 0.4, -h * (0.48 - 0.1 * k), GREY)
    pen.rectangle(w * 0.72, -h, w * 0.8, h, any_colour(chance))
    if chance.random() < 0.5:
        fountain_pen(pen.at(chance.uniform(-10, 14), 10, 0.8, chance.uniform(20, 70)), chance)


def fountain_pen(pen: Pen, chance: random.Random) -> None:
    """A fountain pen or a ball-point, lying along x."""
    barrel, metal = any_colour(chance), chance.choice((GOLD, (196, 200, 206)))
    pen.rounded(-50, -4.5, 26, 4.5, 4, barrel)
    pen.rectangle(-44, -3, 22, -1.4, lighter(barrel, 0.5))
    pen.rectangle(-6, -5.4, -1, 5.4, metal)
    pen.polygon(((26, -4), (36, -3), (52, 0), (36, 3), (26, 4)), metal)
    pen.line(((36, 0), (51, 0)), 0.7, BLACK)
    pen.rounded(-40, -8.4, -10, -5.4, 1, metal)


def pencils(pen: Pen, chance: random.Random) -> None:
    """A fan or a row of coloured pencils, or a pot that holds them."""
    count, hue, pot = chance.randint(5, 11), chance.random(), chance.random() < 0.4
    for k in range(count):
        tone, middle = hsv(hue + k / count, 0.8, chance.uniform(0.6, 0.95)), k - (count - 1) / 2
        one = pen.at(
            middle * (3.4 if pot else 86 / count),
            20 if pot else chance.uniform(-6, 6),
            1,
            middle * (5 if pot else chance.uniform(0, 2)),
        )
        one.rectangle(-3.2, -40, 3.2, 44 if not pot else 10, tone)
        one.rectangle(-1, -40, 1, 44 if not pot else 10, lighter(tone, 0.3))
        one.polygon(((-3.2, -40), (3.2, -40), (0, -52)), (226, 190, 140))
        one.polygon(((-1.2, -47.5), (1.2, -47.5), (0, -52)), tone)
    if pot:
        paint = any_colour(chance)
        pen.polygon(((-22, 0), (22, 0), (18, 48), (-18, 48)), paint)
        artwork.stripes(pen, chance, (-17, 12, 17, 34))
