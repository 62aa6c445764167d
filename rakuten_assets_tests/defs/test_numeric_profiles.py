"""Rows of another numeric profile (another kind of CPU, other kernels) are computed anew or refused, never mixed."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from upath import UPath

import rakuten_assets
from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.defs.features.schedules import refresh_requests
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.extraction.engines.numerics import CAP
from rakuten_assets.extraction.extractors import Extractors
from rakuten_assets.storage import Storage
from rakuten_assets_tests.defs.conftest import Project, failure_of, no_charts
from rakuten_assets_tests.extraction.fake_engine import FakeEngine, install

pytestmark = pytest.mark.slow

NAME = "efficientnet_lite0"
FEATURES = ("train_features", "test_features")
MERGED = ("train_feature_matrix", "test_feature_matrix", "metadata")
OTHER_CPU = "SSE41"
"""A cap of oneDNN's that is no CPU's own instruction set: another profile on any machine."""

KEYS = ("00", "01", "02")


class CpuOfItsOwn(FakeEngine):
    """Its rows tell which kind of CPU computed them: the first value is 7 on `OTHER_CPU`, and even elsewhere."""

    def infer(self, images: np.ndarray) -> np.ndarray:
        rows = 2 * super().infer(images)
        if os.environ.get(CAP) == OTHER_CPU:
            rows[:, 0] = 7
        return rows


@pytest.fixture(scope="module")
def stored(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage that holds everything, made by this machine's own profile."""
    storage = tmp_path_factory.mktemp("profiles") / "storage"
    with pytest.MonkeyPatch.context() as patch:
        _own_cpu(patch)
        assert _project(catalog, storage).run_all().success
    return storage


@pytest.fixture
def project(catalog: Path, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project over a copy of that storage, on the machine that made it."""
    _own_cpu(monkeypatch)
    shutil.copytree(stored, tmp_path / "storage")
    return _project(catalog, tmp_path / "storage")


def _own_cpu(patch: pytest.MonkeyPatch) -> None:
    patch.delenv(CAP, raising=False)
    no_charts(patch)
    install(CpuOfItsOwn(), patch)


def _project(catalog: Path, storage: Path) -> Project:
    options = {"backbone": (NAME,), "weights": "pretrained", "engine": "openvino", "device": "cpu"}
    return Project(catalog, storage, dg.DagsterInstance.ephemeral(), Extractors, **options)


def _own_rows(storage: Path) -> dict[str, set[str]]:
    """The first values of the published rows, by split: which CPUs computed them. Quarantined rows are left out."""
    data = rakuten_assets.load(storage, NAME)
    found: dict[str, set[str]] = {}
    for split in SPLITS:
        of_split = data.of_split(split)
        firsts = of_split.X[of_split.valid][:, 0]
        found[split] = {"other" if first == 7 else "own" for first in firsts}
    return found


def _distinct_pictures(storage: Path) -> int:
    files = (storage / "assets" / "image_scan").glob("*.parquet")
    scan = pd.concat(pd.read_parquet(file) for file in files)
    return int(scan.loc[scan["status"] == "ok", "sha256"].nunique())


def _published(storage: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (storage / "outputs").iterdir() if path.is_file()}


def test_shards_of_two_kinds_of_machines_are_refused_and_made_again_they_are_computed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _published(project.storage)
    assert _own_rows(project.storage) == {"train": {"own"}, "test": {"own"}}

    monkeypatch.setenv(CAP, OTHER_CPU)
    there = _project(project.catalog, project.storage)
    one_shard = there.run(*FEATURES, key="01")
    assert one_shard.success
    reused, computed = _reused_and_computed(there, "01")
    assert reused == 0
    for name in MERGED[:2]:
        merged = there.run(name)
        assert not merged.success
        said = failure_of(merged, f"{NAME}/{name}")
        assert "shards 00 and 01 were made by different extractors" in said
        assert "numerics.instruction_set: " in said and " or sse41" in said
        assert "never mixed" in said and "RAKUTEN_NUMERICS=portable" in said
    assert _published(project.storage) == before
    assert _own_rows(project.storage) == {"train": {"own"}, "test": {"own"}}

    assert there.run(*FEATURES, *MERGED, "outputs", span=("00", "02")).success
    counts = {key: _reused_and_computed(there, key) for key in KEYS}
    assert counts["01"][1] == 0
    # Each picture once on the other machine: what is reused are its own rows, and copies of a picture.
    assert computed + sum(anew for _, anew in counts.values()) == _distinct_pictures(project.storage)
    assert _own_rows(project.storage) == {"train": {"other"}, "test": {"other"}}
    document = rakuten_assets.load(project.storage, NAME).metadata
    assert document["extractor"]["numerics"]["instruction_set"] == "sse41"

    monkeypatch.delenv(CAP)
    back = _project(project.catalog, project.storage)
    assert back.run(*FEATURES, *MERGED, "outputs", span=("00", "02")).success
    assert [_reused_and_computed(back, key)[1] for key in KEYS] == [0, 0, 0]
    after = _published(project.storage)
    arrays = {name for name in before if name.endswith(".npy")}
    assert {name: after[name] for name in arrays} == {name: before[name] for name in arrays}


def test_train_of_one_machine_and_test_of_another_are_not_published_together(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _published(project.storage)
    monkeypatch.setenv(CAP, OTHER_CPU)
    there = _project(project.catalog, project.storage)
    assert there.run("test_features", span=("00", "02")).success
    assert there.run("test_feature_matrix").success
    described = there.run("metadata")
    assert not described.success
    assert "train and test features come from different extractors" in failure_of(
        described, f"{NAME}/metadata"
    )
    published = there.run("outputs")
    assert not published.success
    assert "numerics.instruction_set" in failure_of(published, "outputs")
    assert _published(project.storage) == before


def test_a_shard_that_came_from_another_machine_is_refused_found_and_made_again(project: Project) -> None:
    before = _published(project.storage)
    shards = FeatureIOManager(Storage(UPath(project.storage), project.settings.shards))
    for split in SPLITS:
        file = shards.own_file([NAME, f"{split}_features"], "02")
        shard = shards.read(file)
        numerics = {**shard.fingerprint["numerics"], "kernels": "blocked", "instruction_set": "avx512+other"}
        rows = np.array(shard.array)
        rows[shard.valid, 0] = 7
        foreign = dataclasses.replace(
            shard, vectors=rows, fingerprint={**shard.fingerprint, "numerics": numerics}
        )
        shards.write(foreign, file)
    refused = project.run("train_feature_matrix")
    assert not refused.success
    said = failure_of(refused, f"{NAME}/train_feature_matrix")
    assert "shards 00 and 02 were made by different extractors" in said
    assert "avx512+other" in said and "RAKUTEN_NUMERICS=portable" in said
    assert _published(project.storage) == before

    requests = refresh_requests(project.settings, project.instance)
    assert [request.partition_key for request in requests] == ["02"]
    assert "of another extractor" in requests[0].tags["rakuten/why"]
    assert project.run(*FEATURES, key="02").success
    assert _reused_and_computed(project, "02")[1] == 0
    assert project.run(*MERGED, "outputs").success
    assert _own_rows(project.storage) == {"train": {"own"}, "test": {"own"}}
    after = _published(project.storage)
    assert {name for name in before if name.endswith(".npy") and before[name] != after[name]} == set()


def _reused_and_computed(project: Project, shard: str) -> tuple[int, int]:
    """Rows of a shard, both splits, that its last materialisation reused and computed."""
    found = np.zeros(2, dtype=int)
    for name in FEATURES:
        chosen = dg.AssetRecordsFilter(asset_key=dg.AssetKey([NAME, name]), asset_partitions=[shard])
        (record,) = project.instance.fetch_materializations(chosen, limit=1).records
        event = record.asset_materialization
        assert event is not None
        found += [int(str(event.metadata[what].value)) for what in ("reused", "computed")]
    return int(found[0]), int(found[1])
