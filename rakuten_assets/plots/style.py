"""The look that all charts share: colours, sizes, axes, and how a figure becomes PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design", 2008: told apart with every common kind of colour blindness.
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
SERIES_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
# A second sign beside the colour.
SERIES_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
INK, QUIET_INK, RULE = "#1F2328", "#59636E", "#D1D9E0"
# Perceptually even and nearly the same for readers with and without red-green blindness.
COLOUR_MAP = "cividis"

_DOTS_PER_INCH = 110
_MARGIN_INCHES = 0.12
_TITLE_POINTS, TEXT_POINTS, SMALL_POINTS = 13.0, 10.0, 9.0


def new_chart(
    width: float, height: float, title: str, subtitle: str = "", rules: Literal["x", "y", ""] = "x"
) -> tuple[Figure, Axes]:
    """An empty chart with its heading; sizes in inches.

    Args:
        rules: the axis ("x", "y") that gets thin guide lines, or "".
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=_MARGIN_INCHES, h_pad=_MARGIN_INCHES)
    # Not through pyplot: that keeps figures in a global list and picks a window system.
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(
        title,
        loc="left",
        fontsize=_TITLE_POINTS,
        fontweight="bold",
        color=INK,
        pad=25 if subtitle else 10,
        parse_math=False,
    )
    if subtitle:
        axes.annotate(
            subtitle,
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(0, 9),
            textcoords="offset points",
            fontsize=TEXT_POINTS,
            color=QUIET_INK,
            parse_math=False,
        )
    _calm(axes, rules)
    return figure, axes


def further_axes(figure: Figure, place: Any, rules: Literal["x", "y", ""] = "y") -> Axes:
    """Further axes of a chart, without a heading of their own, at a place of its grid."""
    axes = figure.add_subplot(place)
    _calm(axes, rules)
    return axes


def _calm(axes: Axes, rules: Literal["x", "y", ""]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=QUIET_INK, labelsize=SMALL_POINTS, length=0)
    if rules:
        axes.grid(axis=rules, color=RULE, linewidth=0.7)
        axes.set_axisbelow(True)


def name_axes(axes: Axes, xlabel: str = "", ylabel: str = "") -> None:
    """Write what the axes measure."""
    axes.set_xlabel(xlabel, fontsize=TEXT_POINTS, color=INK, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=TEXT_POINTS, color=INK, parse_math=False)


def name_rows(axes: Axes, labels: Sequence[str], points: float = SMALL_POINTS) -> None:
    """Label the rows 0, 1, ... of a horizontal chart, the first at the top."""
    axes.set_yticks(range(len(labels)), labels, fontsize=points, color=INK)
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def add_legend(axes: Axes, **more: Any) -> None:
    """A legend of what is labelled; `more` goes to `Axes.legend`."""
    legend = axes.legend(frameon=False, fontsize=SMALL_POINTS, labelcolor=INK, **more)
    for text in legend.get_texts():
        text.set_parse_math(False)


def say_empty(axes: Axes) -> None:
    """Say in the middle of a chart that there is nothing to show."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", color=QUIET_INK)


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes: the same data, the same bytes (no date, no version in them)."""
    drawn, buffer = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    # A chart has few colours: a palette takes a third of the bytes, which live in Dagster's event log.
    palette = (
        Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    )
    palette.save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()
