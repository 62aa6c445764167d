"""The document's three policies, its choice between them by the size of a class, and the names of all transforms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rakuten_assets.augmentation.colour import BrightnessContrast, Gamma, HueSaturationValue
from rakuten_assets.augmentation.geometry import HorizontalFlip, Rotate, ShiftScaleRotate, VerticalFlip
from rakuten_assets.augmentation.quality import (
    CoarseDropout,
    GaussianBlur,
    JpegCompression,
    noise_of_variance,
)
from rakuten_assets.augmentation.transform import OneOf, Policy
from rakuten_assets.errors import AugmentationError

MANY, FEW = 3000, 1500
"""A class of more rows than `MANY` gets `LIGHT`, one of fewer than `FEW` gets `HEAVY`, the others `MEDIUM`."""

LIGHT = Policy(
    name="light",
    transforms=(
        HorizontalFlip(p=0.3),
        BrightnessContrast(brightness=0.1, contrast=0.1, p=0.3),
        Rotate(degrees=10.0, p=0.2),
    ),
)

MEDIUM = Policy(
    name="medium",
    transforms=(
        HorizontalFlip(p=0.5),
        ShiftScaleRotate(shift=0.1, scale=0.1, rotate=15.0, p=0.5),
        BrightnessContrast(brightness=0.2, contrast=0.2, p=0.5),
        HueSaturationValue(hue=10 / 180, saturation=20 / 255, value=20 / 255, p=0.3),
        noise_of_variance(10.0, 30.0, p=0.2),
    ),
)

HEAVY = Policy(
    name="heavy",
    transforms=(
        HorizontalFlip(p=0.5),
        VerticalFlip(p=0.1),
        ShiftScaleRotate(shift=0.15, scale=0.15, rotate=20.0, p=0.7),
        OneOf(
            transforms=(
                BrightnessContrast(brightness=0.3, contrast=0.3),
                HueSaturationValue(hue=20 / 180, saturation=30 / 255, value=30 / 255),
                Gamma(gamma=(0.7, 1.3)),
            ),
            p=0.7,
        ),
        OneOf(
            transforms=(
                noise_of_variance(10.0, 50.0),
                GaussianBlur(kernel=(3, 7)),
                JpegCompression(quality=(60, 90)),
            ),
            p=0.4,
        ),
        CoarseDropout(holes=(4, 4), height=(40, 40), width=(40, 40), fill=(128, 128, 128), p=0.3),
    ),
)

POLICIES: dict[str, Policy] = {policy.name: policy for policy in (LIGHT, MEDIUM, HEAVY)}
"""By name."""


def policy_for(class_count: int) -> Policy:
    """The policy of a class with so many train rows.

    Raises:
        AugmentationError: for fewer than one row.

    >>> [policy_for(count).name for count in (10209, 3000, 1500, 1499)]
    ['light', 'medium', 'medium', 'heavy']
    """
    if class_count < 1:
        raise AugmentationError(f"a class of {class_count} rows has nothing to augment; count its train rows")
    if class_count > MANY:
        return LIGHT
    return MEDIUM if class_count >= FEW else HEAVY


def policies_by_class(labels: ArrayLike) -> dict[int, Policy]:
    """The policy of each class, by the number of its rows.

    Args:
        labels: whole numbers (n,), labels or codes, of the whole train set.

    Returns:
        label -> policy, in numeric order.

    >>> {label: policy.name for label, policy in policies_by_class([0] * 4000 + [1] * 20).items()}
    {0: 'light', 1: 'heavy'}
    """
    values, counts = np.unique(np.asarray(labels, dtype=np.int64), return_counts=True)
    return {int(value): policy_for(int(count)) for value, count in zip(values, counts, strict=True)}
