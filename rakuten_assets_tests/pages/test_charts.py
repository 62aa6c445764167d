import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from rakuten_assets.pages.charts import WIDTH, Interval, histogram_svg, intervals_svg


def whole(value: float) -> str:
    return f"{value:.0f}"


def numbers_in(path: str) -> list[float]:
    return [float(number) for number in path.translate(str.maketrans("MLHvhz", "      ")).split()]


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_a_histogram_is_drawing_and_text(count):
    values = np.random.default_rng(0).normal(100, 20, count)
    svg = histogram_svg({"train": values, "test": values + 5}, "Brightness <b>", whole)
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"].startswith("Brightness <b>, from ")
    assert {path.attrib["class"] for path in root.iter("path")} == {"bars", "line", "axis"}
    xs = [float(text.attrib["x"]) for text in root.iter("text")]
    assert min(xs) >= 0
    assert max(xs) <= WIDTH


def test_a_histogram_shows_shares():
    svg = histogram_svg({"all": np.array([0.0, 0.0, 0.0, 1.0])}, "x", whole, bins=2)
    (bars,) = [path for path in ElementTree.fromstring(svg).iter("path") if path.attrib["class"] == "bars"]
    heights = [abs(number) for number in numbers_in(bars.attrib["d"])[2::5]]
    assert heights[0] == pytest.approx(3 * heights[1], rel=0.01)


@pytest.mark.parametrize("values", [np.empty(0), np.array([3.0]), np.array([3.0, 3.0])])
def test_values_without_a_range_are_no_error(values):
    svg = histogram_svg({"all": values}, "x", whole)
    assert svg == "" if not len(values) else ElementTree.fromstring(svg) is not None


def test_intervals_have_a_row_a_class():
    rows = [Interval("10", (1, 2, 3, 4, 5)), Interval("<script>alert(1)</script>", (3, 3, 3, 3, 3))]
    svg = intervals_svg(rows, "Brightness", whole)
    assert "<script" not in svg
    root = ElementTree.fromstring(svg)
    assert [float(dot.attrib["cx"]) for dot in root.iter("circle")] == sorted(
        float(dot.attrib["cx"]) for dot in root.iter("circle")
    )
    assert len(list(root.iter("g"))) == 2
    assert intervals_svg([], "Brightness", whole) == ""
