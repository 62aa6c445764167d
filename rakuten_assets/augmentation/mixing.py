"""MixUp and CutMix, sample by sample: which row is the partner, and how much of it, depend on (seed, row, epoch) alone.

torchvision's mix neighbours in a batch, with one share for all of it, so a sample depends on who sits beside it.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.augmentation.randomness import Stream, sample_key
from rakuten_assets.augmentation.transform import check_share

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Mix:
    """What is drawn for one sample.

    Attributes:
        partner: place of the other sample, 0 to count - 1; it may be the sample itself.
        share: of the sample in the result, and in its label; the rest is the partner's.
        box: left, top, right, bottom of the part that is the partner's; None for all of it, faintly.
    """

    partner: int
    share: float
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Mixing(ABC):
    """A way to make one sample of two.

    Attributes:
        alpha: the share is drawn from Beta(alpha, alpha).
        p: probability that a sample is mixed.
    """

    alpha: float = 1.0
    p: float = 1.0

    def __post_init__(self) -> None:
        check_share(self, "alpha", self.alpha, 0.01, 1000.0)
        check_share(self, "p", self.p)

    def draw(
        self, count: int, height: int, width: int, *, seed: int, row: int, epoch: int, repeat: int = 0
    ) -> Mix | None:
        """Draw a partner among `count` samples and a share of it, for pictures of one size; None: leave it unmixed.

        Raises:
            AugmentationError: for numbers that are no row, epoch or repeat.
        """
        stream = Stream(sample_key(seed, hashlib.sha256(repr(self).encode()).hexdigest(), row, epoch, repeat))
        if count < 1 or not stream.chance(self.p):
            return None
        partner, share = stream.integer(0, count - 1), beta(stream, self.alpha)
        return self._mix(stream, partner, share, height, width)

    @abstractmethod
    def _mix(self, stream: Stream, partner: int, share: float, height: int, width: int) -> Mix: ...


@dataclass(frozen=True, kw_only=True)
class MixUp(Mixing):
    """share * picture + (1 - share) * partner.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """

    def _mix(self, stream: Stream, partner: int, share: float, height: int, width: int) -> Mix:
        return Mix(partner, share)


@dataclass(frozen=True, kw_only=True)
class CutMix(Mixing):
    """A rectangle of the partner at the same place; the share is what is left of the picture, exactly.

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers", ICCV 2019. The rectangle has
    the picture's proportions, its centre is drawn evenly, and what leaves the picture is cut off.
    """

    def _mix(self, stream: Stream, partner: int, share: float, height: int, width: int) -> Mix:
        x, y = stream.integer(0, width - 1), stream.integer(0, height - 1)
        reach = 0.5 * math.sqrt(1.0 - share)
        left, right = max(0, round(x - reach * width)), min(width, round(x + reach * width))
        top, bottom = max(0, round(y - reach * height)), min(height, round(y + reach * height))
        return Mix(
            partner, 1.0 - (right - left) * (bottom - top) / (width * height), (left, top, right, bottom)
        )


def blended(own: Pixels, other: Pixels, mix: Mix) -> Pixels:
    """Two pictures as one; uint8 (h, w, 3) each, of one size; new memory."""
    if mix.box is None:
        share = np.float32(mix.share)
        return np.rint(own * share + other * (np.float32(1.0) - share)).astype(np.uint8)
    left, top, right, bottom = mix.box
    result = own.copy()
    result[top:bottom, left:right] = other[top:bottom, left:right]
    return result


def mixed_label(own: int, other: int, mix: Mix, num_classes: int) -> NDArray[np.float32]:
    """float32 (num_classes,), sum 1: the share of each class."""
    label = np.zeros(num_classes, np.float32)
    label[own] += np.float32(mix.share)
    label[other] += np.float32(1.0 - mix.share)
    return label


def beta(stream: Stream, alpha: float) -> float:
    """A number from Beta(alpha, alpha), by its quantile function: one draw, whatever alpha is."""
    from scipy.special import betaincinv  # Not at the top: it is slow to import.

    return float(betaincinv(alpha, alpha, stream.uniform()))
