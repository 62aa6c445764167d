"""Things with a printed front: books, magazines, series."""

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
    Colour,
    dark,
    darker,
    hsv,
    lighter,
    mix,
    muted,
    vivid,
)
from rakuten_assets.synthetic.drawing.lettering import word
from rakuten_assets.synthetic.drawing.pen import Pen


def used_book(pen: Pen, chance: random.Random) -> None:
    """An old hardback: faded cover with a frame and a title block, yellowed page edges, a worn spine."""
    w, h = chance.uniform(26, 38), chance.uniform(42, 50)
    cover = chance.choice(
        (CREAM, (206, 178, 92), (120, 40, 44), (58, 76, 58), (62, 66, 96), (150, 100, 60), muted(chance))
    )
    ink = darker(cover, 0.75) if sum(cover) > 390 else chance.choice((GOLD, CREAM))
    thick = chance.uniform(3, 8)
    pages = (
        (-w + 2, h),
        (w, h),
        (w, -h + 2),
        (w + thick, -h + thick + 2),
        (w + thick, h + thick),
        (-w + thick, h + thick),
    )
    pen.polygon(pages, (222, 204, 162))
    for k in range(3):
        pen.line(
            ((-w + 4 + k, h + 1 + k * thick / 3), (w + k * thick / 3, h + 1 + k * thick / 3)),
            0.4,
            (170, 150, 110),
        )
    pen.rectangle(-w, -h, w, h, cover)
    pen.shaded(-w, -h, -w + 8, h, darker(cover, 0.45), cover, steps=5, across=True)
    if chance.random() < 0.35:
        top, bottom = chance.uniform(-0.5, -0.1) * h, chance.uniform(0.4, 0.75) * h
        artwork.any_art(pen, chance, (-w * 0.7, top, w * 0.8, bottom))
        _title(pen, chance, -w * 0.75, -h * 0.88, w * 1.5, h * 0.2, ink, lines=1)
    else:
        frame = chance.uniform(0.72, 0.9)
        for inset in (1.0, 0.93) if chance.random() < 0.6 else ():
            x, y = w * frame * inset, h * frame * inset
            pen.line(((-x + 3, -y), (x, -y), (x, y), (-x + 3, y), (-x + 3, -y)), 0.7, ink)
        _title(
            pen,
            chance,
            -w * 0.6,
            -h * chance.uniform(0.3, 0.65),
            w * 1.25,
            h * 0.17,
            ink,
            lines=chance.randint(2, 3),
        )
        emblem = h * chance.uniform(0.2, 0.45)
        if chance.random() < 0.5:
            pen.star(w * 0.05, emblem, w * 0.18, ink, spikes=chance.randint(4, 8))
        else:
            pen.ring(w * 0.05, emblem, w * 0.17, 1.4, ink)
    pen.text(-w * 0.4, h * 0.76, h * 0.075, word(chance), ink, w * 0.9)
    for _ in range(chance.randint(1, 4)):  # Rubbed corners and scratches.
        x, y = chance.choice((-w, w)) * chance.uniform(0.85, 1), chance.uniform(-h, h)
        pen.within(-w, -h, w, h).disc(x, y, chance.uniform(1, 4), lighter(cover, 0.35), sides=8)


def new_book(pen: Pen, chance: random.Random) -> None:
    """A paperback fresh from the press: white or pale cover, one picture, publisher's lines, perhaps a red band."""
    w, h = chance.uniform(29, 34), chance.uniform(44, 50)
    paper = chance.choice((WHITE, (250, 246, 232), (238, 242, 246), hsv(chance.random(), 0.06, 0.97)))
    ink = chance.choice((RED, (20, 60, 120), (24, 100, 84), BLACK, vivid(chance)))
    pen.rectangle(-w, -h, w, h, (176, 176, 180))
    pen.rectangle(-w + 0.7, -h + 0.7, w - 0.7, h - 0.7, paper)
    layout = chance.randrange(3)
    pen.text(-w * 0.62, -h * 0.9, h * 0.06, word(chance), GREY, w * 1.2)
    _title(pen, chance, -w * 0.8, -h * 0.78, w * 1.6, h * 0.15, ink, lines=chance.randint(1, 2))
    if layout == 0:
        artwork.any_art(
            pen, chance, (-w * chance.uniform(0.5, 0.85), -h * 0.25, w * chance.uniform(0.5, 0.85), h * 0.66)
        )
    elif layout == 1:
        pen.rectangle(-w + 0.7, -h * 0.1, w - 0.7, h - 0.7, ink)
        artwork.any_art(
            pen, chance, (-w * 0.6, h * chance.uniform(-0.05, 0.15), w * 0.6, h * chance.uniform(0.6, 0.85))
        )
    else:
        for line in range(chance.randint(5, 9)):
            pen.rectangle(
                -w * 0.7,
                h * (-0.2 + 0.08 * line),
                w * chance.uniform(0.1, 0.7),
                h * (-0.17 + 0.08 * line),
                mix(paper, GREY, 0.6),
            )
    if chance.random() < 0.35:
        top = chance.uniform(0.35, 0.6) * h
        pen.rectangle(-w, top, w, top + h * 0.2, RED)
        pen.text(-w * 0.7, top + h * 0.05, h * 0.1, word(chance), WHITE, w * 1.4)
    pen.rectangle(-w * 0.12, h * 0.84, w * 0.12, h * 0.92, ink)


def magazine(pen: Pen, chance: random.Random) -> None:
    """A newspaper or magazine: huge masthead, full-page photograph, headlines around it, barcode and price."""
    w, h = chance.uniform(33, 39), chance.uniform(44, 50)
    if chance.random() < 0.25:
        _newspaper(pen, chance, w, h)
        return
    chance.choice((artwork.portrait, artwork.portrait, artwork.landscape, artwork.city))(
        pen, chance, (-w, -h, w, h)
    )
    band, ink = chance.choice((RED, vivid(chance), BLACK, WHITE)), chance.choice((WHITE, (250, 226, 60)))
    ink = RED if band == WHITE else ink
    if chance.random() < 0.7:
        pen.rectangle(-w, -h, w, -h * 0.66, band)
    pen.text(-w * 0.92, -h * 0.95, h * 0.25, word(chance)[:7], ink, w * 1.84)
    for side in (-1, 1):
        y = -h * chance.uniform(0.4, 0.6)
        for _ in range(chance.randint(2, 4)):
            colour, size = (
                chance.choice((WHITE, (250, 226, 60), vivid(chance))),
                h * chance.uniform(0.06, 0.11),
            )
            x = -w * 0.92 if side < 0 else w * 0.28
            pen.text(x, y, size, word(chance), colour, w * 0.64)
            pen.rectangle(x, y + size * 1.3, x + w * chance.uniform(0.3, 0.6), y + size * 1.6, WHITE)
            y += size * 2.4
    if chance.random() < 0.5:
        pen.rectangle(-w, h * 0.72, w, h, chance.choice((band, vivid(chance))))
        pen.text(-w * 0.85, h * 0.78, h * 0.14, f"{word(chance)} {word(chance)}", WHITE, w * 1.3)
    _barcode(pen, w * 0.52, h * 0.72, w * 0.4, h * 0.2)
    if chance.random() < 0.5:
        pen.disc(-w * 0.68, h * 0.52, w * 0.22, (250, 214, 40))
        pen.text(-w * 0.8, h * 0.47, h * 0.1, str(chance.randint(2, 9)) + "0", RED)


def series(pen: Pen, chance: random.Random) -> None:
    """Several volumes at once: a row of numbered spines, a fan of covers, or a pile."""
    match chance.randrange(3):
        case 0:
            _row_of_spines(pen, chance)
        case 1:
            count = chance.randint(2, 4)
            shared = vivid(chance)
            for k in range(count):
                x = (k - (count - 1) / 2) * 76 / count
                _volume(
                    pen.at(x, chance.uniform(-4, 4), 1.1 / count**0.5, (k - (count - 1) / 2) * 9),
                    chance,
                    shared,
                    k + 1,
                )
        case _:
            _pile(pen, chance)


def _row_of_spines(pen: Pen, chance: random.Random) -> None:
    count, h, same = chance.randint(6, 13), chance.uniform(26, 42), chance.random() < 0.5
    wide, colour = 100 / count, vivid(chance)
    for k in range(count):
        left, top = -50 + k * wide, -h * (1 if same else chance.uniform(0.82, 1))
        tone = mix(colour, vivid(chance), 0.25) if same else chance.choice((vivid, dark, muted))(chance)
        pen.shaded(left, top, left + wide * 0.96, h, tone, darker(tone, 0.3), steps=3, across=True)
        pen.rectangle(left, top + h * 0.12, left + wide * 0.96, top + h * 0.3, lighter(tone, 0.6))
        pen.text(left + wide * 0.2, top + h * 0.14, min(wide * 0.6, h * 0.14), str((k + 1) % 10), BLACK)
        pen.rectangle(
            left + wide * 0.35, top + h * 0.5, left + wide * 0.6, h * chance.uniform(0.2, 0.7), CREAM
        )
        pen.rectangle(left, h * 0.84, left + wide * 0.96, h * 0.9, GOLD)


def _volume(pen: Pen, chance: random.Random, band: Colour, number: int) -> None:
    w, h = 30.0, 44.0
    pen.rectangle(-w - 1, -h - 1, w + 1, h + 1, (60, 56, 54))
    artwork.any_art(pen, chance, (-w, -h, w, h))
    pen.rectangle(-w, -h, w, -h * 0.68, band)
    pen.text(-w * 0.85, -h * 0.94, h * 0.19, word(chance), WHITE, w * 1.3)
    pen.disc(w * 0.7, -h * 0.84, h * 0.13, (250, 220, 60))
    pen.text(w * 0.63, -h * 0.9, h * 0.13, str(number), BLACK)


def _pile(pen: Pen, chance: random.Random) -> None:
    count = chance.randint(4, 8)
    high = 84 / count
    for k in range(count):
        y, left, right = 42 - (k + 1) * high, -50 + chance.uniform(0, 14), 50 - chance.uniform(0, 14)
        tone = chance.choice((vivid, muted, dark))(chance)
        pen.shaded(left, y, right, y + high * 0.94, lighter(tone, 0.15), darker(tone, 0.3), steps=3)
        pen.rectangle(left + 4, y, left + 8, y + high * 0.94, GOLD)
        pen.text(
            left + 14,
            y + high * 0.25,
            high * 0.45,
            f"{word(chance)} {word(chance)}",
            CREAM,
            (right - left) * 0.7,
        )
    tone = muted(chance)
    shift = chance.uniform(-6, 6)
    pen.polygon(((-40 + shift, -42), (40 + shift, -42), (34 + shift, -50), (-34 + shift, -50)), tone)


def _newspaper(pen: Pen, chance: random.Random, w: float, h: float) -> None:
    paper = (226, 218, 198)
    pen.rectangle(-w, -h, w, h, paper)
    pen.text(-w * 0.9, -h * 0.95, h * 0.2, f"LE {word(chance)[:8]}", BLACK, w * 1.8)
    pen.rectangle(-w * 0.9, -h * 0.7, w * 0.9, -h * 0.68, BLACK)
    columns = chance.randint(2, 4)
    hole = chance.randrange(columns)
    for column in range(columns):
        left = -w * 0.9 + column * 1.8 * w / columns
        right, y = left + 1.68 * w / columns, -h * 0.6
        if column == hole:
            artwork.any_art(pen, chance, (left, y, right, y + h * chance.uniform(0.4, 0.8)))
            y += h * 0.85
        while y < h * 0.9:
            pen.rectangle(
                left, y, left + (right - left) * chance.uniform(0.6, 1), y + h * 0.025, (90, 86, 80)
            )
            y += h * 0.055


def _title(
    pen: Pen, chance: random.Random, x: float, y: float, width: float, height: float, ink: Colour, lines: int
) -> None:
    for line in range(lines):
        pen.text(x, y + line * height * 1.35, height, word(chance), ink, width)


def _barcode(pen: Pen, x: float, y: float, width: float, height: float) -> None:
    pen.rectangle(x, y, x + width, y + height, WHITE)
    for bar in range(9):
        left = x + width * (0.08 + 0.095 * bar)
        pen.rectangle(
            left, y + height * 0.1, left + width * (0.03 + 0.025 * (bar * 7 % 3)), y + height * 0.85, BLACK
        )
