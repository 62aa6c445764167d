"""A sample's own random numbers: a function of (seed, policy, row, epoch), whoever asks, and in whatever order.

Philox4x32-10 turns a key and a counter into random bits without any state between calls. The key is a digest of what
the sample is, so no worker, batch or earlier sample has a part in it.
"""

from __future__ import annotations

import functools
import hashlib
import operator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.augmentation.kernels import serving
from rakuten_assets.errors import AugmentationError

Key = tuple[int, int, int, int]
"""128 bits as four words of 32."""

_WORDS_AT_A_TIME = 64
_NORMAL = NormalDist()


def sample_key(seed: int, policy: str, row: int, epoch: int, repeat: int = 0) -> Key:
    """The key of one sample.

    Args:
        seed: any whole number.
        policy: what identifies the augmentation.
        row, epoch: from 0.
        repeat: how often the row came before in the same epoch, where rows are drawn with replacement.

    Raises:
        AugmentationError: for anything but whole numbers, or a negative row, epoch or repeat.
    """
    numbers = [_whole("seed", seed)]
    for name, value in (("row", row), ("epoch", epoch), ("repeat", repeat)):
        numbers.append(_whole(name, value))
        if numbers[-1] < 0:
            raise AugmentationError(f"{name}={value} is negative; rows, epochs and repeats count from 0")
    text = "|".join([policy, *map(str, numbers)])
    return key_of_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())


def key_of_bytes(content: bytes) -> Key:
    """16 bytes as a key."""
    a, b, c, d = np.frombuffer(content, "<u4").tolist()
    return a, b, c, d


def random_words(key: Key, lane: int, count: int) -> NDArray[np.uint32]:
    """uint32 (count,) of a key. Lanes 0 to 2^32 - 1 of a key are independent of each other."""
    words = np.empty(-(-count // 4) * 4, np.uint32)
    serving("philox", count).philox(np.array(key, np.uint32), np.uint32(lane), words)
    return words[:count]


@dataclass
class Stream:
    """Numbers of one key, one after the other.

    Args:
        key: of the sample.
    """

    key: Key

    def __post_init__(self) -> None:
        self._words: list[int] = []
        self._blocks = 0
        self._lanes = 1 << 16

    def bits(self) -> int:
        """52 random bits."""
        if len(self._words) < 2:
            # The lanes below 2^16 are this stream's own.
            self._words = random_words(self.key, self._blocks, _WORDS_AT_A_TIME).tolist()[::-1]
            self._blocks += 1
        return (self._words.pop() << 20) | (self._words.pop() >> 12)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Evenly from `low` to `high`, the latter excluded."""
        return low + (high - low) * (self.bits() / (1 << 52))

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + (self.bits() * (high - low + 1) >> 52)

    def chance(self, p: float) -> bool:
        """True with probability `p`."""
        return self.uniform() < p

    def normal(self) -> float:
        """From the standard normal distribution."""
        return _NORMAL.inv_cdf((self.bits() + 0.5) / (1 << 52))

    def lane(self) -> int:
        """A lane of the key for a whole array of numbers, another one at each call."""
        self._lanes += 1
        return self._lanes


@functools.cache
def normal_quantiles() -> NDArray[np.float32]:
    """float32 (65536,): the standard normal distribution's quantiles at (i + 1/2) / 65536, the largest 4.3."""
    lower = [_NORMAL.inv_cdf((i + 0.5) / 65536) for i in range(32768)]
    quantiles = np.array(lower + [-value for value in reversed(lower)], np.float32)
    quantiles.setflags(write=False)
    return quantiles


def _whole(name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise AugmentationError(f"{name}={value!r} is not a whole number") from None
