"""A pen that draws in an object's own coordinates, wherever and at whatever angle the object lies on the picture.

Objects are drawn around (0, 0), within about -50 to 50 in x and y, y downwards. Every curve is a polygon, so
that one affine map places, turns, stretches and mirrors all of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import ImageDraw

from rakuten_assets.synthetic.drawing.colours import Colour, mix
from rakuten_assets.synthetic.drawing.lettering import glyph

Point = tuple[float, float]
_Matrix = tuple[float, float, float, float, float, float]

_CIRCLES = {
    sides: tuple((math.cos(math.tau * k / sides), math.sin(math.tau * k / sides)) for k in range(sides))
    for sides in (3, 4, 5, 6, 8, 10, 12, 16, 20, 32)
}


class Pen:
    """Draws filled shapes through an affine map: x' = a x + c y + e, y' = b x + d y + f."""

    __slots__ = ("_bounds", "_draw", "_matrix", "_thickness")

    def __init__(
        self,
        draw: ImageDraw.ImageDraw,
        matrix: _Matrix,
        bounds: tuple[float, float, float, float] | None = None,
    ) -> None:
        self._draw, self._matrix, self._bounds = draw, matrix, bounds
        a, b, c, d, _, _ = matrix
        self._thickness = math.sqrt(abs(a * d - b * c))

    def at(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0, mirrored: bool = False) -> Pen:
        """A pen whose (0, 0) is this one's (x, y), scaled and turned by `angle` degrees."""
        a, b, c, d, e, f = self._matrix
        cosine, sine = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
        side = -1.0 if mirrored else 1.0
        matrix = (
            (a * cosine + c * sine) * side,
            (b * cosine + d * sine) * side,
            c * cosine - a * sine,
            d * cosine - b * sine,
            a * x + c * y + e,
            b * x + d * y + f,
        )
        return Pen(self._draw, matrix)

    def within(self, x0: float, y0: float, x1: float, y1: float) -> Pen:
        """The same pen, but points outside the rectangle are moved to its edge."""
        return Pen(self._draw, self._matrix, (x0, y0, x1, y1))

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon(self._mapped(points), fill=fill)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        self.polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), fill)

    def rounded(self, x0: float, y0: float, x1: float, y1: float, radius: float, fill: Colour) -> None:
        points = []
        corners = ((x1 - radius, y1 - radius), (x0 + radius, y1 - radius), (x0 + radius, y0 + radius))
        for quarter, (x, y) in enumerate((*corners, (x1 - radius, y0 + radius))):
            arc = (_CIRCLES[16][(4 * quarter + step) % 16] for step in range(5))
            points += [(x + radius * u, y + radius * v) for u, v in arc]
        self.polygon(points, fill)

    def disc(
        self, x: float, y: float, radius: float, fill: Colour, height: float | None = None, sides: int = 20
    ) -> None:
        """A circle, or with `height` an ellipse (half its height), or with few `sides` a regular polygon."""
        ry = radius if height is None else height
        self.polygon([(x + radius * u, y + ry * v) for u, v in _CIRCLES[sides]], fill)

    def ring(
        self, x: float, y: float, radius: float, width: float, fill: Colour, height: float | None = None
    ) -> None:
        ry = radius if height is None else height
        points = [(x + radius * u, y + ry * v) for u, v in _CIRCLES[32]]
        self.line([*points, points[0], points[1]], width, fill)

    def arc(
        self, x: float, y: float, rx: float, ry: float, start: float, stop: float, width: float, fill: Colour
    ) -> None:
        """Part of an ellipse's outline between two angles in degrees, clockwise from the right."""
        angles = [math.radians(start + (stop - start) * k / 14) for k in range(15)]
        self.line([(x + rx * math.cos(t), y + ry * math.sin(t)) for t in angles], width, fill)

    def sector(self, x: float, y: float, radius: float, start: float, stop: float, fill: Colour) -> None:
        """A slice of a disc between two angles in degrees, clockwise from the right."""
        steps = max(2, round(abs(stop - start) / 12))
        angles = [math.radians(start + (stop - start) * k / steps) for k in range(steps + 1)]
        self.polygon([(x, y), *((x + radius * math.cos(t), y + radius * math.sin(t)) for t in angles)], fill)

    def star(
        self, x: float, y: float, radius: float, fill: Colour, spikes: int = 5, inner: float = 0.5
    ) -> None:
        points = []
        for k in range(2 * spikes):
            r, t = (radius if k % 2 == 0 else radius * inner), math.pi * k / spikes - math.pi / 2
            points.append((x + r * math.cos(t), y + r * math.sin(t)))
        self.polygon(points, fill)

    def line(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        """A polyline; each joint is rounded where the line is wide enough for it to show."""
        mapped = self._mapped(points)
        pixels = max(1, round(width * self._thickness))
        self._draw.line(mapped, fill=fill, width=pixels)
        if pixels > 4:
            r = pixels / 2 - 0.5
            for x, y in mapped:
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)

    def shaded(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        first: Colour,
        last: Colour,
        steps: int = 8,
        across: bool = False,
    ) -> None:
        """A rectangle that runs from one colour to another, downwards or `across`."""
        for k in range(steps):
            colour, low, high = mix(first, last, k / max(1, steps - 1)), k / steps, 1.0
            if across:
                self.rectangle(x0 + (x1 - x0) * low, y0, x0 + (x1 - x0) * high, y1, colour)
            else:
                self.rectangle(x0, y0 + (y1 - y0) * low, x1, y0 + (y1 - y0) * high, colour)

    def text(
        self, x: float, y: float, height: float, words: str, fill: Colour, width: float | None = None
    ) -> float:
        """Capital letters from the top left corner (x, y); shrunk to `width` where given. Returns the width."""
        unit = height / 7
        stretch = 1.0 if width is None else min(1.0, width / max(unit, unit * (6 * len(words) - 1)))
        right = self._matrix[0] * self._matrix[3] - self._matrix[1] * self._matrix[2] > 0
        total = unit * stretch * (6 * len(words) - 1)
        for place, letter in enumerate(words):
            for column, row, columns, rows in glyph(letter):
                left = (6 * place + column) * unit * stretch
                far = left + columns * unit * stretch
                if not right:  # On a mirrored object letters still read from left to right.
                    left, far = total - far, total - left
                self.rectangle(x + left, y + row * unit, x + far, y + (row + rows) * unit, fill)
        return total

    def _mapped(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d, e, f = self._matrix
        if self._bounds is not None:
            x0, y0, x1, y1 = self._bounds
            points = [(min(max(x, x0), x1), min(max(y, y0), y1)) for x, y in points]
        return [(a * x + c * y + e, b * x + d * y + f) for x, y in points]
