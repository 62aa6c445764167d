"""Points on a plane, by category."""

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
