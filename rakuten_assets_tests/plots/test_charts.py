from __future__ import annotations

import io
import itertools
import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from rakuten_assets.dataset.labels import CLASS_NAMES, KNOWN_CLASS_COUNTS
from rakuten_assets.plots import (
    bars_png,
    boxes_png,
    class_distribution_png,
    curves_png,
    heatmap_png,
    histogram_png,
    picture_markdown,
    style,
    tradeoff_png,
)

NORMAL = np.random.default_rng(0).normal(size=(2, 500))
CODES = [str(code) for code in KNOWN_CLASS_COUNTS]
CHARTS: dict[str, Callable[[], bytes]] = {
    "classes": lambda: class_distribution_png(KNOWN_CLASS_COUNTS, CLASS_NAMES),
    "bars": lambda: bars_png(["ok", "missing"], [20, 3], "Images by status", "images"),
    "histogram": lambda: histogram_png({"train": NORMAL[0], "test": NORMAL[1]}, "Brightness", "grey level"),
    "boxes": lambda: boxes_png(dict(zip(CODES, itertools.repeat(NORMAL[0]))), "Brightness", "grey level"),
    "heatmap": lambda: heatmap_png(np.outer(range(27), range(27)), CODES, CODES, "Confusion"),
    "curves": lambda: curves_png(
        [("loss", {"training": [np.nan, 2.0, 1.0]}), ("score", {"a": [0.1, 0.4, 0.3]})],
        "Training",
        "epoch",
        marked=1,
    ),
    "trade-off": lambda: tradeoff_png(
        [190.0, 75.0],
        [(0.4, 0.3, 0.5), (0.3, 0.2, 0.4)],
        ["lite", "b0"],
        ["lite"],
        "Trade-off",
        "speed",
        "score",
    ),
    "small heatmap": lambda: heatmap_png([[1.0, 2.0], [3.0, np.nan]], ["a", "b"], ["c", "d"], "Table"),
}


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    assert image.format == "PNG"
    return image.convert("RGB")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_a_small_picture_and_the_same_each_time(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = CHARTS[name]()
    assert png == CHARTS[name]()
    assert len(png) < 150_000
    image = opened(png)
    assert 500 <= image.width <= 1600
    assert 200 <= image.height <= 1600
    # Something is drawn, and it stands on white.
    assert image.getpixel((0, 0)) == (255, 255, 255)
    assert len(image.getcolors(maxcolors=1 << 20) or []) > 20


def test_other_data_give_another_picture() -> None:
    assert bars_png(["a"], [1], "t") != bars_png(["a"], [2], "t")
    assert histogram_png({"a": NORMAL[0]}, "t", "x") != histogram_png({"a": NORMAL[1]}, "t", "x")
    assert heatmap_png([[1, 2]], ["a"], ["b", "c"], "t") != heatmap_png([[2, 1]], ["a"], ["b", "c"], "t")


def bar_pixels(png: bytes) -> list[int]:
    """Width in pixels of each bar, from the top."""
    pixels = np.asarray(opened(png)).astype(int)
    blue = (np.abs(pixels - [0x00, 0x72, 0xB2]).sum(axis=2) < 12).sum(axis=1)
    filled = (blue > 3).astype(int)
    starts, ends = np.flatnonzero(np.diff(filled) == 1) + 1, np.flatnonzero(np.diff(filled) == -1) + 1
    return [int(np.median(blue[start:end])) for start, end in zip(starts, ends, strict=True)]


def test_bars_are_as_long_as_their_values_and_in_the_order_given() -> None:
    widths = bar_pixels(bars_png(["a", "b", "c"], [10, 40, 20], "t"))
    assert len(widths) == 3
    assert np.allclose(np.array(widths) / widths[1], [0.25, 1, 0.5], atol=0.02)


def test_classes_are_sorted_by_size_from_the_top() -> None:
    widths = bar_pixels(class_distribution_png({10: 5, 40: 20, 60: 10}))
    assert widths == sorted(widths, reverse=True)
    assert len(widths) == 3


@pytest.mark.parametrize(
    "draw",
    [
        lambda: class_distribution_png({}),
        lambda: class_distribution_png({10: 0}),
        lambda: bars_png([], [], "t"),
        lambda: bars_png(["a"], [0], "t"),
        lambda: bars_png(["a", "b"], [-3, 2], "t"),
        lambda: histogram_png({}, "t", "x"),
        lambda: histogram_png({"a": []}, "t", "x"),
        lambda: histogram_png({"a": [np.nan, np.inf], "b": [1.0]}, "t", "x"),
        lambda: histogram_png({"a": [5.0, 5.0]}, "t", "x"),
        lambda: boxes_png({}, "t", "x"),
        lambda: boxes_png({"a": [], "b": [np.nan], "c": [1.0]}, "t", "x", share_axis=True),
        lambda: heatmap_png(np.empty((0, 0)), [], [], "t"),
        lambda: heatmap_png([[np.nan]], ["a"], ["b"], "t"),
        lambda: heatmap_png([[7, 7]], ["a"], ["b", "c"], "t"),
        lambda: tradeoff_png([], [], [], [], "t", "x", "y"),
        lambda: tradeoff_png([0.0], [(0.0, 0.0, 0.0)], ["a"], [], "t", "x", "y"),
        lambda: curves_png([("y", {})], "t", "x"),
        lambda: curves_png([("y", {"a": [np.nan]}), ("z", {"a": [1.0]})], "t", "x", marked=0),
    ],
)
def test_nothing_to_draw_is_drawn_too(draw: Callable[[], bytes]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(draw())


def test_text_is_text_and_not_a_formula() -> None:
    odd = "$broken^{ 100% \\frac$"  # Two dollar signs: a formula, and a wrong one.
    opened(bars_png([odd], [1], odd, odd, subtitle=odd))
    opened(histogram_png({odd: [1.0, 2.0]}, odd, odd))
    opened(heatmap_png([[1]], [odd], [odd], odd, odd, odd, scale_label=odd))
    opened(tradeoff_png([1.0], [(0.5, 0.4, 0.6)], [odd], [odd], odd, odd, odd, odd))
    opened(curves_png([(odd, {odd: [1.0, 2.0]})], odd, odd, odd))


def test_many_rows_are_cut_and_it_is_said() -> None:
    many = [f"row {number}" for number in range(500)]
    assert opened(bars_png(many, list(range(500)), "t")).height < 1800


def test_more_series_than_colours_are_refused_rather_than_dropped() -> None:
    with pytest.raises(ValueError, match="at most 6"):
        histogram_png({str(number): [1.0, 2.0] for number in range(7)}, "t", "x")
    with pytest.raises(ValueError, match="one to 6"):
        curves_png([("y", {str(number): [1.0, 2.0] for number in range(7)})], "t", "x")


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("colour", [style.INK, style.QUIET_INK])
def test_text_has_enough_contrast_to_white(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_drawing_leaves_matplotlibs_global_state_alone() -> None:
    code = (
        "import sys; from rakuten_assets import plots; assert 'matplotlib' not in sys.modules;"
        "plots.contact_sheet_jpeg([(None, 'a')]); assert 'matplotlib' not in sys.modules;"
        "plots.bars_png(['a'], [1], 't'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_markdown_holds_the_picture() -> None:
    text = picture_markdown(b"\x89PNG", "Rows [train]\nby class")
    assert text == "![Rows (train) by class](data:image/png;base64,iVBORw==)"
    assert picture_markdown(b"\xff\xd8\xff", "sheet") == "![sheet](data:image/jpeg;base64,/9j/)"
