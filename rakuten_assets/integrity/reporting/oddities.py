"""Images that decode whole and still deserve a look: against fixed limits, and against the rest of the data set.

Fixed limits are those that people use for photographs, made stricter for products on white, where a bright, plain
picture is the rule. Everything here is an observation, not a fault; blank images have their own kind and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

OUTLIER_Z = 5.0
"""Robust z-score from which a value is an outlier: of normally distributed values one in 1.7 million is."""

MAJORITY_SHARE = 0.8
"""Share of the images that must agree on a size or a mode before another one is odd."""

_MAD_TO_SIGMA = 0.6744897501960817  # 75 % quantile of the standard normal distribution
_GRAY_MODES = ("L", "LA", "1")
_DARK = 55.0  # 99 % of the pixels darker than this
_LIGHT = 240.0  # 95 % of the pixels lighter than this
_BLURRED = 10.0
_PLAIN = 0.35
_LONG = 3.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Oddity:
    """Rows with something remarkable: a kind of finding, whose `rows` (positions) have it, and what they have."""

    kind: str
    rows: npt.NDArray[np.int64]
    detail: list[str]


@dataclass(frozen=True)
class Majority:
    """What most images are: the most frequent size and mode, each with its share (0 where there is no image)."""

    size: tuple[int, int]
    size_share: float
    mode: str
    mode_share: float


# What is compared with the rest, and on which scale: one on which a healthy collection is roughly symmetric.
OUTLIER_MEASURES: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "bytes": lambda values: np.log2(values + 1),
    "brightness": np.asarray,
    "contrast": np.asarray,
    "entropy": np.asarray,
    "blur": lambda values: np.log2(values + 1),
    "saturation": np.sqrt,
}


def robust_z(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Distance from the median in robust standard deviations (median absolute deviation / 0.6745), float64 (n,).

    All zero where more than half of the values are equal: then nothing says how far is far.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return numbers
    away = numbers - np.median(numbers)
    spread = float(np.median(np.abs(away)))
    return _MAD_TO_SIGMA * away / spread if spread > 0 else np.zeros_like(away)


def majority(images: pd.DataFrame) -> Majority:
    """The usual size and mode of the images that decode whole."""
    whole = images[images["status"] == "ok"]
    if whole.empty:
        return Majority((0, 0), 0.0, "", 0.0)
    sizes, size_counts = np.unique(whole[["width", "height"]].to_numpy(), axis=0, return_counts=True)
    modes = whole["mode"].value_counts()
    width, height = sizes[size_counts.argmax()].tolist()
    return Majority(
        (width, height),
        float(size_counts.max() / len(whole)),
        str(modes.index[0]),
        float(modes.iloc[0] / len(whole)),
    )


def oddities(images: pd.DataFrame) -> list[Oddity]:
    """Everything remarkable about images that decode whole and are not blank, by kind.

    Args:
        images: the columns of the scan, one row an image.
    """
    rows = np.flatnonzero((images["status"] == "ok") & ~images["blank"] & ~images["near_blank"])
    seen = images.iloc[rows]
    found = [*_against_majority(seen, majority(images)), *_against_limits(seen), *_against_rest(seen)]
    return [
        Oddity(kind, rows[mask], _described(seen[mask], form)) for kind, mask, form in found if mask.any()
    ]


Found = tuple[str, Mask, str]
"""A kind, the rows that are so, and how to say it: a format of the scan's columns."""

_SIZE = "{width} x {height}"


def _against_majority(seen: pd.DataFrame, usual: Majority) -> Iterator[Found]:
    if usual.size_share >= MAJORITY_SHARE:
        odd = ((seen["width"] != usual.size[0]) | (seen["height"] != usual.size[1])).to_numpy()
        note = f", {usual.size_share:.1%} of the images are {usual.size[0]} x {usual.size[1]}"
        yield "odd_size", odd, _SIZE + note
    else:
        area = seen["width"].to_numpy(dtype=np.float64) * seen["height"].to_numpy(dtype=np.float64)
        odd = np.abs(robust_z(np.log2(np.maximum(area, 1)))) > OUTLIER_Z
        yield "odd_size", odd, _SIZE + ", far from the usual area"
    if usual.mode_share >= MAJORITY_SHARE:
        note = f", {usual.mode_share:.1%} of the images are {usual.mode}"
        yield "odd_mode", (seen["mode"] != usual.mode).to_numpy(), "{mode}" + note


def _against_limits(seen: pd.DataFrame) -> Iterator[Found]:
    brightness, contrast = seen["brightness"].to_numpy(), seen["contrast"].to_numpy()
    long = np.abs(np.log(np.maximum(seen["width"], 1) / np.maximum(seen["height"], 1)))
    gray = seen["mode"].isin(_GRAY_MODES) | (seen["saturation"] == 0)
    level = "brightness {brightness:.0f} of 255, contrast {contrast:.0f}"
    yield "grayscale", gray.to_numpy(), "no colour in it, mode {mode}"
    yield "dark", brightness + 2.33 * contrast < _DARK, level
    yield "light", brightness - 1.64 * contrast > _LIGHT, level
    yield "blurry", (seen["blur"] < _BLURRED).to_numpy(), "sharpness {blur:.1f}"
    yield "low_information", (seen["entropy"] < _PLAIN).to_numpy(), "entropy {entropy:.2f} bits"
    yield "odd_aspect_ratio", (long > np.log(_LONG)).to_numpy(), _SIZE


def _against_rest(seen: pd.DataFrame) -> Iterator[Found]:
    for name, scale in OUTLIER_MEASURES.items():
        z = robust_z(scale(seen[name].to_numpy(dtype=np.float64)))
        for side, mask in (("below", z < -OUTLIER_Z), ("above", z > OUTLIER_Z)):
            form = f"{name} {{{name}:.6g}}, more than {OUTLIER_Z:.0f} robust standard deviations {side} the median"
            yield "outlier", mask, form


def _described(rows: pd.DataFrame, form: str) -> list[str]:
    return [form.format_map(row) for row in rows[list(_FORMATTED)].to_dict("records")]


_FORMATTED = dict.fromkeys(["width", "height", "mode", *OUTLIER_MEASURES])
