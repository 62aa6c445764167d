"""Each geometric operation against a plain reference: numpy in float64, torchvision, scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from rakuten_assets.augmentation import (
    ElasticTransform,
    HorizontalFlip,
    Perspective,
    Rotate,
    ShiftScaleRotate,
    VerticalFlip,
)
from rakuten_assets.augmentation.geometry import homography, similarity
from rakuten_assets.augmentation.operations import WHITE, Colour, Matrix, Warp, fused, product
from rakuten_assets.augmentation.randomness import Stream, random_words, sample_key
from rakuten_assets.augmentation.rendering import displacement, render
from rakuten_assets_tests.augmentation.pictures import noise, smooth

SIZES = [(224, 224), (97, 140), (1, 1), (2, 300), (300, 1)]


def stream(row: int = 0) -> Stream:
    return Stream(sample_key(0, "test", row, 0))


def sampled(
    picture: NDArray[np.uint8], across: NDArray[np.float64], down: NDArray[np.float64], fill: Colour
) -> NDArray[np.float64]:
    """Bilinear samples at points, float64; taps outside of the picture have the fill."""
    height, width = picture.shape[:2]
    framed = np.full((height + 4, width + 4, 3), fill, np.float64)
    framed[2:-2, 2:-2] = picture
    u, v = np.clip(across + 1.5, 0, width + 2), np.clip(down + 1.5, 0, height + 2)
    x, y = np.floor(u).astype(int), np.floor(v).astype(int)
    p, q = (u - x)[..., None], (v - y)[..., None]
    upper = framed[y, x] * (1 - p) + framed[y, x + 1] * p
    lower = framed[y + 1, x] * (1 - p) + framed[y + 1, x + 1] * p
    return np.asarray(upper * (1 - q) + lower * q)


def points(matrix: Matrix, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    a, b, c = np.reshape(matrix, (3, 3)) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    return (a / c).reshape(height, width), (b / c).reshape(height, width)


def distance(ours: NDArray[np.uint8], reference: NDArray[np.float64]) -> float:
    return float(np.abs(ours - reference).max())


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("fill", [WHITE, (10, 128, 250)])
def test_a_resample_is_the_bilinear_one(height: int, width: int, fill: Colour) -> None:
    picture = noise(height, width)
    for row in range(8):
        numbers = stream(row)
        matrix = similarity(
            height, width, numbers.uniform(-180, 180), numbers.uniform(0.3, 3), numbers.uniform(-9, 9)
        )
        matrix = product(matrix, (1, 0.1, 0, 0, 1, 0, 1e-4 * row, 2e-4 * row, 1))
        ours = render(picture, [Warp(matrix, fill)])
        # Half a level of rounding, and weights in 1/2048.
        assert distance(ours, sampled(picture, *points(matrix, height, width), fill)) <= 0.5 + 2 * 255 / 4096


@pytest.mark.parametrize("angle", [0.0, 7.5, -15.0, 90.0])
def test_turning_shifting_and_scaling_are_torchvisions(angle: float) -> None:
    picture = smooth(120, 160)
    matrix = similarity(120, 160, angle, 1.1, 5.0, -7.0)
    ours = render(picture, [Warp(matrix)])
    theirs = functional.affine(
        torch.from_numpy(picture.copy()).permute(2, 0, 1),
        angle=angle,
        translate=[5, -7],
        scale=1.1,
        shear=[0.0],
        interpolation=InterpolationMode.BILINEAR,
        fill=[255.0, 255.0, 255.0],
    )
    difference = np.abs(ours.astype(int) - theirs.permute(1, 2, 0).numpy()).max(axis=2)
    # On the picture's edge torchvision darkens: it weighs the edge with its mask twice.
    across, down = points(matrix, 120, 160)
    edge = np.minimum.reduce([np.abs(across), np.abs(across - 160), np.abs(down), np.abs(down - 120)]) <= 1
    assert difference[~edge].max() <= 1
    assert edge.mean() < 0.05
    assert not np.array_equal(ours, picture)


def test_flips_are_exact_and_compose() -> None:
    picture = noise(33, 50)
    across = HorizontalFlip().draw(stream(), 33, 50)
    down = VerticalFlip().draw(stream(), 33, 50)
    assert np.array_equal(render(picture, across), picture[:, ::-1])
    assert np.array_equal(render(picture, down), picture[::-1])
    assert np.array_equal(render(picture, [*across, *down]), picture[::-1, ::-1])
    assert fused([*across, *across]) == []
    turned = Warp(similarity(33, 50, 180.0))
    assert distance(render(picture, [turned]), picture[::-1, ::-1].astype(float)) <= 1


def test_neighbouring_warps_become_one_resample_in_their_order() -> None:
    first, second = Warp(similarity(80, 60, 20.0, 1.2)), Warp(similarity(80, 60, -35.0, 0.9, 11.0, 3.0))
    (only,) = fused([first, second])
    assert isinstance(only, Warp)
    picture = smooth(80, 60)
    across, down = points(second.matrix, 80, 60)
    homogeneous = np.stack([across.ravel(), down.ravel(), np.ones(across.size)])
    a, b, _ = np.reshape(first.matrix, (3, 3)) @ homogeneous
    reference = sampled(picture, a.reshape(80, 60), b.reshape(80, 60), WHITE)
    assert distance(render(picture, [first, second]), reference) <= 1


def test_warps_of_different_fills_stay_two() -> None:
    operations = [Warp(similarity(9, 9, 20.0), WHITE), Warp(similarity(9, 9, 20.0), (0, 0, 0))]
    assert fused(operations) == operations


@pytest.mark.parametrize("transform", [ShiftScaleRotate(shift=0.1, scale=0.2, rotate=15), Rotate(degrees=15)])
def test_what_is_drawn_keeps_to_its_limits_and_fills_them(transform: ShiftScaleRotate | Rotate) -> None:
    angles, factors, shifts = [], [], []
    for row in range(400):
        (warp,) = transform.draw(stream(row), 100, 200)
        a, b, *_ = warp.matrix
        inverse = np.linalg.inv(np.reshape(warp.matrix, (3, 3)))
        angles.append(np.degrees(np.arctan2(b, a)))
        factors.append(1 / np.hypot(a, b))
        shifts.append((inverse @ [100, 50, 1])[:2] - [100, 50])
    moved = np.abs(np.array(shifts)) / [200, 100]
    assert 13.5 < np.max(np.abs(angles)) <= 15
    assert np.std(angles) == pytest.approx(30 / np.sqrt(12), rel=0.1)
    if isinstance(transform, ShiftScaleRotate):
        assert 0.8 <= min(factors) < 0.82 < 1.18 < max(factors) <= 1.2
        assert 0.09 < moved.max() <= 0.1 + 1e-12
    else:
        assert np.allclose(factors, 1)
        assert moved.max() < 1e-12


def test_a_perspective_shows_the_quadrangle_of_its_corners() -> None:
    corners = [(10.0, 5.0), (180.0, 12.0), (190.0, 95.0), (3.0, 88.0)]
    matrix = np.reshape(homography(100, 200, corners), (3, 3))
    for place, corner in zip([(0, 0), (200, 0), (200, 100), (0, 100)], corners, strict=True):
        u, v, w = matrix @ [*place, 1]
        assert (u / w, v / w) == pytest.approx(corner)
    for row in range(200):
        (warp,) = Perspective(scale=(0.3, 0.3)).draw(stream(row), 100, 200)
        across, down = points(warp.matrix, 100, 200)
        assert across.min() >= 0 and across.max() <= 200
        assert down.min() >= 0 and down.max() <= 100


def test_an_elastic_deformation_is_blurred_noise() -> None:
    picture = smooth(90, 130)
    (warp,) = ElasticTransform(alpha=100, sigma=5).draw(stream(), 90, 130)
    assert warp.elastic is not None
    field = displacement(warp.elastic, 90, 130)
    words = random_words(warp.elastic.key, warp.elastic.lane, 90 * 130)
    even = ((words.view(np.uint16).astype(np.float64) + 0.5) / 32768 - 1).reshape(2, 90, 130)
    expected = [50.0 * ndimage.gaussian_filter(plane, 5, mode="mirror", truncate=4) for plane in even]
    assert np.allclose(field, expected, atol=1e-3)
    x, y = np.meshgrid(np.arange(130) + 0.5, np.arange(90) + 0.5)
    assert distance(render(picture, [warp]), sampled(picture, x + expected[0], y + expected[1], WHITE)) <= 1
    assert np.abs(expected).max() > 1


def test_what_follows_an_elastic_deformation_is_a_resample_of_its_own() -> None:
    (elastic,) = ElasticTransform().draw(stream(), 40, 40)
    turn = Warp(similarity(40, 40, 30.0))
    assert len(fused([turn, elastic])) == 1
    assert len(fused([elastic, turn])) == 2
    picture = smooth(40, 40)
    both = render(picture, [turn, elastic])
    one_by_one = render(render(picture, [turn]), [elastic])
    assert (
        np.mean(np.abs(both.astype(int) - one_by_one)) < 12
    )  # alike but for what two resamples blur and cut off
