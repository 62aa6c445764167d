"""Drawn images to measure a random network's statistics on: as varied as product photos, the same on any machine.

Half of them have a white ground, as catalogue photos have. The rest are plain, or full of texture with the spectrum of
photographs: a network that was calibrated on white grounds alone gives enormous features for a book cover.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 224
_CHANNELS = (3, 1, 1)


def calibration_images(count: int, seed: int) -> NDArray[np.float32]:
    """Draw images: float32 (count, 3, 224, 224), values in [0, 1], not normalised."""
    random = np.random.Generator(np.random.PCG64(seed))
    images = np.empty((count, 3, SIDE, SIDE), np.float32)
    for number, image in enumerate(images):
        image[:] = _ground(random, number % 4)
        for _ in range(int(random.integers(1, 6))):
            inside = _shape(random)
            image[:, inside] = _fill(random)[:, inside]
    return images.clip(0.0, 1.0)


def _ground(random: np.random.Generator, kind: int) -> NDArray[np.floating]:
    if kind < 2:
        return np.ones(_CHANNELS)
    return random.random(_CHANNELS) if kind == 2 else _texture(random)


def _shape(random: np.random.Generator) -> NDArray[np.bool_]:
    """A box or an ellipse: bool (side, side)."""
    y, x = _grid()
    (centre_x, centre_y), (radius_x, radius_y) = random.uniform(0.2, 0.8, 2), random.uniform(0.05, 0.45, 2)
    across, down = np.abs(x - centre_x) / radius_x, np.abs(y - centre_y) / radius_y
    inside: NDArray[np.bool_] = (
        np.maximum(across, down) if random.random() < 0.5 else np.hypot(across, down)
    ) < 1
    return inside


def _fill(random: np.random.Generator) -> NDArray[np.floating]:
    """A texture or a plain colour, sometimes with stripes: (3, side, side)."""
    fill = (
        _texture(random)
        if random.random() < 0.5
        else np.broadcast_to(random.random(_CHANNELS), (3, SIDE, SIDE))
    )
    if random.random() < 0.4:
        y, x = _grid()
        wave = np.sin(x * random.uniform(20, 300) + y * random.uniform(-100, 100))
        fill = fill + random.uniform(-0.8, 0.8) * (wave > 0)
    return fill


def _texture(random: np.random.Generator) -> NDArray[np.floating]:
    """Noise whose amplitude falls with frequency, partly shared by the channels: (3, side, side)."""
    slope = random.uniform(0.8, 2.0)
    shared = _noise(random, slope)
    channels = [
        random.random() + random.uniform(0.05, 0.4) * (0.7 * shared + 0.5 * _noise(random, slope))
        for _ in range(3)
    ]
    return np.stack(channels)


def _noise(random: np.random.Generator, slope: float) -> NDArray[np.floating]:
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequency[0, 0] = 1.0
    spectrum = random.normal(size=frequency.shape) + 1j * random.normal(size=frequency.shape)
    noise = np.fft.irfft2(spectrum / frequency**slope, s=(SIDE, SIDE))
    scaled: NDArray[np.floating] = (noise - noise.mean()) / noise.std()
    return scaled


def _grid() -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    return y, x
