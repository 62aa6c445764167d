"""Sports and outdoor play, garden furniture."""

from __future__ import annotations

import random

from rakuten_assets.synthetic.drawing.colours import (
    BLACK,
    CREAM,
    GREY,
    RED,
    WHITE,
    WOODS,
    darker,
    lighter,
    mix,
    muted,
    vivid,
)
from rakuten_assets.synthetic.drawing.pen import Pen

_STEEL = (170, 174, 182)


def fishing_lure(pen: Pen, chance: random.Random) -> None:
    """A lure in the shape of a fish, with treble hooks."""
    back, belly, tall = (
        vivid(chance),
        chance.choice((CREAM, (236, 200, 90), (200, 210, 220))),
        chance.uniform(12, 19),
    )
    pen.polygon(((30, 0), (50, -17), (44, 0), (50, 17)), darker(back, 0.2))
    pen.disc(-6, 0, 40, back, tall)
    pen.within(-50, 0, 50, 50).disc(-6, 0, 39, belly, tall - 0.5)
    for k in range(chance.randint(4, 8)):
        x = -22 + 7 * k
        pen.polygon(((x, -tall * 0.8), (x + 3, -tall * 0.7), (x + 1, 3), (x - 1, 3)), darker(back, 0.45))
    pen.polygon(((-2, -tall), (16, -tall - 10), (18, -tall * 0.8)), darker(back, 0.3))
    pen.disc(-34, -3, 5.6, (250, 230, 90))
    pen.disc(-34, -3, 3, BLACK, sides=12)
    for x in (-16, 16):
        pen.line(((x, tall * 0.9), (x, tall + 9)), 1.4, GREY)
        for side in (-1, 1):
            pen.arc(x + side * 4, tall + 9, 4, 7, 0, 180, 1.4, (110, 112, 118))
    pen.polygon(((-44, 4), (-54, 16), (-48, 18), (-38, 8)), (206, 220, 230))


def torch(pen: Pen, chance: random.Random) -> None:
    """A torch with a ribbed grip, lying, its lens alight."""
    body, long = chance.choice((BLACK, (60, 64, 70), RED, vivid(chance))), chance.uniform(10, 20)
    pen.polygon(((26, -13), (42, -19), (42, 19), (26, 13)), darker(body, 0.2))
    pen.disc(43, 0, 5, (250, 240, 170), 18)
    pen.disc(44, 0, 2.6, WHITE, 10)
    pen.rounded(-48, -10, 28, 10, 3, body)
    pen.rectangle(-46, -7, 26, -3, lighter(body, 0.3))
    for k in range(8):
        pen.rectangle(-40 + 6 * k, -10, -37 + 6 * k, 10, darker(body, 0.55))
    pen.rounded(10, -6, 20, -1, 2, RED)
    pen.line(((-48, 0), (-56, long), (-40, long + 12), (-44, 4)), 1.6, (40, 40, 42))


def tent(pen: Pen, chance: random.Random) -> None:
    """A tent with an open door and guy lines, or a swing frame."""
    cloth = vivid(chance)
    if chance.random() < 0.35:
        pole = vivid(chance)
        for side in (-1, 1):
            pen.line(((side * 30, -46), (side * 50, 48)), 3.4, pole)
            pen.line(((side * 30, -46), (side * 22, 40)), 3.4, darker(pole, 0.3))
        pen.line(((-32, -46), (32, -46)), 4, pole)
        sway = chance.uniform(-9, 9)
        for side in (-1, 1):
            pen.line(((side * 8, -46), (side * 8 + sway, 20)), 1.2, (230, 180, 60))
        pen.rectangle(-12 + sway, 19, 12 + sway, 24, cloth)
        return
    top, ridge = chance.uniform(-34, -22), chance.uniform(6, 22)
    pen.polygon(((-14, top), (ridge, top - 6), (50, 36), (14, 42)), darker(cloth, 0.25))
    pen.polygon(((-14, top), (14, 42), (-48, 38)), cloth)
    pen.polygon(((-15, top + 14), (0, 41), (-32, 39)), (36, 34, 40))
    pen.polygon(((-15, top + 14), (0, 41), (8, 41)), lighter(cloth, 0.35))
    for x, y in ((-56, 46), (58, 44)):
        pen.line(((-14 if x < 0 else ridge, top), (x, y)), 0.9, (120, 120, 110))
    pen.polygon(((4, top + 2), (18, top - 1), (30, 20), (22, 22)), lighter(cloth, 0.25))


def skateboard(pen: Pen, chance: random.Random) -> None:
    """A board on wheels, seen from the side and from below."""
    deck, wheel = vivid(chance), vivid(chance)
    pen.polygon(
        ((-50, -30), (-40, -22), (40, -22), (50, -30), (50, -26), (40, -17), (-40, -17), (-50, -26)),
        darker(deck, 0.2),
    )
    for x in (-27.0, 27.0):
        pen.rectangle(x - 4, -17, x + 4, -10, _STEEL)
        pen.disc(x - 6, -7, 6.4, wheel)
        pen.disc(x + 6, -7, 6.4, wheel)
        pen.disc(x - 6, -7, 2.4, WHITE, sides=10)
    pen.rounded(-50, 8, 50, 36, 13.9, deck)
    for _ in range(chance.randint(3, 7)):
        x, size = chance.uniform(-36, 36), chance.uniform(4, 11)
        pen.within(-46, 9, 46, 35).star(x, 22, size, vivid(chance), spikes=chance.randint(3, 8))
    for x in (-30, 30):
        pen.rectangle(x - 5, 15, x + 5, 29, _STEEL)


def parasol(pen: Pen, chance: random.Random) -> None:
    """A sunshade of alternating panels on a pole, perhaps with a table."""
    first, second = vivid(chance), chance.choice((WHITE, CREAM, muted(chance)))
    panels, sag = chance.randint(5, 9), chance.uniform(-14, -4)
    pen.line(((0, -40), (0, 46)), 2.8, chance.choice((*WOODS, GREY)))
    for k in range(panels):
        x0, x1 = -50 + 100 * k / panels, -50 + 100 * (k + 1) / panels
        tone = (first, darker(mix(first, second, 0.85), 0.06))[k % 2]
        pen.polygon(((0, -48), (x1, sag), ((x0 + x1) / 2, sag + 5), (x0, sag)), tone)
    pen.disc(0, -48, 2, darker(first, 0.4), sides=10)
    if chance.random() < 0.6:
        wood = chance.choice(WOODS)
        pen.disc(0, 18, 30, wood, 6)
        for x in (-18, 18):
            pen.line(((x, 20), (x * 1.3, 48)), 3, darker(wood, 0.3))
    pen.disc(0, 47, 13, (90, 92, 96), 3.4)


def garden_set(pen: Pen, chance: random.Random) -> None:
    """Table and chairs of rattan, wood or plastic."""
    tone = chance.choice(((60, 52, 48), (120, 90, 66), (44, 46, 50), (210, 206, 196), *WOODS))
    seat, back, wide = vivid(chance), chance.uniform(-44, -20), chance.uniform(16, 32)
    for side in chance.choice(((-1, 1), (-1, 1), (-1,), (1,))):
        chair = pen.at(
            side * (wide + chance.uniform(4, 10)),
            chance.uniform(-2, 6),
            chance.uniform(0.7, 0.95),
            mirrored=side < 0,
        )
        chair.polygon(((6, back), (16, back - 2), (14, 8), (4, 8)), tone)
        chair.polygon(((-18, 4), (12, 4), (14, 12), (-20, 12)), seat)
        for x in (-17.0, 11.0):
            chair.line(((x, 12), (x, 46)), 4, darker(tone, 0.3))
        slats = chance.randint(3, 7)
        for k in range(slats):
            y = back + 4 + (4 - back) * k / slats
            chair.line(((6, y), (15, y - 1)), 1, lighter(tone, 0.25))
    top = chance.uniform(-2, 12)
    pen.polygon(((-wide + 5, top - 8), (wide - 5, top - 8), (wide, top), (-wide, top)), lighter(tone, 0.2))
    pen.rectangle(-wide, top, wide, top + 3, darker(tone, 0.2))
    for x in (-wide + 4, wide - 4):
        pen.line(((x, top + 3), (x, 48)), 4, tone)
    for _ in range(chance.randint(1, 4)):
        x, high, colour = chance.uniform(-0.7, 0.7) * wide, chance.uniform(4, 14), vivid(chance)
        pen.rectangle(x - 2.5, top - 3 - high, x + 2.5, top - 3, colour)
        pen.disc(x, top - 3 - high, chance.uniform(2.5, 7), lighter(colour, 0.3), 3, sides=12)


def hammock(pen: Pen, chance: random.Random) -> None:
    """A striped hammock between two posts or on a bow."""
    wood, sag = chance.choice(WOODS), chance.uniform(-4, 22)
    if chance.random() < 0.5:
        pen.arc(0, -34, 50, 80, 10, 170, 4.4, wood)
        pen.rectangle(-26, 42, 26, 47, darker(wood, 0.3))
    else:
        for side in (-1, 1):
            pen.line(((side * 48, -chance.uniform(26, 44)), (side * chance.uniform(38, 50), 46)), 4, wood)
    bands, count = [vivid(chance) for _ in range(chance.randint(2, 5))], chance.randint(6, 11)
    for k in range(count):
        y = sag - 14 + 30 * k / count
        pen.line(((-46, -28), (-26, y), (0, y + 10), (26, y), (46, -28)), 34 / count, bands[k % len(bands)])
    if chance.random() < 0.5:
        pen.rounded(-26, sag - 14, -8, sag - 2, 4, vivid(chance))


def shed(pen: Pen, chance: random.Random) -> None:
    """A garden shed, a green tarpaulin tunnel, or a fence."""
    tone = chance.choice((*WOODS, (40, 110, 70), (90, 110, 90)))
    if chance.random() < 0.3:
        count, high = chance.randint(7, 12), chance.uniform(22, 40)
        for k in range(count):
            x = -50 + 100 * k / count
            pen.polygon(
                ((x, -high + 6), (x + 3.4, -high), (x + 6.8, -high + 6), (x + 6.8, high), (x, high)),
                mix(tone, WHITE, 0.08 * (k % 2)),
            )
        for y in (-high * 0.5, high * 0.5):
            pen.rectangle(-52, y, 52, y + 4, darker(tone, 0.25))
        return
    eaves, top, front = chance.uniform(-20, -8), chance.uniform(-46, -34), chance.uniform(0, 16)
    pen.polygon(((front, eaves), (50, eaves - 8), (50, 32), (front, 42)), darker(tone, 0.3))
    pen.polygon(((-46, eaves), ((front - 46) / 2, top), (front, eaves), (front, 42), (-46, 42)), tone)
    roof = chance.choice(((90, 50, 44), (60, 64, 70), darker(tone, 0.5)))
    pen.polygon((((front - 46) / 2, top - 3), (36, top - 9), (54, eaves - 8), (front + 3, eaves + 2)), roof)
    for k in range(7):
        x = -44 + k * (front + 44) / 7
        pen.line(((x, eaves + 4), (x, 42)), 0.7, darker(tone, 0.3))
    pen.rectangle((front - 46) / 2 - 11, 2, (front - 46) / 2 + 11, 42, darker(tone, 0.45))
    pen.rectangle(front + 10, eaves + 8, front + 26, eaves + 22, (190, 220, 236))
