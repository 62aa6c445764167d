"""kill -9 at random moments of a run with three extractors: started again, it ends in the bytes of a calm run."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rakuten_assets
from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.errors import StoreError
from rakuten_assets.synthetic import generate_catalog

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no process groups to kill"),
]

PROJECT = Path(rakuten_assets.__file__).parents[1]
BACKBONES = ("resnet18", "mobilenet_v3_large", "efficientnet_lite0")
TRAIN_ROWS, TEST_ROWS = 60, 12
KILLS, SEED = 3, 13
WANTED = "not group:evaluation and not group:augmentation"
CHANGES = (30, 600)
"""Of the some 680 changes that a run makes to its storage, those that a kill is drawn from."""

LONGEST_PAUSE = 0.3
"""Seconds, at most, between the file operation that is waited for and the kill."""

# Dagster's own command; each change that it makes to the storage leaves a byte in a file.
COUNTED_DAGSTER = """
import os, runpy, sys
storage, counter = sys.argv.pop(1), os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
changes = {"os.rename", "os.link", "os.remove", "os.mkdir"}
def count(event, arguments):
    if event in changes or (event == "open" and isinstance(arguments[2], int) and arguments[2] & 3):
        if str(arguments[0]).startswith(storage):
            os.write(counter, b".")
sys.addaudithook(count)
runpy.run_module("dagster", run_name="__main__")
"""


@dataclass(frozen=True)
class Place:
    """A storage with a Dagster home of its own, in a folder, and the catalogue that it is made of."""

    folder: Path
    catalog: Path

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self, select: str, backbones: tuple[str, ...] = BACKBONES) -> subprocess.Popen[bytes]:
        """Start Dagster's command over both shards, in a process group of its own."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / ".dagster" / "dagster.yaml", home)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RAKUTEN_")}
        environment = clean | {
            "DAGSTER_HOME": str(home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "RAKUTEN_STORAGE": str(self.storage),
            "RAKUTEN_DATA_DIR": str(self.catalog),
            "RAKUTEN_WEIGHTS": "resnet18=seeded,mobilenet_v3_large=seeded",
            "RAKUTEN_SHARDS": "2",
            "RAKUTEN_UNREADABLE_FAIL": "0.5",
            "RAKUTEN_BACKBONE": ",".join(backbones),
        }
        self._counter.unlink(missing_ok=True)
        target = ("-m", "rakuten_assets.definitions", "--select", select, "--partition-range", "00...01")
        script = (sys.executable, "-c", COUNTED_DAGSTER, str(self.storage), str(self._counter))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*script, "asset", "materialize", *target],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, select: str, backbones: tuple[str, ...] = BACKBONES) -> str:
        """Run it to its end; returns what it printed."""
        before = len(self.printed)
        assert self.start(select, backbones).wait() == 0, self.printed[before:]
        return self.printed[before:]

    @property
    def printed(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    @property
    def changes(self) -> int:
        """Changes that the last started process has made to the storage so far."""
        return self._counter.stat().st_size if self._counter.exists() else 0

    @property
    def _counter(self) -> Path:
        return self.folder / "changes"

    def kept(self) -> dict[str, bytes]:
        """Every file of the assets and of the published set, without the times that documents tell."""
        files = [path for part in ("assets", "outputs") for path in (self.storage / part).rglob("*")]
        return {str(path.relative_to(self.storage)): _without_times(path) for path in files if path.is_file()}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with faults."""
    root = tmp_path_factory.mktemp("catalog") / "catalog"
    generate_catalog(root, TRAIN_ROWS, TEST_ROWS, log=lambda _: None)
    return root


@pytest.fixture(scope="module")
def calm(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A storage after an undisturbed run over everything."""
    place = Place(tmp_path_factory.mktemp("calm"), catalog)
    place.run(WANTED)
    return place


@pytest.fixture(scope="module")
def killed(catalog: Path, calm: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A storage whose run was killed again and again, and then left alone."""
    place = Place(tmp_path_factory.mktemp("killed"), catalog)
    for part in ("weights", "models"):
        shutil.copytree(calm.storage / "cache" / part, place.storage / "cache" / part)
    # One network is converted anew: a kill may meet that too.
    models = sorted((place.storage / "cache" / "models").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(models) == len(BACKBONES)
    models[-1].unlink()
    sets = {_look(calm.storage)}
    moments, kills = random.Random(SEED), 0
    while kills < KILLS:
        enough, pause = moments.randint(*CHANGES), moments.uniform(0, LONGEST_PAUSE)
        process = place.start(WANTED)
        while place.changes < enough and process.poll() is None:
            time.sleep(0.005)
        time.sleep(pause)
        if process.poll() is not None:  # It had less to do than that: there is nothing to kill.
            assert process.returncode == 0, place.printed
            continue
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kills += 1
        try:
            published = "the set"
            assert _look(place.storage) in sets
        except StoreError as error:
            published = "a sentence"
            assert "Make it: dagster asset materialize" in str(error)
        arrays = len(list((place.storage / "assets").rglob("*.npy")))
        print(
            f"kill {kills}: {place.changes} changes, {pause:.2f} s; {arrays} arrays stored; load gives {published}"
        )
    place.run(WANTED)
    print(f"the last run: {place.changes} changes")
    return place


def test_killed_at_random_it_ends_in_the_bytes_of_a_calm_run(calm: Place, killed: Place) -> None:
    expected, found = calm.kept(), killed.kept()
    assert found.keys() == expected.keys()
    assert [name for name, content in expected.items() if found[name] != content] == []
    arrays = [name for name in expected if name.endswith(".npy")]
    # Two shards and a matrix of each split, published once more.
    assert sum("features" in name or "feature_matrix" in name for name in arrays) == 8 * len(BACKBONES)


def test_each_extractor_of_the_killed_storage_loads_verified(killed: Place) -> None:
    for name in BACKBONES:
        data = rakuten_assets.load(killed.storage, name)
        assert data.extractors == BACKBONES
        assert len(data.train) == TRAIN_ROWS and len(data.test) == TEST_ROWS
        assert data.train.X[data.train.valid].any(axis=1).all()
        assert not data.train.X[~data.train.valid].any()


def test_going_back_to_the_first_extractor_computes_nothing(killed: Place) -> None:
    first, before = BACKBONES[0], killed.kept()
    printed = killed.run("group:features,outputs", BACKBONES[:1])
    found = re.findall(r"(\w+), (train|test) features: .*; (\d+) computed, (\d+) reused", printed)
    assert {(name, split, computed) for name, split, computed, _ in found} == {
        (first, "train", "0"),
        (first, "test", "0"),
    }
    data = rakuten_assets.load(killed.storage)
    assert data.extractor == first
    assert sum(int(reused) for *_, reused in found) == data.train.valid.sum() + data.test.valid.sum()
    after = killed.kept()
    assert {name for name, content in before.items() if after[name] != content} == {"outputs/manifest.json"}


def _look(storage: Path) -> tuple[Any, ...]:
    """What a person sees of the published set, each extractor's rows included; every file is verified."""
    data = [rakuten_assets.load(storage, name) for name in BACKBONES]
    return (
        data[0].manifest.set_id,
        *(np.asarray(one.of_split(split).X).tobytes() for one in data for split in SPLITS),
    )


def _without_times(path: Path) -> bytes:
    """A file's content; of documents that tell a time, all else. What is a digest of such a document tells it too."""
    if path.name == "metadata.record.json":
        return b""
    content = path.read_bytes()
    if path.name != "manifest.json" and not path.name.startswith("metadata"):
        return content
    document = json.loads(content)
    times = {"timestamp", "published_at", "manifest_sha256"}
    said = {key: value for key, value in document.items() if key not in times}
    for name, file in said.get("files", {}).items():
        if name.startswith("metadata"):
            del file["sha256"]
    return json.dumps(said).encode()
