"""Hashes: equal for equal pictures, near for similar ones, far for others; and as the textbook defines them."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rakuten_assets.integrity.reading.measures import measure_pixels
from rakuten_assets_tests.images.pictures import encoded, noise, pillow_rgb, smooth

Pixels = npt.NDArray[np.uint8]


def pixel_sha256(rgb: Pixels) -> str:
    return measure_pixels(rgb).pixel_sha256


def distance(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def area_mean(rgb: Pixels, rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Mean luma over a grid of equal areas, by blowing every pixel up until the grid cuts none."""
    gray = (rgb.astype(np.float64) @ [19595, 38470, 7471]) / 65536
    height, width = gray.shape
    tall = np.repeat(gray, rows, axis=0).reshape(rows, height, width).mean(axis=1)
    return np.repeat(tall, columns, axis=1).reshape(rows, columns, width).mean(axis=2)


def textbook_phash_margins(rgb: Pixels) -> npt.NDArray[np.float64]:
    cells = area_mean(rgb, 32, 32)
    basis = np.cos(np.pi / 64 * np.outer(np.arange(8), 2 * np.arange(32) + 1))
    low = basis @ cells @ basis.T
    return (low - np.median(low)).ravel()


def bits(value: int) -> npt.NDArray[np.bool_]:
    return np.array([bool(value >> (63 - n) & 1) for n in range(64)])


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 10_000))
def test_hashes_are_the_textbooks(height: int, width: int, seed: int) -> None:
    rgb = noise(width, height, seed)
    measures = measure_pixels(rgb)
    margins = textbook_phash_margins(rgb)
    clear = np.abs(margins) > 2  # cells are rounded to 1/256, cosines to 1/8192
    np.testing.assert_array_equal(bits(measures.phash)[clear], margins[clear] > 0)
    steps = np.diff(area_mean(rgb, 8, 9), axis=1).ravel()
    clear = np.abs(steps) > 1e-9
    np.testing.assert_array_equal(bits(measures.dhash)[clear], steps[clear] > 0)


def test_half_of_the_phash_is_set() -> None:
    for seed in range(20):
        assert measure_pixels(noise(50, 40, seed)).phash.bit_count() == 32


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_blank_picture_has_only_its_mean(level: int) -> None:
    for size in [(1, 1), (37, 41), (500, 500)]:
        measures = measure_pixels(np.full((*size, 3), level, np.uint8))
        assert measures.phash in (0, 1 << 63)
        assert measures.dhash == 0


def test_similar_pictures_are_near_and_others_far() -> None:
    for seed in range(10):
        picture = smooth(500, 400, seed)
        original = measure_pixels(np.asarray(picture))
        variants = {
            "recompressed": pillow_rgb(encoded(picture, quality=40)),
            "smaller": np.asarray(picture.resize((250, 200), Image.Resampling.LANCZOS)),
            "brighter": np.minimum(np.asarray(picture, np.uint16) + 8, 255).astype(np.uint8),
        }
        for name, pixels in variants.items():
            near = measure_pixels(np.ascontiguousarray(pixels))
            assert distance(near.phash, original.phash) <= 6, name
            assert distance(near.dhash, original.dhash) <= 6, name
        other = measure_pixels(np.asarray(smooth(500, 400, seed + 100)))
        assert distance(other.phash, original.phash) >= 12


def test_a_mirrored_picture_has_every_dhash_bit_turned() -> None:
    rgb = np.asarray(smooth(90, 80))
    mirrored = np.ascontiguousarray(rgb[:, ::-1])
    expected = (~bits(measure_pixels(rgb).dhash)).reshape(8, 8)[:, ::-1]
    np.testing.assert_array_equal(bits(measure_pixels(mirrored).dhash).reshape(8, 8), expected)


def test_pixel_hash_can_be_had_without_this_package() -> None:
    rgb = np.full((30, 20, 3), 255, np.uint8)
    rgb[7, 3] = rgb[19, 8] = (255, 254, 255)
    box = rgb[7:20, 3:9].copy()
    assert pixel_sha256(rgb) == hashlib.sha256(b"30x20+3+7:" + box.tobytes()).hexdigest()
    assert pixel_sha256(box) == hashlib.sha256(b"13x6+0+0:" + box.tobytes()).hexdigest()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_pixel_hashes_are_equal_exactly_for_equal_pictures(data: st.DataObject) -> None:
    def picture() -> Pixels:
        height, width = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
        values = st.sampled_from([0, 254, 255, 255, 255])
        size = 3 * height * width
        flat = data.draw(st.lists(values, min_size=size, max_size=size))
        return np.array(flat, np.uint8).reshape(height, width, 3)

    one, other = picture(), picture()
    assert (pixel_sha256(one) == pixel_sha256(other)) == np.array_equal(one, other)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (24, 1), (1, 24), (2, 12)])
def test_white_pictures_of_different_sizes_differ(shape: tuple[int, int]) -> None:
    white = pixel_sha256(np.full((*shape, 3), 255, np.uint8))
    assert white != pixel_sha256(np.full((3, 8, 3), 255, np.uint8))
    height, width = shape
    assert white == hashlib.sha256(f"{height}x{width}+0+0:".encode()).hexdigest()


def test_files_that_differ_in_their_bytes_only_share_the_pixel_hash() -> None:
    progressive, baseline = (encoded(smooth(80, 60), progressive=flag) for flag in (True, False))
    assert progressive != baseline
    hashes = {
        pixel_sha256(np.asarray(Image.open(io.BytesIO(content)))) for content in (progressive, baseline)
    }
    assert len(hashes) == 1
