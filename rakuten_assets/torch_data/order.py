"""In what order an epoch visits the samples: a function of (seed, epoch), so that an epoch can be resumed anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rakuten_assets.augmentation.randomness import random_words, sample_key
from rakuten_assets.errors import AugmentationError


class Visit(NamedTuple):
    """One visit of a sample, as the data set is asked for it: the epoch travels with the sample's place, because a
    worker that lives on would not hear of a new one.

    Attributes:
        sample: its place in the data set.
        epoch: from 0.
        repeat: how often the sample came before in this epoch.
    """

    sample: int
    epoch: int = 0
    repeat: int = 0


@dataclass(frozen=True)
class Order:
    """How an epoch's order is made.

    Attributes:
        count: samples in the data set.
        seed: any whole number.
        shuffled: whether samples come in random order; otherwise in their own.
        weights: one a sample, not negative, not all zero: `count` samples are drawn with replacement, each with a
            probability in proportion (torch's `WeightedRandomSampler`). Empty: every sample comes once.
    """

    count: int
    seed: int = 0
    shuffled: bool = True
    weights: tuple[float, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not self.weights:
            return
        values = np.asarray(self.weights)
        if (
            len(values) != self.count
            or not np.isfinite(values).all()
            or values.min() < 0
            or values.sum() <= 0
        ):
            raise AugmentationError(
                f"{len(values)} weights for {self.count} samples: one finite weight a sample is wanted, none negative, "
                "not all zero"
            )

    def of_epoch(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The epoch's samples, int64 (count,), and how often each came before in it, int64 (count,)."""
        none = np.zeros(self.count, np.int64)
        if not self.shuffled and not self.weights:
            return np.arange(self.count), none
        key = sample_key(self.seed, "order", 0, epoch)
        words = random_words(key, 0, 2 * self.count).astype(np.uint64)
        draws = (words[::2] << np.uint64(32)) | words[1::2]
        if not self.weights:
            return np.argsort(draws, kind="stable"), none
        cumulative = np.cumsum(np.asarray(self.weights, np.float64))
        points = (draws >> np.uint64(11)).astype(np.float64) / (1 << 53) * cumulative[-1]
        # A sample without weight takes up no room between two sums and is never found.
        last = int(np.flatnonzero(self.weights)[-1])
        chosen = np.minimum(np.searchsorted(cumulative, points, side="right"), last).astype(np.int64)
        return chosen, _times_before(chosen)

    @property
    def identity(self) -> str:
        """A digest of everything that the order depends on."""
        weights = np.asarray(self.weights, np.float64).tobytes()
        return hashlib.sha256(repr(self).encode() + weights).hexdigest()


class EpochSampler:
    """An order as a sampler of a `torch.utils.data.DataLoader` of yours: `set_epoch`, then iterate.

    Args:
        order: what to visit.
    """

    def __init__(self, order: Order) -> None:
        self.order, self.epoch = order, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next iteration is of."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.order.count

    def __iter__(self) -> Iterator[Visit]:
        chosen, repeats = self.order.of_epoch(self.epoch)
        for sample, repeat in zip(chosen.tolist(), repeats.tolist(), strict=True):
            yield Visit(sample, self.epoch, repeat)


def weights_by_class(labels: ArrayLike) -> tuple[float, ...]:
    """A weight a sample that makes every class as likely: n / (classes * rows of its class)."""
    from rakuten_assets.imbalance.class_weights import balanced_class_weights

    _, places = np.unique(np.asarray(labels, dtype=np.int64), return_inverse=True)
    places = places.reshape(-1)
    return tuple(balanced_class_weights(places, int(places.max(initial=-1)) + 1)[places].tolist())


def _times_before(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each value came before its place."""
    by_value = np.argsort(values, kind="stable")
    ordered = values[by_value]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(values) else ordered
    lengths = np.diff(np.append(starts, len(values)))
    before = np.empty_like(values)
    before[by_value] = np.arange(len(values)) - np.repeat(starts, lengths)
    return before
