"""Whatever a kernel does, the pass of the same name does through NumPy, to the bit."""

from __future__ import annotations

import inspect
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rakuten_assets.augmentation import kernels, passes
from rakuten_assets.augmentation.kernels import colour, filtering, philox, planes, warping
from rakuten_assets.augmentation.operations import (
    AddNoise,
    Blur,
    Elastic,
    Grey,
    LookUp,
    Operation,
    ShiftHsv,
    Warp,
)
from rakuten_assets.augmentation.rendering import render
from rakuten_assets.runtime.compilation import CompiledKernels

MODULES = (philox, warping, colour, filtering, planes)
KEY = (1, 2**32 - 1, 3, 4)
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
NUMBERS = st.floats(-1, 1, width=32)


def _picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Noise, with greys and the extremes among it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[::3] = pixels[::3, :, :1]
    pixels[::5] = np.where(pixels[::5] > 127, 255, 0)
    return pixels


def _both(monkeypatch: pytest.MonkeyPatch, picture: NDArray[np.uint8], *operations: Operation) -> None:
    def always(module: ModuleType | None) -> None:
        rendering = "rakuten_assets.augmentation.rendering.serving"
        randomness = "rakuten_assets.augmentation.randomness.serving"
        for place in (rendering, randomness):
            monkeypatch.setattr(place, lambda kind, _: module or getattr(kernels, kind))

    always(None)
    compiled = render(picture, operations)
    always(passes)
    assert np.array_equal(render(picture, operations), compiled), operations


def test_each_kernel_has_its_pass() -> None:
    """Of the same arguments."""
    for module in MODULES:
        for name, kernel in vars(module).items():
            if hasattr(kernel, "py_func") and not name.startswith("_"):
                assert list(inspect.signature(getattr(passes, name)).parameters) == list(
                    inspect.signature(kernel.py_func).parameters
                ), name


@settings(deadline=None)
@given(st.integers(0, 9), SIZES, st.lists(NUMBERS, min_size=8, max_size=8), st.booleans())
def test_points_and_resampling(seed: int, size: tuple[int, int], numbers: list[float], bent: bool) -> None:
    a, b, c, d, e, f, g, h = numbers
    shares = (g / 20, h / 20) if bent else (0.0, 0.0)
    matrix = (1 + a, b, 50 * c, d, 1 + e, 50 * f, *shares, 3.0)
    elastic = Elastic(KEY, seed, 9.0, 2.0) if seed % 2 else None
    with pytest.MonkeyPatch.context() as patch:
        _both(patch, _picture(seed, *size), Warp(matrix, (255, 7, 0), elastic))


@pytest.mark.parametrize("signs", [(-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
def test_mirrors(signs: tuple[float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    across, down = signs
    matrix = (across, 0.0, 31.0 * (across < 0), 0.0, down, 17.0 * (down < 0), 0.0, 0.0, 1.0)
    _both(monkeypatch, _picture(0, 17, 31), Warp(matrix))


@settings(deadline=None)
@given(st.integers(0, 9), SIZES, NUMBERS, NUMBERS, NUMBERS, st.sampled_from([1, 3, 5, 7]))
def test_colour_noise_and_blur(
    seed: int, size: tuple[int, int], hue: float, saturation: float, value: float, taps: int
) -> None:
    picture = _picture(seed, *size)
    table = bytes(np.random.default_rng(seed).integers(0, 256, 256, dtype=np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        for operation in (
            ShiftHsv(hue, saturation, 255 * value),
            LookUp(table),
            Grey(),
            AddNoise(60 * abs(value), KEY, seed),
            Blur(taps, 0.1 + abs(hue)),
        ):
            _both(patch, picture, operation)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=5, max_size=5), st.integers(1, 70))
def test_random_words(words: list[int], blocks: int) -> None:
    found = np.empty((2, 4 * blocks), np.uint32)
    for module, out in zip((philox, passes), found, strict=True):
        module.philox(np.array(words[:4], np.uint32), np.uint32(words[4]), out)
    assert np.array_equal(*found)


def test_planes() -> None:
    picture, table = _picture(1, 30, 21), np.random.default_rng(1).random((3, 256), np.float32)
    found = np.empty((2, 3, 30, 21), np.float32)
    for module, out in zip((planes, passes), found, strict=True):
        module.to_planes(picture, table, out)
    assert np.array_equal(*found)


def test_long_work_has_all_kernels_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = {name: CompiledKernels(f"{kernels.__name__}.{name}", 10**6) for name in kernels._KERNELS}
    monkeypatch.setattr(kernels, "_KERNELS", fresh)
    kernels.prepare(59)
    assert kernels.serving("warping", 9) is passes
    kernels.prepare(960)
    assert {kernels.serving(name, 9).__name__ for name in fresh} == {module.__name__ for module in MODULES}


def test_few_calls_and_small_pictures_go_through_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a first picture does not wait for seconds; a large one would take much memory there."""
    fresh = CompiledKernels(colour.__name__, worth_from=3)
    monkeypatch.setitem(kernels._KERNELS, "colour", fresh)
    assert [kernels.serving("colour", 50_000) for _ in range(4)] == [passes, passes, colour, colour]
    monkeypatch.setitem(kernels._KERNELS, "colour", CompiledKernels(colour.__name__, worth_from=3))
    assert kernels.serving("colour", 2_000_000) is colour
    assert kernels.serving("colour", 50_000) is colour, "once compiled, it serves"
