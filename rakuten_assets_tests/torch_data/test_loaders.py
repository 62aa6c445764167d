"""Loaders: the same batches for any number of workers, and after a resume in the middle of an epoch."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from rakuten_assets.augmentation import HEAVY, MEDIUM, CutMix
from rakuten_assets.errors import AugmentationError
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import at_address
from rakuten_assets.torch_data import (
    EpochSampler,
    ImageTable,
    Order,
    RakutenImageDataset,
    training_loader,
    validation_loader,
    weights_by_class,
)
from rakuten_assets_tests.bucket import BUCKET, bucket_server
from rakuten_assets_tests.torch_data.conftest import LIMITS

Scanned = tuple[ImageTable, Any]


def epochs(loader: Any, count: int = 2) -> list[torch.Tensor]:
    return [part for _ in range(count) for batch in loader for part in batch]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def dataset(scanned: Scanned) -> RakutenImageDataset:
    return RakutenImageDataset(*scanned, augment=HEAVY, mix=CutMix(p=0.5), side=64)


@pytest.fixture(scope="module")
def expected(dataset: RakutenImageDataset) -> list[torch.Tensor]:
    return epochs(training_loader(dataset, 7, balanced=True))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_batches_are_the_same_for_any_number_of_workers(
    dataset: RakutenImageDataset, expected: list[torch.Tensor], workers: int
) -> None:
    assert same(epochs(training_loader(dataset, 7, balanced=True, workers=workers)), expected)


@pytest.mark.slow
def test_and_for_spawned_workers(dataset: RakutenImageDataset, expected: list[torch.Tensor]) -> None:
    loader = training_loader(dataset, 7, balanced=True, workers=1, start_method="spawn")
    assert same(epochs(loader), expected)


def test_an_epoch_goes_on_where_it_was(dataset: RakutenImageDataset, expected: list[torch.Tensor]) -> None:
    batches = len(training_loader(dataset, 7))
    assert len(expected) == 2 * 2 * batches
    for taken in (0, 1, 3, batches, batches + 2):
        loader = training_loader(dataset, 7, balanced=True, workers=2 if taken == 3 else 0)
        seen: list[torch.Tensor] = []
        while len(seen) < 2 * taken:
            for batch in loader:
                seen += batch
                if len(seen) == 2 * taken:
                    state = json.loads(json.dumps(loader.state_dict()))
                    break
        if not taken:
            state = loader.state_dict()
        resumed = training_loader(dataset, 7, balanced=True)
        resumed.load_state_dict(state)
        while resumed.epoch < 2:
            for batch in resumed:
                seen += batch
        assert same(seen, expected), taken


def test_an_abandoned_epoch_begins_anew(dataset: RakutenImageDataset, expected: list[torch.Tensor]) -> None:
    loader = training_loader(dataset, 7, balanced=True, workers=1)
    for _ in range(2):
        assert same(list(next(iter(loader))), expected[:2])
    assert same(epochs(loader), expected)


def test_epochs_differ_and_can_be_chosen(dataset: RakutenImageDataset, expected: list[torch.Tensor]) -> None:
    half = len(expected) // 2
    assert not same(expected[:half], expected[half:])
    loader = training_loader(dataset, 7, balanced=True)
    loader.set_epoch(1)
    assert same(epochs(loader, 1), expected[half:])
    assert loader.epoch == 2


def test_the_users_generator_is_left_alone(dataset: RakutenImageDataset) -> None:
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    next(iter(training_loader(dataset, 4)))
    assert torch.equal(torch.rand(3), wanted)


def test_a_state_of_something_else_is_refused(dataset: RakutenImageDataset) -> None:
    loader = training_loader(dataset, 7)
    state = loader.state_dict()
    for other in (training_loader(dataset, 8), training_loader(dataset, 7, seed=1),
                  training_loader(dataset, 7, balanced=True)):  # fmt: skip
        with pytest.raises(AugmentationError, match="can only be resumed with the same"):
            other.load_state_dict(state)
    for name, value in (("batches", 99), ("epoch", -1), ("epoch", "1")):
        with pytest.raises(AugmentationError, match="damaged"):
            loader.load_state_dict({**state, name: value})


def test_validation_visits_every_sample_once_in_order(scanned: Scanned) -> None:
    table, labels = scanned
    dataset = RakutenImageDataset(table, labels, side=32, invalid="mask")
    seen = [batch[1] for batch in validation_loader(dataset, 16, workers=2)]
    assert torch.cat(seen).tolist() == labels.tolist()
    with pytest.raises(AugmentationError, match="without `augment`"):
        validation_loader(RakutenImageDataset(table, labels, augment=MEDIUM))


def test_a_new_epoch_reaches_workers_that_live_on(scanned: Scanned) -> None:
    """With a DataLoader of one's own, plain indices and `set_epoch`."""
    dataset = RakutenImageDataset(scanned[0], augment=MEDIUM, side=32, normalisation=None)
    loader = DataLoader(dataset, batch_size=19, num_workers=1, persistent_workers=True)
    for epoch in (0, 3):
        dataset.set_epoch(epoch)
        images = torch.cat(list(loader))
        assert torch.equal(images, torch.stack([dataset[index] for index in range(len(dataset))]))
    with pytest.raises(AugmentationError, match="negative"):
        dataset.set_epoch(-1)


def test_a_sampler_serves_a_loader_of_ones_own(scanned: Scanned) -> None:
    dataset = RakutenImageDataset(*scanned, augment=MEDIUM, side=32)
    sampler = EpochSampler(Order(len(dataset)))
    loader = DataLoader(dataset, batch_size=7, sampler=sampler)
    ours = training_loader(dataset, 7)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert same([part for batch in loader for part in batch], epochs(ours, 1))


def test_a_shuffled_order_is_a_permutation_of_its_own_for_each_epoch_and_seed() -> None:
    orders = [Order(500, seed).of_epoch(epoch)[0].tolist() for seed in range(2) for epoch in range(2)]
    assert all(sorted(order) == list(range(500)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert Order(500).of_epoch(1)[0].tolist() == orders[1]
    places = np.array([Order(50, seed).of_epoch(0)[0] for seed in range(400)])
    assert np.abs(places.mean(axis=0) - 24.5).max() < 4


def test_a_balanced_order_draws_every_class_as_often() -> None:
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    order = Order(1000, weights=weights_by_class(labels))
    chosen, repeats = order.of_epoch(0)
    assert np.abs(np.bincount(labels[chosen]) - 1000 / 3).max() < 60
    before: Counter[int] = Counter()
    for index, repeat in zip(chosen.tolist(), repeats.tolist(), strict=True):
        assert repeat == before[index]
        before[index] += 1
    assert max(before.values()) > 20
    assert not np.array_equal(order.of_epoch(1)[0], chosen)


def test_a_sample_without_weight_is_never_drawn() -> None:
    order = Order(6, weights=(0.0, 1.0, 0.0, 2.0, 1.0, 0.0))
    seen = np.concatenate([order.of_epoch(epoch)[0] for epoch in range(200)])
    counts = np.bincount(seen, minlength=6)
    assert counts[[0, 2, 5]].sum() == 0
    assert counts[3] == pytest.approx(600, abs=60)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0), (0.0, 0.0), (1.0, float("nan"))])
def test_weights_that_are_none_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(AugmentationError, match="one finite weight a sample"):
        Order(2, weights=weights)


def test_a_loader_refuses_what_does_not_fit(dataset: RakutenImageDataset, scanned: Scanned) -> None:
    with pytest.raises(AugmentationError, match="batch_size=0"):
        training_loader(dataset, 0)
    with pytest.raises(AugmentationError, match="needs labels"):
        training_loader(RakutenImageDataset(scanned[0]), balanced=True)


def test_the_last_small_batch_can_be_dropped(dataset: RakutenImageDataset) -> None:
    loader = training_loader(dataset, 7, drop_last=True)
    sizes = [len(batch[0]) for batch in loader]
    assert sizes == [7] * 5 == [7] * len(loader)


def test_worker_processes_read_images_of_a_bucket(catalogue: Path) -> None:
    """A forked process cannot use its parent's client."""
    with bucket_server():
        data = at_address(f"s3://{BUCKET}/data")
        for file in catalogue.rglob("*"):
            if file.is_file():
                write_bytes(data / file.relative_to(catalogue).as_posix(), file.read_bytes())
        here, there = (
            RakutenImageDataset.from_folder(str(root), "train", limits=LIMITS) for root in (catalogue, data)
        )
        assert (here.is_local, there.is_local) == (True, False)
        assert there[0][0].equal(here[0][0])  # the parent has a client
        expected = [batch[0] for batch in validation_loader(here, 16)]
        found = [batch[0] for batch in validation_loader(there, 16, workers=1)]
        assert len(found) == len(expected) > 1
        assert all(one.equal(other) for one, other in zip(found, expected, strict=True))
