"""A 5x7 dot font as rectangles, so that words can be turned and stretched like any other shape.

A font file would tie the pictures' bytes to the version of the font renderer.
"""

from __future__ import annotations

import functools
import random

# Seven rows of five dots a glyph, as hexadecimal numbers.
_ROWS = {
    "A": "0E11111F111111", "B": "1E11111E11111E", "C": "0E11101010110E", "D": "1E11111111111E",
    "E": "1F10101E10101F", "F": "1F10101E101010", "G": "0E11101711110F", "H": "1111111F111111",
    "I": "0E04040404040E", "J": "0702020202120C", "K": "11121418141211", "L": "1010101010101F",
    "M": "111B1515111111", "N": "11191513111111", "O": "0E11111111110E", "P": "1E11111E101010",
    "Q": "0E11111115120D", "R": "1E11111E141211", "S": "0F10100E01011E", "T": "1F040404040404",
    "U": "1111111111110E", "V": "11111111110A04", "W": "1111111515 1B11".replace(" ", ""), "X": "11110A040A1111",
    "Y": "11110A04040404", "Z": "1F01020408101F", "0": "0E11131519110E", "1": "040C040404040E",
    "2": "0E11010608101F", "3": "1E01010E01011E", "4": "02060A121F0202", "5": "1F101E0101110E",
    "6": "0608101E11110E", "7": "1F010204080808", "8": "0E11110E11110E", "9": "0E11110F01020C",
    "+": "0004041F040400", "-": "0000001F000000", "!": "04040404040004", "%": "18190204081303",
}  # fmt: skip

_SYLLABLES = [
    "LA",
    "LE",
    "DE",
    "MA",
    "RO",
    "TA",
    "VI",
    "SO",
    "NE",
    "RI",
    "MO",
    "PA",
    "LU",
    "CE",
    "BA",
    "TO",
    "FI",
    "GA",
    "DO",
    "NA",
    "SE",
    "KA",
    "ZE",
    "BO",
]
_WORDS = [
    "SECRET",
    "ROYAUME",
    "OMBRE",
    "ETOILE",
    "VOYAGE",
    "JARDIN",
    "LUNE",
    "MAISON",
    "COEUR",
    "TEMPS",
    "FLEUVE",
    "LIVRE",
    "MONDE",
    "NUIT",
    "FORET",
    "HISTOIRE",
    "GUERRE",
    "PARIS",
    "FRANCE",
    "ART",
    "SPORT",
    "DRAGON",
    "LEGENDE",
    "AVENTURE",
    "MAGIE",
    "HEROS",
    "CITE",
    "OCEAN",
    "DESERT",
    "CHEVAL",
    "ROI",
    "REINE",
    "ILE",
]


@functools.cache
def glyph(letter: str) -> tuple[tuple[int, int, int, int], ...]:
    """Rectangles (column, row, columns, rows) that cover a capital letter or digit; none for a space."""
    text = _ROWS.get(letter)
    if text is None:
        return ()
    rows = [int(text[2 * row : 2 * row + 2], 16) for row in range(7)]
    left = {(column, row) for row in range(7) for column in range(5) if rows[row] >> (4 - column) & 1}
    rectangles = []
    while left:
        column, row = min(left)
        down, right = 1, 1
        while (column, row + down) in left:
            down += 1
        while (column + right, row) in left:
            right += 1
        columns, lines = (right, 1) if right > down else (1, down)
        left -= {(column + x, row + y) for x in range(columns) for y in range(lines)}
        rectangles.append((column, row, columns, lines))
    return tuple(rectangles)


def word(chance: random.Random) -> str:
    """A word as it stands on covers: a French one, or a made-up name."""
    if chance.random() < 0.6:
        return chance.choice(_WORDS)
    return "".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(2, 3)))
