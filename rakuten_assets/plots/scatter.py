"""Points on a plane: by category, and things by two measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rakuten_assets.plots import style
from rakuten_assets.units import human_count

# With the ink of quiet text as a seventh colour and four shapes: 28 categories that differ in more than colour.
_COLOURS = (*style.SERIES_COLOURS, style.QUIET_INK)
_SHAPES = ("o", "s", "^", "D")
_LEFT_OUT = "#B8C0C8"
_LARGEST, _SMALLEST = 26.0, 5.0


def scatter_png(
    points: npt.ArrayLike,
    categories: npt.ArrayLike,
    names: Sequence[str],
    title: str,
    subtitle: str = "",
    others: str = "",
) -> bytes:
    """Points by category, each with a colour and a shape of its own, with a legend.

    Args:
        points: numbers (n, 2); where they are matters to each other only, so there are no axes.
        categories: whole numbers (n,), 0 to len(names)-1; below 0: none, drawn pale and first.
        names: of the categories.
        others: what points without a category are.
    """
    plane, of = np.asarray(points, dtype=np.float64), np.asarray(categories, dtype=np.int64)
    figure, axes = style.new_chart(10.4, 7.4, title, subtitle, rules="")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    if not len(plane):
        style.say_empty(axes)
        return style.to_png(figure)
    size = float(np.clip(16_000 / len(plane), _SMALLEST, _LARGEST))
    for category in range(-1, len(names)):
        there = plane[of == category if category >= 0 else of < 0]
        name = names[category] if category >= 0 else others
        if not len(there):
            continue
        axes.scatter(
            there[:, 0],
            there[:, 1],
            s=size,
            color=_COLOURS[category % len(_COLOURS)] if category >= 0 else _LEFT_OUT,
            marker=_SHAPES[category // len(_COLOURS) % len(_SHAPES)] if category >= 0 else "x",
            linewidths=0.6 if category < 0 else 0,
            label=f"{name}  {human_count(len(there))}",
        )
    axes.set_aspect("equal", adjustable="datalim")
    style.add_legend(
        axes, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2 if size < _LARGEST else 1
    )
    return style.to_png(figure)


def tradeoff_png(
    across: Sequence[float],
    up: Sequence[tuple[float, float, float]],
    names: Sequence[str],
    best: Sequence[str],
    title: str,
    xlabel: str,
    ylabel: str,
    subtitle: str = "",
) -> bytes:
    """Things by two measures of which more is better, each named, with an interval of the second one.

    Args:
        across: the first measure of each, at least 0.
        up: the second: value, lower and upper end.
        names: of the things.
        best: names of those that no other one beats in both; they are filled and joined by a line.
    """
    figure, axes = style.new_chart(7.6, 4.6, title, subtitle, rules="y")
    style.name_axes(axes, xlabel, ylabel)
    if not names:
        style.say_empty(axes)
        return style.to_png(figure)
    joined = sorted((x, y) for x, (y, _, _), name in zip(across, up, names, strict=True) if name in best)
    axes.plot(*zip(*joined, strict=True), color=style.RULE, linewidth=1.4, zorder=1)
    for x, (y, low, high), name in zip(across, up, names, strict=True):
        chosen = name in best
        colour = style.BLUE if chosen else style.QUIET_INK
        axes.plot([x, x], [low, high], color=colour, linewidth=1.2, zorder=2)
        axes.scatter([x], [y], s=52, facecolor=colour if chosen else "white", edgecolor=colour, zorder=3)
        axes.annotate(
            name,
            (x, y),
            xytext=(8, 6),
            textcoords="offset points",
            fontsize=style.SMALL_POINTS,
            color=style.INK,
            parse_math=False,
        )
    axes.set_xlim(0, max(across) * 1.3 or 1)
    axes.margins(y=0.2)
    return style.to_png(figure)
