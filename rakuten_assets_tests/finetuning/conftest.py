"""A small task."""

from __future__ import annotations

import pytest

from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.finetuning.task import Task
from rakuten_assets_tests.finetuning.small import small_task, write_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> WeightsSource:
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="session")
def task(weights: WeightsSource, tmp_path_factory: pytest.TempPathFactory) -> Task:
    return small_task(tmp_path_factory.mktemp("pictures"), weights)
