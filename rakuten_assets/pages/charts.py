"""Charts as inline SVG: sharp at any size, a few kB each, coloured by the page's style sheet, without an import.

Every chart is drawn 280 units wide (a column of the page on a desk, a little less than a phone) and carries
what it shows as text, for readers who cannot see it. Two series differ in shape (filled bars, a line) and not in
colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH = 280
_PLOT_HEIGHT = 100
_LEFT, _RIGHT = 8, 8
_ROW = 17
_LABEL = 48
_LONGEST_LABEL = 7


@dataclass(frozen=True)
class Interval:
    """Five quantiles of one row of an interval chart: 5, 25, 50, 75 and 95 %."""

    label: str
    quantiles: tuple[float, float, float, float, float]


def histogram_svg(
    series: Mapping[str, npt.NDArray[np.float64]],
    title: str,
    text: Callable[[float], str],
    bins: int = 33,
) -> str:
    """Shares of one or two series over their common range; the first is filled, the second a line.

    Args:
        series: name -> finite values (n,).
        title: what is measured.
        text: writes a value for a person.
    """
    filled = {name: values for name, values in series.items() if len(values)}
    if not filled:
        return ""
    low = min(float(values.min()) for values in filled.values())
    high = max(float(values.max()) for values in filled.values())
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    shares = {name: np.histogram(values, edges)[0] / len(values) for name, values in filled.items()}
    top = max(float(share.max()) for share in shares.values())
    step = (WIDTH - _LEFT - _RIGHT) / bins
    marks = []
    for place, (name, share) in enumerate(shares.items()):
        heights = share / top * _PLOT_HEIGHT
        label = f"<title>{escape(name)}: median {escape(text(float(np.median(filled[name]))))}</title>"
        if place == 0:
            path = "".join(
                f"M{_LEFT + i * step:.1f} {_PLOT_HEIGHT}v{-height:.1f}h{step - 0.8:.1f}v{height:.1f}z"
                for i, height in enumerate(heights)
                if height > 0
            )
            marks.append(f'<path class="bars" d="{path}">{label}</path>')
        else:
            points = "".join(
                f"{'M' if i == 0 else 'L'}{_LEFT + i * step:.1f} {_PLOT_HEIGHT - height:.1f}h{step:.1f}"
                for i, height in enumerate(heights)
            )
            marks.append(f'<path class="line" d="{points}">{label}</path>')
    middle = (low + high) / 2
    axis = _axis(_PLOT_HEIGHT, [(_LEFT, "start", text(low)), (WIDTH / 2, "middle", text(middle)),
                                (WIDTH - _RIGHT, "end", text(high))])  # fmt: skip
    medians = "; ".join(f"{name} median {text(float(np.median(values)))}" for name, values in filled.items())
    return _svg(_PLOT_HEIGHT + 22, f"{title}, from {text(low)} to {text(high)}; {medians}", [*marks, axis])


def intervals_svg(rows: Sequence[Interval], title: str, text: Callable[[float], str]) -> str:
    """One row each: a thin line from 5 to 95 %, a thick one from 25 to 75 %, a dot at the median."""
    if not rows:
        return ""
    low = min(row.quantiles[0] for row in rows)
    high = max(row.quantiles[4] for row in rows)
    scale = (WIDTH - _LABEL - 12) / ((high - low) or 1)

    def across(value: float) -> float:
        return _LABEL + 4 + (value - low) * scale

    marks = []
    for place, row in enumerate(rows):
        y = 10 + place * _ROW
        p5, p25, median, p75, p95 = (across(value) for value in row.quantiles)
        values = ", ".join(text(value) for value in row.quantiles)
        marks.append(
            f"<g><title>{escape(row.label)}: {escape(values)} (5, 25, 50, 75, 95 %)</title>"
            f'<text class="label" x="{_LABEL - 4}" y="{y + 4}" text-anchor="end">{escape(_short(row.label))}</text>'
            f'<path class="whisker" d="M{p5:.1f} {y}H{p95:.1f}"/><path class="box" d="M{p25:.1f} {y}H{p75:.1f}"/>'
            f'<circle class="dot" cx="{median:.1f}" cy="{y}" r="3.2"/></g>'
        )
    bottom = 10 + len(rows) * _ROW - 6
    axis = _axis(bottom, [(_LABEL + 4, "start", text(low)), (WIDTH - 8, "end", text(high))])
    return _svg(bottom + 22, f"{title}: medians and quantiles of {len(rows)} classes", [*marks, axis])


def matrix_svg(
    shares: npt.NDArray[np.float64], labels: Sequence[str], title: str, say: Callable[[int, int], str]
) -> str:
    """A square table as shades of one colour: the stronger, the larger the share of its row.

    Args:
        shares: (n, n), 0 to 1; row: the true class, column: the predicted one.
        labels: of the n classes.
        say: what a cell (row, column) holds, for whoever points at it.
    """
    if not len(labels):
        return ""
    cell = (WIDTH - _LABEL - 4) / len(labels)
    size = min(cell * 0.85, 9.0)
    marks = []
    for row, label in enumerate(labels):
        y = 4 + row * cell
        middle = _LABEL + (row + 0.5) * cell
        marks.append(
            f'<text class="label" x="{_LABEL - 4}" y="{y + cell / 2 + size / 3:.1f}" text-anchor="end" '
            f'font-size="{size:.1f}">{escape(_short(label))}</text>'
            f'<text class="label" transform="translate({middle + size / 3:.1f} {8 + len(labels) * cell:.1f}) '
            f'rotate(-90)" text-anchor="end" font-size="{size:.1f}">{escape(_short(label))}</text>'
        )
        marks += [
            f'<rect class="cell" x="{_LABEL + column * cell:.2f}" y="{y:.2f}" width="{cell - 0.4:.2f}" '
            f'height="{cell - 0.4:.2f}" fill-opacity="{max(shares[row, column], 0.06):.2f}">'
            f"<title>{escape(say(row, column))}</title></rect>"
            for column in np.flatnonzero(shares[row] > 0).tolist()
        ]
    frame = (
        f'<rect class="frame" x="{_LABEL}" y="4" width="{cell * len(labels):.1f}" '
        f'height="{cell * len(labels):.1f}"/>'
    )
    return _svg(8 + len(labels) * cell + _LABEL, title, [frame, *marks])


def reliability_svg(
    confidence: npt.NDArray[np.float64],
    accuracy: npt.NDArray[np.float64],
    count: npt.NDArray[np.int64],
    title: str,
) -> str:
    """Share of hits over confidence, both 0 to 1; a dot a bin, as large as it has predictions, beside the diagonal."""
    side = 180.0

    def point(x: float, y: float) -> tuple[float, float]:
        return 34 + x * side, 6 + (1 - y) * side

    marks = [f'<path class="axis" d="M{point(0, 1)[0]} {point(0, 1)[1]}V{6 + side}H{34 + side}"/>']
    marks.append(f'<path class="diagonal" d="M34 {6 + side}L{34 + side} 6"/>')
    filled = np.flatnonzero(count)
    path = " ".join(
        f"{'M' if place == 0 else 'L'}{point(confidence[at], accuracy[at])[0]:.1f} "
        f"{point(confidence[at], accuracy[at])[1]:.1f}"
        for place, at in enumerate(filled.tolist())
    )
    marks.append(f'<path class="line" d="{path}"/>')
    for at in filled.tolist():
        x, y = point(confidence[at], accuracy[at])
        radius = 2 + 5 * float(np.sqrt(count[at] / count.max()))
        marks.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>confidence {confidence[at]:.0%}, '
            f"right {accuracy[at]:.0%}, {count[at]:,} predictions</title></circle>"
        )
    for share in (0, 0.5, 1):
        x, y = point(share, share)
        marks.append(
            f'<text class="tick" x="{x:.0f}" y="{6 + side + 14:.0f}" text-anchor="middle">{share:.0%}</text>'
        )
        marks.append(f'<text class="tick" x="30" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>')
    marks.append(
        f'<text class="tick" x="{34 + side / 2}" y="{6 + side + 30:.0f}" text-anchor="middle">confidence</text>'
    )
    marks.append(f'<text class="tick" x="{34 + side + 8:.0f}" y="14">right</text>')
    return _svg(side + 42, title, marks)


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _axis(y: float, ticks: Sequence[tuple[float, str, str]]) -> str:
    texts = "".join(
        f'<text class="tick" x="{x:.1f}" y="{y + 15:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        for x, anchor, text in ticks
    )
    return f'<path class="axis" d="M{ticks[0][0]:.1f} {y:.1f}H{ticks[-1][0]:.1f}"/>{texts}'


def _svg(height: float, description: str, marks: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(description)}">'
        f"{''.join(marks)}</svg>"
    )
