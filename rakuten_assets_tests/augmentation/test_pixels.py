"""Each operation on values against a plain reference: numpy, colorsys, Pillow, torchvision."""

from __future__ import annotations

import colorsys
import io

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import stats
from torchvision.transforms.v2 import functional

from rakuten_assets.augmentation import (
    BrightnessContrast,
    CoarseDropout,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    HueSaturationValue,
    JpegCompression,
    ToGrey,
)
from rakuten_assets.augmentation.operations import AddNoise, Blur, Grey, LookUp, Recompress, ShiftHsv, fused
from rakuten_assets.augmentation.quality import noise_of_variance
from rakuten_assets.augmentation.randomness import Stream, normal_quantiles, random_words, sample_key
from rakuten_assets.augmentation.rendering import render
from rakuten_assets_tests.augmentation.pictures import noise, smooth


def stream(row: int = 0) -> Stream:
    return Stream(sample_key(0, "test", row, 0))


def test_brightness_is_added_and_contrast_multiplies_about_black() -> None:
    seen = []
    for row in range(300):
        (look_up,) = BrightnessContrast(brightness=0.2, contrast=0.3).draw(stream(row), 1, 1)
        numbers = stream(row)
        contrast, brightness = numbers.uniform(0.7, 1.3), numbers.uniform(-0.2, 0.2)
        seen.append((contrast, brightness))
        expected = np.clip(np.rint(np.arange(256) * contrast + 255 * brightness), 0, 255)
        assert list(look_up.table) == expected.tolist()
    lowest, highest = np.min(seen, axis=0), np.max(seen, axis=0)
    assert lowest == pytest.approx([0.7, -0.2], abs=0.02)
    assert highest == pytest.approx([1.3, 0.2], abs=0.02)


def test_gamma_is_torchvisions() -> None:
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, 16, 16)
    for row in range(20):
        (look_up,) = Gamma(gamma=(0.7, 1.3)).draw(stream(row), 1, 1)
        theirs = functional.adjust_gamma(values, gamma=stream(row).uniform(0.7, 1.3))[0].ravel().numpy()
        assert np.abs(np.frombuffer(look_up.table, np.uint8).astype(int) - theirs).max() <= 1


def test_tables_become_one_table_exactly() -> None:
    tables = [Gamma().draw(stream(row), 1, 1)[0] for row in range(3)]
    picture = noise(40, 50)
    expected = picture
    for one in tables:
        expected = np.frombuffer(one.table, np.uint8)[expected]
    assert len(fused(tables)) == 1
    assert np.array_equal(render(picture, tables), expected)
    assert len(fused([tables[0], Grey(), tables[1]])) == 3


def test_hsv_is_colorsys_and_leaves_grey_grey() -> None:
    picture = noise(12, 40)
    picture[0] = picture[0, :, :1]  # greys
    picture[1, 0] = 0
    picture[1, 1] = 255
    picture[1, 2] = (255, 0, 0)
    for shift in (
        ShiftHsv(0.1, 0.2, 20.0),
        ShiftHsv(-0.4, -0.3, -40.0),
        ShiftHsv(0.5, 0.9, 0.0),
        ShiftHsv(0, 0, 0),
    ):
        ours = render(picture, [shift]).reshape(-1, 3)
        for pixel, result in zip(picture.reshape(-1, 3), ours, strict=True):
            hue, old, value = colorsys.rgb_to_hsv(*(pixel / 255.0))
            new = min(max(old + min(max(shift.saturation, -old), old), 0.0), 1.0)
            level = min(max(value + shift.value / 255, 0.0), 1.0)
            expected = 255 * np.array(colorsys.hsv_to_rgb((hue + shift.hue) % 1.0, new, level))
            assert np.abs(result - expected).max() <= 0.501
            if old == 0:
                assert len(set(result.tolist())) == 1


def test_hue_saturation_value_draws_within_its_limits() -> None:
    drawn = [
        HueSaturationValue(hue=0.1, saturation=0.2, value=0.3).draw(stream(row), 1, 1)[0]
        for row in range(300)
    ]
    for name, limit in (("hue", 0.1), ("saturation", 0.2), ("value", 76.5)):
        values = [getattr(one, name) for one in drawn]
        assert limit * 0.95 < max(values) <= limit
        assert -limit <= min(values) < -limit * 0.95


def test_grey_is_pillows() -> None:
    picture = noise(60, 70)
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    assert np.array_equal(render(picture, ToGrey().draw(stream(), 60, 70)), np.stack([grey] * 3, axis=2))


def test_noise_is_normal_and_independent() -> None:
    grey = np.full((200, 201, 3), 128, np.uint8)
    (operation,) = GaussianNoise(sigma=(8 / 255, 8 / 255)).draw(stream(), 200, 201)
    assert operation.sigma == pytest.approx(8)
    added = render(grey, [operation]).astype(float) - 128
    draws = random_words(operation.key, operation.lane, -(-grey.size // 2)).view(np.uint16)[: grey.size]
    assert np.array_equal(added.ravel(), np.rint(normal_quantiles()[draws] * np.float32(operation.sigma)))
    assert added.mean() == pytest.approx(0, abs=0.1)
    assert added.var() == pytest.approx(64 + 1 / 12, rel=0.02)
    smoothed = added.ravel() + np.random.default_rng(0).uniform(-0.5, 0.5, added.size)
    assert stats.kstest(smoothed / 8, "norm").statistic < 0.006
    correlations = np.corrcoef(added.reshape(-1, 3).T)
    assert np.abs(correlations[np.triu_indices(3, 1)]).max() < 0.02
    assert abs(np.corrcoef(added[:, :-1].ravel(), added[:, 1:].ravel())[0, 1]) < 0.02


def test_the_documents_variances_are_drawn_evenly() -> None:
    variances = [noise_of_variance(10, 50).draw(stream(row), 1, 1)[0].sigma ** 2 for row in range(500)]
    assert 10 <= min(variances) < 11
    assert 49 < max(variances) <= 50
    assert np.mean(variances) == pytest.approx(30, abs=2)


def test_noise_stays_within_a_byte() -> None:
    picture = noise(30, 30)
    result = render(picture, [AddNoise(255.0, (1, 2, 3, 4), 5)])
    assert result.min() == 0
    assert result.max() == 255
    white = render(np.full((50, 50, 3), 255, np.uint8), [AddNoise(5.0, (1, 2, 3, 4), 5)])
    assert white.min() > 200


@pytest.mark.parametrize(("height", "width"), [(64, 90), (5, 7), (1, 1), (2, 40)])
@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_blur_is_torchvisions(height: int, width: int, size: int) -> None:
    picture = noise(height, width)
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    ours = render(picture, [Blur(size, sigma)])
    if min(height, width) > size // 2:
        tensor = torch.from_numpy(picture).permute(2, 0, 1)
        theirs = functional.gaussian_blur(tensor, [size, size], [sigma, sigma]).permute(1, 2, 0).numpy()
        assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.array_equal(render(np.full_like(picture, 200), [Blur(size, sigma)]), np.full_like(picture, 200))


def test_blur_draws_odd_sizes() -> None:
    drawn = {GaussianBlur(kernel=(3, 7)).draw(stream(row), 1, 1)[0].size for row in range(60)}
    assert drawn == {3, 5, 7}


def test_compression_is_a_jpeg_of_that_quality() -> None:
    picture = smooth(100, 130)
    qualities = set()
    for row in range(60):
        (operation,) = JpegCompression(quality=(60, 64)).draw(stream(row), 1, 1)
        qualities.add(operation.quality)
    assert qualities == {60, 61, 62, 63, 64}
    for quality in (20, 60, 90):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        with Image.open(file) as image:
            pillows = np.asarray(image)
        ours = render(picture, [Recompress(quality)])
        # Two encoders of one standard round apart; what a quality costs is the same.
        assert np.abs(ours.astype(int) - pillows).mean() < 1
        assert _rms(ours, picture) == pytest.approx(_rms(pillows, picture), rel=0.03)


def _rms(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.sqrt(np.mean((first.astype(float) - second) ** 2)))


def test_dropout_makes_several_holes_inside() -> None:
    picture = np.full((60, 80, 3), 7, np.uint8)
    transform = CoarseDropout(holes=(2, 4), height=(5, 6), width=(9, 10), fill=(1, 2, 3))
    counts, lefts, tops = set(), set(), set()
    for row in range(300):
        (holes,) = transform.draw(stream(row), 60, 80)
        result = render(picture, [holes])
        expected = picture.copy()
        for left, top, right, bottom in holes.boxes:
            assert right - left in (9, 10) and bottom - top in (5, 6)
            assert left >= 0 and top >= 0 and right <= 80 and bottom <= 60
            expected[top:bottom, left:right] = (1, 2, 3)
            lefts.add(left)
            tops.add(top)
        assert np.array_equal(result, expected)
        counts.add(len(holes.boxes))
    assert counts == {2, 3, 4}
    assert {0, 71} <= lefts and {0, 55} <= tops


def test_a_hole_is_cut_to_a_small_picture() -> None:
    (holes,) = CoarseDropout().draw(stream(), 4, 3)
    assert set(holes.boxes) == {(0, 0, 3, 4)}


def test_no_operation_changes_the_picture_given() -> None:
    picture = noise(20, 20)
    before = picture.copy()
    picture.setflags(write=False)
    for operation in (LookUp(bytes(256)), Grey(), ShiftHsv(0.1, 0.1, 9.0), AddNoise(9.0, (1, 2, 3, 4), 0)):
        assert not np.array_equal(render(picture, [operation]), before)
    result = render(picture, [])
    result[0] = 0
    assert np.array_equal(picture, before)
