"""Curves over steps or epochs, such as a training's scores. PNG bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rakuten_assets.plots import style


def curves_png(
    panels: Sequence[tuple[str, Mapping[str, npt.ArrayLike]]],
    title: str,
    xlabel: str,
    subtitle: str = "",
    marked: int | None = None,
) -> bytes:
    """Curves over 0, 1, 2..., one panel below the other, as quantities of different units need it.

    Args:
        panels: of each, what its axis measures, and name -> values (n,); values that are not finite are left out.
        marked: where a line stands, such as the epoch whose weights are kept; None: nowhere.

    Raises:
        ValueError: for no panel, or more than six curves in one, which nobody could tell apart.
    """
    if not panels or any(len(curves) > len(style.SERIES_COLOURS) for _, curves in panels):
        raise ValueError(
            f"one to {len(style.SERIES_COLOURS)} curves a panel are legible, in at least one panel"
        )
    from matplotlib.ticker import MaxNLocator  # with the first chart, as matplotlib itself

    figure, first = style.new_chart(8.4, 1.1 + 2.5 * len(panels), title, subtitle, rules="y")
    grid = figure.add_gridspec(len(panels), 1)
    first.set_subplotspec(grid[0])
    for place, (measure, curves) in enumerate(panels):
        axes = first if not place else style.further_axes(figure, grid[place])
        style.name_axes(axes, xlabel if place == len(panels) - 1 else "", measure)
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in curves.items()}
        if not any(np.isfinite(values).any() for values in arrays.values()):
            style.say_empty(axes)
            continue
        looks = zip(style.SERIES_COLOURS, style.SERIES_LINES, strict=True)
        for (name, values), (colour, line) in zip(arrays.items(), looks, strict=False):
            there = np.flatnonzero(np.isfinite(values))
            axes.plot(there, values[there], color=colour, linestyle=line, linewidth=1.8, marker="o", markersize=3.5,
                      label=name)  # fmt: skip
        if marked is not None:
            axes.axvline(marked, color=style.QUIET_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        style.add_legend(axes)
    return style.to_png(figure)
