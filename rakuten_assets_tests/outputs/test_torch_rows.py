from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import rakuten_assets
from rakuten_assets.errors import StoreError
from rakuten_assets_tests.outputs.storages import published


def test_batches_are_the_valid_rows_with_their_classes(folder: Path) -> None:
    published(folder)
    train = rakuten_assets.load(folder).train
    batches = list(DataLoader(train.torch(), batch_size=4))
    x, y = (torch.cat([batch[part] for batch in batches]) for part in (0, 1))
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert np.array_equal(x.numpy(), train.X[train.valid])
    assert np.array_equal(y.numpy(), train.y[train.valid])


def test_a_test_row_has_no_class(folder: Path) -> None:
    published(folder)
    data = rakuten_assets.load(folder)
    (x,) = DataLoader(data.torch("test", rows=[4, 0]), batch_size=2)
    assert np.array_equal(x.numpy(), data.test.X[[4, 0]])


@pytest.mark.parametrize("rows", [[-1], [12], [0.5], [[1]], np.ones(11, bool), ["a"]])
def test_rows_that_are_not_there_are_refused(folder: Path, rows: Any) -> None:
    published(folder)
    with pytest.raises(StoreError, match="rows"):
        rakuten_assets.load(folder).train.torch(rows)


def test_no_row_is_a_dataset_too(folder: Path) -> None:
    published(folder)
    assert len(rakuten_assets.load(folder).train.torch([])) == 0


def test_an_item_can_be_changed_and_the_file_stays(folder: Path) -> None:
    published(folder)
    data = rakuten_assets.load(folder)
    x, _ = data.train.torch()[0]
    x += 1
    assert np.array_equal(data.train.X, rakuten_assets.load(folder).train.X)
