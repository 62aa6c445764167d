"""Charts of counts and distributions. Each function returns PNG bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rakuten_assets.plots import style
from rakuten_assets.units import human_count

_MOST_ROWS = 60  # A taller chart is scrolled, not read.
_MOST_CELLS_ACROSS_WITH_NUMBERS = 15
_ROW_INCHES = 0.235


def class_distribution_png(
    counts: Mapping[int, int], names: Mapping[int, str] | None = None, title: str = "Class distribution"
) -> bytes:
    """Rows a class, the largest first, with the imbalance ratio (largest / smallest).

    Args:
        counts: code -> rows.
        names: code -> name, written beside the code.
    """
    codes = sorted(counts, key=lambda code: (-counts[code], code))
    labels = [f"{names[code]}  {code}" if names and code in names else str(code) for code in codes]
    total = sum(counts.values())
    subtitle = f"{human_count(total)} rows, {human_count(len(codes))} classes"
    smallest = min(counts.values(), default=0)
    if smallest > 0:
        subtitle += f", largest to smallest {max(counts.values()) / smallest:.2f}"
    values = [counts[code] for code in codes]
    notes = [f"{human_count(value)}  ({value / max(total, 1):.1%})" for value in values]
    return _bars(labels, values, title, "rows", subtitle, notes)


def bars_png(
    labels: Sequence[str],
    values: Sequence[float],
    title: str,
    xlabel: str = "",
    subtitle: str = "",
    value_format: str = "{:,.0f}",
) -> bytes:
    """Horizontal bars in the order given, the first at the top, each with its value.

    Args:
        value_format: how a value is written at its bar, for `str.format`.
    """
    return _bars(labels, values, title, xlabel, subtitle, [value_format.format(value) for value in values])


def histogram_png(
    series: Mapping[str, npt.ArrayLike],
    title: str,
    xlabel: str,
    bins: int = 40,
    subtitle: str = "",
    things: str = "rows",
) -> bytes:
    """Distributions over the same bins, each as the share of its own numbers, so that sizes do not matter.

    Args:
        series: name -> numbers (n,), at most six; values that are not finite are left out and counted.
        things: what is counted, in the plural.

    Raises:
        ValueError: for more than six series, which nobody could tell apart.
    """
    if len(series) > len(style.SERIES_COLOURS):
        raise ValueError(
            f"{len(series)} series in one histogram; at most {len(style.SERIES_COLOURS)} are legible"
        )
    figure, axes = style.new_chart(8.4, 4.2, title, subtitle, rules="y")
    finite = {}
    for name, values in series.items():
        numbers = np.asarray(values, dtype=np.float64).ravel()
        finite[name] = numbers[np.isfinite(numbers)]
    pooled = np.concatenate(list(finite.values())) if finite else np.empty(0)
    style.name_axes(axes, xlabel, f"share of {things}")
    if not pooled.size:
        style.say_empty(axes)
        return style.to_png(figure)
    edges = np.histogram_bin_edges(pooled, bins=bins)
    looks = zip(style.SERIES_COLOURS, style.SERIES_LINES, strict=True)
    for (name, numbers), (colour, line) in zip(finite.items(), looks, strict=False):
        shares = np.histogram(numbers, bins=edges)[0] / max(numbers.size, 1)
        left_out = np.size(series[name]) - numbers.size
        label = f"{name} ({human_count(numbers.size)}" + (f", {left_out:,} not finite)" if left_out else ")")
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.18)
        axes.stairs(shares, edges, color=colour, linestyle=line, linewidth=1.8, label=label)
    axes.yaxis.set_major_formatter(
        lambda share, _: f"{share:.0%}" if share >= 0.01 or not share else f"{share:.1%}"
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.margins(x=0.01)
    axes.set_ylim(bottom=0)
    style.add_legend(axes)
    return style.to_png(figure)


def boxes_png(
    groups: Mapping[str, npt.ArrayLike], title: str, xlabel: str, subtitle: str = "", share_axis: bool = False
) -> bytes:
    """The spread of a measure by group: median, middle half (box) and 5th to 95th percentile (line).

    Args:
        groups: name -> numbers (n,), drawn in this order from the top; values that are not finite are
            left out.
        share_axis: write the axis in per cent.
    """
    names = list(groups)[:_MOST_ROWS]
    reading = "bar: middle half; line: 5th to 95th percentile; tick: median"
    figure, axes = style.new_chart(
        8.4, 1.3 + _ROW_INCHES * max(len(names), 3), title, f"{subtitle}; {reading}" if subtitle else reading
    )
    for row, name in enumerate(names):
        numbers = np.asarray(groups[name], dtype=np.float64).ravel()
        numbers = numbers[np.isfinite(numbers)]
        if not numbers.size:
            continue
        low, first, median, third, high = np.percentile(numbers, (5, 25, 50, 75, 95))
        axes.hlines(row, low, high, color=style.BLUE, linewidth=1.2, zorder=1.5)
        axes.barh(
            row, third - first, left=first, height=0.62, color=style.SKY, edgecolor=style.BLUE, linewidth=0.8
        )
        axes.vlines(median, row - 0.31, row + 0.31, color=style.INK, linewidth=2)
    if not names:
        style.say_empty(axes)
        return style.to_png(figure)
    style.name_rows(axes, names)
    style.name_axes(axes, xlabel)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if share_axis else f"{value:,.10g}")
    return style.to_png(figure)


def heatmap_png(
    values: npt.ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    xlabel: str = "",
    ylabel: str = "",
    subtitle: str = "",
    value_format: str = "{:,.0f}",
    scale_label: str = "",
) -> bytes:
    """A table as colours; up to 15 cells across, each also as a number.

    Args:
        values: float (len(rows), len(columns)); a cell that is not finite stays grey.
    """
    table = np.asarray(values, dtype=np.float64).reshape(len(rows), len(columns))
    side = 0.5 if max(table.shape, default=0) <= _MOST_CELLS_ACROSS_WITH_NUMBERS else 0.265
    size = (min(3.2 + side * len(columns), 14.0), min(1.9 + side * len(rows), 14.0))
    figure, axes = style.new_chart(max(size[0], 6.4), max(size[1], 2.6), title, subtitle, rules="")
    style.name_axes(axes, xlabel, ylabel)
    if not table.size:
        style.say_empty(axes)
        return style.to_png(figure)
    shown = np.ma.masked_invalid(table)
    axes.set_facecolor("#EEEEEE")
    image = axes.imshow(shown, cmap=style.COLOUR_MAP, aspect="auto", interpolation="nearest")
    style.name_rows(axes, rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    crowded = len(columns) > _MOST_CELLS_ACROSS_WITH_NUMBERS or max(map(len, columns)) > 6
    axes.set_xticks(range(len(columns)), columns, fontsize=style.SMALL_POINTS, color=style.INK)
    for text in axes.get_xticklabels():
        text.set(parse_math=False, rotation=90 if crowded else 0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.03, aspect=35)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=style.QUIET_INK, labelsize=style.SMALL_POINTS, length=0)
    bar.set_label(scale_label, fontsize=style.SMALL_POINTS, color=style.INK, parse_math=False)
    if max(table.shape) <= _MOST_CELLS_ACROSS_WITH_NUMBERS:
        middle = (float(shown.min()) + float(shown.max())) / 2 if shown.count() else 0.0
        for row, column in np.argwhere(np.isfinite(table)):
            number = table[row, column]
            axes.text(
                column,
                row,
                value_format.format(number),
                ha="center",
                va="center",
                fontsize=style.SMALL_POINTS,
                color="white" if number <= middle else style.INK,
                parse_math=False,
            )
    return style.to_png(figure)


def reliability_png(
    curves: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]], title: str, subtitle: str = ""
) -> bytes:
    """How often predictions of each confidence are right, beside the diagonal on which confidence is that share.

    Args:
        curves: name -> of each bin, mean confidence (bins,), share of hits (bins,), predictions (bins,); bins without a
            prediction are left out.

    Raises:
        ValueError: for more than six curves, which nobody could tell apart.
    """
    if len(curves) > len(style.SERIES_COLOURS):
        raise ValueError(
            f"{len(curves)} curves in one chart; at most {len(style.SERIES_COLOURS)} are legible"
        )
    reading = "below the diagonal: too sure; a dot grows with its predictions"
    figure, axes = style.new_chart(
        6.4, 6.0, title, f"{subtitle}; {reading}" if subtitle else reading, rules=""
    )
    style.name_axes(axes, "confidence", "share of hits")
    axes.plot([0, 1], [0, 1], color=style.QUIET_INK, linewidth=1, linestyle=(0, (4, 3)))
    looks = zip(style.SERIES_COLOURS, style.SERIES_LINES, strict=True)
    for (name, (confidence, accuracy, count)), (colour, line) in zip(curves.items(), looks, strict=False):
        tally = np.asarray(count, dtype=np.float64)
        filled = tally > 0
        across, up = (
            np.asarray(confidence, dtype=np.float64)[filled],
            np.asarray(accuracy, dtype=np.float64)[filled],
        )
        axes.plot(across, up, color=colour, linestyle=line, linewidth=1.6, label=name)
        axes.scatter(across, up, s=8 + 80 * tally[filled] / tally.max(initial=1), color=colour, zorder=3)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:.0%}")
    style.add_legend(axes, loc="upper left")
    return style.to_png(figure)


def _bars(
    labels: Sequence[str],
    values: Sequence[float],
    title: str,
    xlabel: str,
    subtitle: str,
    notes: Sequence[str],
) -> bytes:
    shown = min(len(labels), _MOST_ROWS)
    if shown < len(labels):
        cut = f"first {shown} of {human_count(len(labels))}"
        subtitle = f"{subtitle}; {cut}" if subtitle else cut
    figure, axes = style.new_chart(8.4, 1.3 + _ROW_INCHES * max(shown, 3), title, subtitle)
    style.name_axes(axes, xlabel)
    if not shown:
        style.say_empty(axes)
        return style.to_png(figure)
    axes.barh(range(shown), values[:shown], height=0.72, color=style.BLUE)
    style.name_rows(axes, labels[:shown])
    for row in range(shown):
        axes.annotate(
            notes[row],
            xy=(max(values[row], 0), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL_POINTS,
            color=style.QUIET_INK,
            parse_math=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    axes.margins(x=0.2)
    axes.set_xlim(left=min(0, *values[:shown], 0))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    return style.to_png(figure)
