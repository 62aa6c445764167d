"""Batches for training and for validation, on worker processes, resumable in the middle of an epoch.

loader = training_loader(dataset, batch_size=32, workers=2)
for images, labels in loader:  # an epoch; the next loop is the next epoch
    ... torch.save({"loader": loader.state_dict(), ...}, path)
loader.load_state_dict(state)  # the next loop goes on after the last batch that was handed out
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from rakuten_assets.augmentation.kernels import prepare
from rakuten_assets.errors import AugmentationError
from rakuten_assets.images.resampling import KERNELS
from rakuten_assets.torch_data.images import RakutenImageDataset
from rakuten_assets.torch_data.order import Order, Visit, weights_by_class

_STATE_VERSION = 1


class ImageLoader:
    """Iterates over batches of an epoch; each iteration is the next epoch.

    What a batch holds depends on (seed, epoch, batch size, order) and not on the number of workers, and what a
    sample is depends on (seed, policy, row, epoch) alone.

    Args:
        dataset: of images.
        order: in which an epoch visits them.
        batch_size: samples a batch; the last one of an epoch may hold fewer.
        drop_last: whether such a last batch is left out.
        workers: processes; 0 works in this one.
        start_method: "fork", "spawn" or "forkserver"; default: the platform's, of a bucket's images never "fork".
        pin_memory: for copies to a GPU.
    """

    def __init__(
        self,
        dataset: RakutenImageDataset,
        order: Order,
        batch_size: int = 32,
        *,
        drop_last: bool = False,
        workers: int = 0,
        start_method: str | None = None,
        pin_memory: bool = False,
    ) -> None:
        if batch_size < 1 or workers < 0:
            raise AugmentationError(
                f"batch_size={batch_size}, workers={workers}: at least 1 and at least 0 are allowed"
            )
        if order.count != len(dataset):
            raise AugmentationError(f"the order is of {order.count} samples, the data set has {len(dataset)}")
        self.dataset, self.order, self.batch_size, self.drop_last = dataset, order, batch_size, drop_last
        self.epoch = 0
        self._next = self._taken = 0
        self._loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_sampler=_Batches(self),
            num_workers=workers,
            multiprocessing_context=(start_method or _start_method(dataset)) if workers else None,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            # Otherwise each iteration would take a number from the user's own generator.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        """Batches an epoch."""
        whole = self.order.count / self.batch_size
        return math.floor(whole) if self.drop_last else math.ceil(whole)

    def __iter__(self) -> Iterator[Any]:
        _compile(len(self.dataset))
        self._taken, self._next = self._next, 0
        self._first = self._taken
        for batch in self._loader:
            self._taken += 1
            yield batch
        self.epoch, self._taken = self.epoch + 1, 0

    def set_epoch(self, epoch: int) -> None:
        """Go to another epoch, to its beginning; to the present one: change nothing."""
        if epoch < 0:
            raise AugmentationError(f"epoch={epoch} is negative; epochs count from 0")
        if epoch != self.epoch:
            self.epoch, self._next, self._taken = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the iteration is: epoch, and batches of it that were handed out. JSON-able."""
        return {
            "version": _STATE_VERSION,
            "epoch": self.epoch,
            "batches": self._taken or self._next,
            "batch_size": self.batch_size,
            "order": self.order.identity,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where another loader was: the next iteration begins with the batch after its last.

        Raises:
            AugmentationError: for a state of another order, data set or batch size, or one that is damaged.
        """
        expected = {"version": _STATE_VERSION, "batch_size": self.batch_size, "order": self.order.identity}
        for name, value in expected.items():
            if state.get(name) != value:
                raise AugmentationError(
                    f"the loader's state has {name} {state.get(name)!r}, this loader {value!r}: an epoch can only be "
                    "resumed with the same data set, seed, weights and batch size; start the epoch anew with set_epoch"
                )
        epoch, batches = state.get("epoch"), state.get("batches")
        if (
            not isinstance(epoch, int)
            or not isinstance(batches, int)
            or epoch < 0
            or not 0 <= batches <= len(self)
        ):
            raise AugmentationError(f"the loader's state is damaged: epoch {epoch!r}, batches {batches!r}")
        ended = len(self) > 0 and batches == len(self)
        self.epoch, self._next, self._taken = epoch + ended, 0 if ended else batches, 0

    def visits(self) -> Iterator[list[Visit]]:
        """What is left of this epoch, batch by batch."""
        chosen, repeats = self.order.of_epoch(self.epoch)
        for batch in range(self._first, len(self)):
            part = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            pairs = zip(chosen[part].tolist(), repeats[part].tolist(), strict=True)
            yield [Visit(sample, self.epoch, repeat) for sample, repeat in pairs]


def training_loader(
    dataset: RakutenImageDataset,
    batch_size: int = 32,
    *,
    balanced: bool = False,
    seed: int = 0,
    workers: int = 0,
    drop_last: bool = False,
    start_method: str | None = None,
    pin_memory: bool = False,
) -> ImageLoader:
    """Shuffled batches.

    Args:
        balanced: whether samples are drawn with replacement, every class as often as any other (torch's
            `WeightedRandomSampler` with balanced class weights). A row that comes again in an epoch is augmented
            in another way.
        seed: of the order; that of the augmentation is the data set's.

    Other arguments are as for `ImageLoader`.

    Raises:
        AugmentationError: `balanced` without labels.
    """
    weights: tuple[float, ...] = ()
    if balanced:
        labels = dataset.sample_labels
        if labels is None:
            raise AugmentationError("balanced=True needs labels; this data set has none")
        weights = weights_by_class(labels)
    order = Order(len(dataset), seed, shuffled=True, weights=weights)
    return ImageLoader(
        dataset,
        order,
        batch_size,
        drop_last=drop_last,
        workers=workers,
        start_method=start_method,
        pin_memory=pin_memory,
    )


def validation_loader(
    dataset: RakutenImageDataset, batch_size: int = 32, *, workers: int = 0, start_method: str | None = None
) -> ImageLoader:
    """Every sample once, in the data set's order.

    Raises:
        AugmentationError: the data set augments or mixes: a validation must not.
    """
    if dataset.options.augment is not None or dataset.options.mix is not None:
        raise AugmentationError(
            "this data set augments its images; make one without `augment` and `mix` to validate on"
        )
    order = Order(len(dataset), shuffled=False)
    return ImageLoader(dataset, order, batch_size, workers=workers, start_method=start_method)


class _Batches:
    """The batches of whatever epoch the loader is in when an iteration begins."""

    def __init__(self, loader: ImageLoader) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[list[Visit]]:
        return self._loader.visits()


def _compile(images: int) -> None:
    """Compile here, where forked workers inherit it."""
    prepare(images)
    KERNELS.expect(images)
    KERNELS.prepare()


def _start_method(dataset: RakutenImageDataset) -> str | None:
    """How worker processes start; None: as torch starts them. A bucket's client does not survive a fork, and a fork
    server has the variables that it was started with."""
    usual = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    return "spawn" if usual == "fork" and not dataset.is_local else None
