import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.integrity.reporting.oddities import Majority, majority, oddities, robust_z
from rakuten_assets_tests.integrity.gallery import scan_table


def kinds_of(images):
    """row -> kinds"""
    found = {}
    for oddity in oddities(images):
        assert len(oddity.rows) == len(oddity.detail)
        for row in oddity.rows.tolist():
            found.setdefault(row, set()).add(oddity.kind)
    return found


def test_a_healthy_collection_has_none():
    assert oddities(scan_table(500)) == []


@pytest.mark.parametrize(
    ("columns", "kinds"),
    [
        ({"width": 400}, {"odd_size"}),
        ({"width": 90, "height": 700}, {"odd_size", "odd_aspect_ratio"}),
        ({"mode": "CMYK"}, {"odd_mode"}),
        ({"mode": "L", "saturation": 0.0}, {"odd_mode", "grayscale"}),
        ({"saturation": 0.0}, {"grayscale"}),
        ({"brightness": 12.0, "contrast": 8.0}, {"dark"}),
        ({"brightness": 252.0, "contrast": 5.0}, {"light"}),
        ({"blur": 3.0}, {"blurry", "outlier"}),
        ({"entropy": 0.1}, {"low_information"}),
        ({"bytes": 50_000_000}, {"outlier"}),
    ],
)
def test_one_odd_image_among_many_is_found_and_nothing_else(columns, kinds):
    images = scan_table(300)
    for name, value in columns.items():
        images.loc[7, name] = value
    assert kinds_of(images) == {7: kinds}


def test_images_that_cannot_be_used_or_are_blank_are_left_out():
    images = scan_table(300)
    for row, column, value in ((1, "status", "unreadable"), (2, "blank", True), (3, "near_blank", True)):
        images.loc[row, ["width", "brightness", "entropy"]] = [10, 3.0, 0.0]
        images.loc[row, column] = value
    assert oddities(images) == []


def test_sizes_without_a_majority_are_judged_by_area():
    rng = np.random.default_rng(0)
    images = scan_table(400, width=rng.integers(300, 900, 400), height=rng.integers(300, 900, 400))
    images.loc[3, ["width", "height"]] = [8000, 7000]
    assert kinds_of(images) == {3: {"odd_size"}}
    assert majority(images).size_share < 0.1


def test_the_majority_is_that_of_whole_images():
    images = scan_table(10)
    images.loc[:6, "status"] = "unreadable"
    images.loc[:6, "mode"] = ""
    assert majority(images) == Majority((500, 500), 1.0, "RGB", 1.0)
    assert majority(images.iloc[:3]) == Majority((0, 0), 0.0, "", 0.0)
    assert oddities(images.iloc[:3]) == []
    assert oddities(scan_table(0)) == []


@given(st.lists(st.integers(-1000, 1000), max_size=50), st.integers(1, 100), st.integers(-1000, 1000))
@settings(max_examples=60, deadline=None)
def test_robust_z_is_free_of_scale_and_place(values, scale, shift):
    z = robust_z(values)
    assert len(z) == len(values)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(
        robust_z(np.array(values, dtype=float) * scale + shift), z, rtol=1e-9, atol=1e-9
    )


def test_robust_z_counts_standard_deviations_of_a_normal_distribution():
    values = np.random.default_rng(0).normal(5, 3, 20_000)
    assert robust_z(values).std() == pytest.approx(1, abs=0.03)
    assert robust_z([1, 1, 1, 9]).tolist() == [0, 0, 0, 0]
