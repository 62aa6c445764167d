import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.images import resampling
from rakuten_assets.images.resampling import (
    KERNELS,
    Geometry,
    Window,
    pass_order,
    resize,
    resize_with_kernels,
    resize_with_pillow,
    taps,
)
from rakuten_assets.runtime.compilation import CompiledKernels

MODULE = "rakuten_assets.images.resampling_kernels"


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    size_in, size_out = st.integers(1, 560), st.integers(1, 280)
    width, height = draw(size_out), draw(size_out)
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    window = Window(left, top, draw(st.integers(1, width - left)), draw(st.integers(1, height - top)))
    return Geometry(
        draw(size_in), draw(size_in), width, height, draw(st.sampled_from(["bilinear", "bicubic"])), window
    )


def _image(geometry: Geometry, seed: int, kind: str) -> np.ndarray:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (geometry.height_in, geometry.width_in, 3), dtype=np.uint8)
    return np.where(image > 127, np.uint8(255), np.uint8(0)) if kind == "extremes" else image


@given(geometry=geometries(), seed=st.integers(0, 2**32), kind=st.sampled_from(["noise", "extremes"]))
@settings(max_examples=80, deadline=None)
def test_kernels_equal_pillow_to_the_bit(geometry: Geometry, seed: int, kind: str) -> None:
    order = pass_order(geometry)
    image = _image(geometry, seed, kind)
    if order is None:  # a few pixels do not tell the two orders apart: Pillow serves such images
        assert geometry.width * geometry.height < 400
        return
    ours = resize_with_kernels(image, geometry, KERNELS.compiled(), order)
    assert np.array_equal(ours, resize_with_pillow(image, geometry))


@pytest.mark.parametrize("order", ["across, down", "down, across"])
def test_both_pass_orders_are_needed(order: str) -> None:
    """Pillow 13 goes down first for tall images; a version that never does needs one of them only."""
    tall = Geometry(300, 600, 224, 24, "bilinear", Window(0, 0, 224, 24))
    wide = Geometry(600, 300, 24, 224, "bilinear", Window(0, 0, 24, 224))
    assert {pass_order(tall), pass_order(wide)} <= {"across, down", "down, across"}
    image = _image(tall, 1, "noise")
    result = resize_with_kernels(image, tall, KERNELS.compiled(), order)
    assert np.abs(result.astype(int) - resize_with_pillow(image, tall)).max() <= 1


@given(st.integers(1, 900), st.integers(1, 400), st.sampled_from(["bilinear", "bicubic"]))
@settings(max_examples=100, deadline=None)
def test_taps_stay_inside_and_sum_to_one(size_in: int, size_out: int, interpolation: str) -> None:
    found = taps(size_in, size_out, interpolation, 0, size_out)
    assert found.start.min() >= 0
    assert found.span.stop <= size_in
    assert np.allclose(found.weights.sum(axis=1) / 2**22, 1.0, atol=1e-4)


def test_resize_starts_with_pillow_and_goes_over_to_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry(500, 500, 224, 224, "bilinear", Window(0, 0, 224, 224))
    pass_order(geometry)  # beforehand: asking compiles, and compiled kernels serve at once
    monkeypatch.setattr(resampling, "KERNELS", CompiledKernels(MODULE, worth_from=12))
    monkeypatch.setattr(resampling, "_resized_of", {})
    ways: list[str] = []
    by_pillow, by_kernels = resize_with_pillow, resize_with_kernels
    monkeypatch.setattr(
        resampling, "resize_with_pillow", lambda *a: (ways.append("pillow"), by_pillow(*a))[1]
    )
    monkeypatch.setattr(
        resampling, "resize_with_kernels", lambda *a: (ways.append("kernels"), by_kernels(*a))[1]
    )
    image = _image(geometry, 3, "noise")
    results = [resize(image, geometry) for _ in range(20)]
    assert ways == ["pillow"] * 11 + ["kernels"] * 9
    assert all(np.array_equal(result, results[0]) for result in results)


def test_an_unknown_pass_order_falls_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry(50, 60, 22, 24, "bicubic", Window(0, 0, 22, 24))
    monkeypatch.setattr(resampling, "_is_worth_kernels", lambda geometry: True)
    monkeypatch.setattr(resampling, "pass_order", lambda geometry: None)
    image = _image(geometry, 3, "noise")
    assert np.array_equal(resize(image, geometry), resize_with_pillow(image, geometry))


def test_a_pillow_that_computes_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry(50, 61, 22, 24, "bicubic", Window(0, 0, 22, 24))
    assert pass_order(geometry) is not None
    pass_order.cache_clear()
    monkeypatch.setattr(resampling, "resize_with_pillow", lambda *a: 255 - resize_with_pillow(*a))
    assert pass_order(geometry) is None
    pass_order.cache_clear()


def test_threads_do_not_share_working_memory() -> None:
    geometries = [
        Geometry(500 - 7 * i, 480 + 5 * i, 224, 224, "bilinear", Window(0, 0, 224, 224)) for i in range(4)
    ]
    images = [_image(geometry, i, "noise") for i, geometry in enumerate(geometries)]
    expected = [
        resize_with_pillow(image, geometry) for image, geometry in zip(images, geometries, strict=True)
    ]
    wrong: list[int] = []

    def run(i: int) -> None:
        order = pass_order(geometries[i])
        for _ in range(20):
            ours = resize_with_kernels(images[i], geometries[i], KERNELS.compiled(), order)
            wrong.extend([i] * (not np.array_equal(ours, expected[i])))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_large_image_goes_through_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "KERNELS", CompiledKernels(MODULE, worth_from=0))
    geometry = Geometry(2001, 2001, 224, 224, "bilinear", Window(0, 0, 224, 224))
    assert not resampling._is_worth_kernels(geometry)
    smaller = Geometry(1999, 1999, 224, 224, "bilinear", Window(0, 0, 224, 224))
    assert [resampling._is_worth_kernels(smaller) for _ in range(8)] == [False] * 7 + [True]
