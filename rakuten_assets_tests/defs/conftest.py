"""A tiny catalogue, and an extractor that costs nothing, for tests of the graph itself."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import dagster as dg
import numpy as np
import pytest
from upath import UPath

from rakuten_assets.dataset.synthetic import generate_catalog
from rakuten_assets.definitions import build_defs
from rakuten_assets.settings import Settings

TRAIN_ROWS, TEST_ROWS, SHARDS, DIM = 81, 20, 3, 8


@dataclass(frozen=True)
class FakeFingerprint:
    backbone: str
    precision: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "backbone": self.backbone,
            "precision": self.precision,
            "feature_dim": DIM,
            "weights": "seeded:fake",
        }

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True)
class FakeReport:
    computed: int
    reused: int = 0
    deduplicated: int = 0
    invalid: int = 0
    seconds: float = 0.01


class FakeExtractor:
    """Rows are a function of the image's sha256, as the real one's are of its bytes."""

    feature_dim = DIM
    spoil: Callable[[np.ndarray], None] | None = None

    def __init__(self, settings: Settings) -> None:
        self.fingerprint = FakeFingerprint(settings.backbone, settings.precision)

    @classmethod
    def open(cls, settings: Settings, log: Any = None) -> "FakeExtractor":
        return cls(settings)

    def __enter__(self) -> "FakeExtractor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def describe(self) -> dict[str, Any]:
        return {"engine": "fake"}

    def extract(
        self,
        files: Sequence[Path | UPath],
        sha256: Sequence[str],
        out: np.ndarray,
        progress_label: str = "",
        log: Any = None,
    ) -> FakeReport:
        for row, digest in enumerate(sha256):
            out[row] = 0
            if digest:
                out[row] = np.frombuffer(bytes.fromhex(digest)[:DIM], dtype=np.uint8)
        if FakeExtractor.spoil is not None:
            FakeExtractor.spoil(out)
        return FakeReport(len(files), invalid=sum(not digest for digest in sha256))


@pytest.fixture
def fake_extractor(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeExtractor]]:
    monkeypatch.setattr("rakuten_assets.extraction.pipeline.Extractor", FakeExtractor)
    monkeypatch.setattr(FakeExtractor, "spoil", None)
    yield FakeExtractor


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic catalogue with faults; tests that change it work on a copy."""
    root = tmp_path_factory.mktemp("catalog") / "catalog"
    generate_catalog(root, TRAIN_ROWS, TEST_ROWS, log=lambda _: None)
    return root


class Project:
    """One variant of the definitions over one storage and one instance."""

    def __init__(self, catalog: Path, storage: Path, instance: dg.DagsterInstance, **overrides: Any) -> None:
        options: dict[str, Any] = {"unreadable_warn": 0.9, "unreadable_fail": 0.9, "shards": SHARDS}
        self.settings = Settings(
            data_dir=UPath(catalog), storage=UPath(storage), weights="seeded", **{**options, **overrides}
        )
        self.catalog, self.storage, self.instance = catalog, storage, instance
        self.defs = build_defs(self.settings)
        self.job = self.defs.resolve_implicit_global_asset_job_def()

    def run(
        self, *select: str, span: tuple[str, str] | None = None, key: str | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materialise assets (all, if none is named) over one shard, a range, or (unpartitioned) none."""
        tags = {}
        if span is not None:
            tags = {"dagster/asset_partition_range_start": span[0], "dagster/asset_partition_range_end": span[1]}
        return self.job.execute_in_process(
            asset_selection=[dg.AssetKey(name) for name in select] or None,
            instance=self.instance,
            partition_key=key,
            tags=tags,
            raise_on_error=False,
        )

    def run_all(self) -> dg.ExecuteInProcessResult:
        return self.run(span=("00", f"{self.settings.shards - 1:02d}"))

    def outputs(self) -> dict[str, bytes]:
        """Published arrays by name."""
        return {path.name: path.read_bytes() for path in sorted((self.storage / "outputs").glob("*.npy"))}


@pytest.fixture
def project(catalog: Path, tmp_path: Path, fake_extractor: type[FakeExtractor]) -> Project:
    return Project(catalog, tmp_path / "storage", dg.DagsterInstance.ephemeral())


def failure_of(result: dg.ExecuteInProcessResult, asset: str) -> str:
    """What the step of an asset failed with, causes included."""
    failure = result.failure_data_for_node(asset)
    assert failure is not None and failure.error is not None
    return failure.error.to_string()
