"""A small catalogue, and a task on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.finetuning.task import Task
from rakuten_assets.synthetic import generate_catalog
from rakuten_assets_tests.finetuning.small import small_task, write_weights

TRAIN_ROWS = 108


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("catalogue")
    generate_catalog(root, train_rows=TRAIN_ROWS, test_rows=2, seed=3, faults=False, workers=1)
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> WeightsSource:
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="session")
def task(catalogue: Path, weights: WeightsSource) -> Task:
    return small_task(catalogue, weights)
