"""Each measure against its definition written down in plain NumPy, on images of every shape."""

from __future__ import annotations

import dataclasses
import math
import os
import threading
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rakuten_assets.images.decoding import decode_rgb
from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.reading import measures as module
from rakuten_assets.integrity.reading.measures import Measures, measure_pixels
from rakuten_assets.integrity.reading.schema import NEAR_BLANK_RANGE, SCAN_COLUMNS
from rakuten_assets.runtime.compilation import CompiledKernels
from rakuten_assets_tests.images.pictures import noise, smooth

Pixels = npt.NDArray[np.uint8]


def sampled_rows(rgb: Pixels) -> list[int]:
    step = max(1, len(rgb) // 32)
    return list(range(step // 2, len(rgb), step))


def luma(rgb: Pixels) -> npt.NDArray[np.int64]:
    return np.asarray(Image.fromarray(rgb).convert("L"), dtype=np.int64)


def reference(rgb: Pixels) -> dict[str, float | int | bool]:
    """The definitions, as directly as NumPy and Pillow can say them."""
    height, width = rgb.shape[:2]
    rows = sampled_rows(rgb)
    sample = luma(rgb)[rows]
    shares = np.bincount(sample.ravel(), minlength=256) / sample.size
    shares = shares[shares > 0]
    inner = [y for y in rows if 0 < y < height - 1] if width > 2 else []
    wide = rgb.astype(np.int64)
    laplacian = [
        wide[y - 1, 1:-1] + wide[y + 1, 1:-1] + wide[y, :-2] + wide[y, 2:] - 4 * wide[y, 1:-1] for y in inner
    ]
    white = (rgb >= 245).all(axis=2)
    columns, lines = np.flatnonzero(~white.all(axis=0)), np.flatnonzero(~white.all(axis=1))
    box = (columns[0], lines[0], columns[-1] + 1, lines[-1] + 1) if columns.size else (0, 0, 0, 0)
    spread = (wide.max(axis=(0, 1)) - wide.min(axis=(0, 1))).max()
    return {
        "brightness": (wide @ [19595, 38470, 7471]).mean() / 65536,
        "contrast": sample.std(),
        "entropy": -(shares * np.log2(shares)).sum(),
        "blur": np.var(laplacian) if laplacian else 0.0,
        "saturation": np.asarray(Image.fromarray(rgb[rows]).convert("HSV"), dtype=float)[..., 1].mean(),
        "white_share": white.mean(),
        "box_left": box[0],
        "box_top": box[1],
        "box_right": box[2],
        "box_bottom": box[3],
        "removable_share": 1 - (box[2] - box[0]) * (box[3] - box[1]) / (height * width),
        "blank": spread == 0,
        "near_blank": spread <= 16,
    }


def measured(rgb: Pixels, *, compiled: bool) -> Measures:
    worth_from = 0 if compiled else 10**9
    kernels = CompiledKernels("rakuten_assets.integrity.reading.kernels", worth_from)
    with patch.object(module, "KERNELS", kernels):
        return measure_pixels(rgb)


def assert_as_defined(rgb: Pixels) -> Measures:
    measures = measured(rgb, compiled=True)
    assert measured(rgb, compiled=False) == measures
    for name, expected in reference(rgb).items():
        found = getattr(measures, name)
        if isinstance(found, float):
            assert found == pytest.approx(expected, abs=2e-9, rel=1e-12), name
        else:
            assert found == expected, name
    return measures


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(1, 130),
    width=st.integers(1, 90),
    seed=st.integers(0, 10_000),
    low=st.sampled_from([0, 0, 200, 240, 250]),
    borders=st.tuples(*[st.integers(0, 40)] * 4),
)
def test_measures_are_as_defined(
    height: int, width: int, seed: int, low: int, borders: tuple[int, int, int, int]
) -> None:
    rgb = np.random.default_rng(seed).integers(low, 256, (height, width, 3), dtype=np.uint8)
    left, top, right, bottom = borders
    rgb[:top], rgb[:, :left] = 255, 250
    rgb[height - min(bottom, height) :], rgb[:, width - min(right, width) :] = 246, 245
    assert_as_defined(rgb)


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 700), (700, 1), (2, 2), (3, 3), (31, 5), (32, 5), (33, 5), (63, 7), (64, 7), (500, 500)],
)
def test_odd_shapes(height: int, width: int) -> None:
    assert_as_defined(noise(width, height, height))


@pytest.mark.parametrize(
    ("height", "width"),
    [(32 * 257, 4), (32 * 258, 3), (65_535, 1), (3, 2048 // 3 + 5), (3, 65_535), (300, 4000)],
)
def test_sums_do_not_overflow(height: int, width: int) -> None:
    # At full brightness and with the strongest edges: 16 bits hold 257 rows of 255, 31 bits 2048 squares of 1020.
    rgb = np.full((height, width, 3), 255, np.uint8)
    assert_as_defined(rgb)
    rgb[::2, ::2] = rgb[1::2, 1::2] = 0
    assert_as_defined(rgb)


@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (255, 255, 255), (12, 200, 90), (245, 245, 245), (244, 255, 255)]
)
def test_blank(colour: tuple[int, int, int]) -> None:
    measures = assert_as_defined(np.full((61, 47, 3), colour, np.uint8))
    assert (measures.blank, measures.near_blank) == (True, True)
    assert (measures.contrast, measures.entropy, measures.blur) == (0.0, 0.0, 0.0)
    assert measures.removable_share == (1.0 if min(colour) >= 245 else 0.0)


def test_one_pixel_off_is_not_blank_wherever_it_is() -> None:
    for y in range(0, 200, 3):
        rgb = np.full((200, 9, 3), 128, np.uint8)
        rgb[y, 4, 1] += NEAR_BLANK_RANGE
        measures = measure_pixels(rgb)
        assert (measures.blank, measures.near_blank) == (False, True)
        rgb[y, 4, 1] += 1
        assert not measure_pixels(rgb).near_blank


def test_border_box_counts_every_channel() -> None:
    for channel in range(3):
        rgb = np.full((100, 80, 3), 250, np.uint8)
        rgb[13, 17, channel] = rgb[77, 60, channel] = 244
        measures = measure_pixels(rgb)
        box = (measures.box_left, measures.box_top, measures.box_right, measures.box_bottom)
        assert box == (17, 13, 61, 78)
        assert measures.removable_share == pytest.approx(1 - 44 * 65 / 8000)
        assert measures.white_share == (8000 - 2) / 8000


def test_sharp_is_sharper_than_soft() -> None:
    soft = np.asarray(smooth(200, 200))
    sharp = np.asarray(smooth(50, 50).resize((200, 200), Image.Resampling.NEAREST))
    assert measure_pixels(sharp).blur > 3 * measure_pixels(soft).blur


def test_read_only_pixels_are_measured() -> None:
    rgb = np.asarray(smooth(60, 50))
    assert not rgb.flags.writeable
    assert_as_defined(rgb)


def test_measures_are_columns_of_the_scan() -> None:
    names = [field.name for field in dataclasses.fields(Measures)]
    assert [name for name in SCAN_COLUMNS if name in names] == names


def test_any_number_of_threads_measures_the_same() -> None:
    pictures = [np.asarray(smooth(120 + n, 90 + n, n)) for n in range(6)]
    expected = [measure_pixels(picture) for picture in pictures]
    found: list[list[Measures]] = []

    def work() -> None:
        found.append([measure_pixels(picture) for picture in pictures for _ in range(20)][::20])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@pytest.mark.skipif("REAL_SAMPLE_DIR" not in os.environ, reason="REAL_SAMPLE_DIR is not set (private data)")
def test_real_photos_are_as_defined() -> None:
    files = sorted(Path(os.environ["REAL_SAMPLE_DIR"]).glob("**/image_*.jpg"))[::40]
    assert files
    for file in files:
        measures = assert_as_defined(decode_rgb(file.read_bytes(), DecodeLimits(10**6, 10**6)))
        assert math.isfinite(measures.blur)
