"""A tiny catalogue, and an extractor that costs nothing, for tests of the graph itself."""

import hashlib
import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import dagster as dg
import numpy as np
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.definitions import build_defs
from rakuten_assets.settings import Settings
from rakuten_assets.synthetic import generate_catalog

TRAIN_ROWS, TEST_ROWS, SHARDS, DIM = 81, 20, 3, 8
FAMILY = (
    "train_features",
    "test_features",
    "train_feature_matrix",
    "test_feature_matrix",
    "metadata",
    "held_out_predictions",
    "head",
    "validation_report",
    "suspect_labels",
    "test_predictions",
    "feature_quality",
    "imbalance_comparison",
    "feature_map",
)


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


def fake_fingerprint(settings: Settings, backbone: str = "") -> FakeFingerprint:
    return FakeFingerprint(backbone or settings.backbones[0], settings.precision)


@dataclass(frozen=True)
class FakeReport:
    computed: int
    reused: int = 0
    deduplicated: int = 0
    invalid: int = 0
    seconds: float = 0.01
    waited: float = 0.0


class FakeExtractor:
    """Rows are a function of the image's sha256, as the real one's are of its bytes."""

    feature_dim = DIM
    spoil: Callable[[np.ndarray], None] | None = None

    def __init__(self, settings: Settings, backbone: str = "") -> None:
        self.fingerprint = fake_fingerprint(settings, backbone)

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


class FakeExtractors:
    """Stands in for the resource `extractors`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, backbone: str, log: Any = None) -> FakeExtractor:
        return FakeExtractor(self._settings, backbone)


@pytest.fixture(autouse=True)
def _defaults(no_settings_of_the_user: None) -> None:
    """Every test here starts from the defaults."""


def stand_ins(patch: pytest.MonkeyPatch) -> None:
    """The extractor that costs nothing, and no charts."""
    patch.setattr("rakuten_assets.extraction.preparation.known_fingerprint", fake_fingerprint)
    patch.setattr(FakeExtractor, "spoil", None)
    no_charts(patch)


def no_charts(patch: pytest.MonkeyPatch) -> None:
    """No charts in metadata: they take half of the time of a tiny run."""
    for name in (
        "raw.assets.class_distribution_png",
        "labels.assets.bars_png",
        "features.metadata.histogram_png",
        "catalog.metadata.contact_sheet_jpeg",
        "evaluation.metadata.bars_png",
        "evaluation.metadata.heatmap_png",
        "evaluation.metadata.reliability_png",
        "evaluation.metadata.tradeoff_png",
    ):
        patch.setattr(f"rakuten_assets.defs.{name}", lambda *_, **__: b"PNG")
    blank = io.BytesIO()
    Image.new("RGB", (1, 1)).save(blank, "PNG")
    patch.setattr("rakuten_assets.augmentation.gallery.gallery_png", lambda *_, **__: blank.getvalue())


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic catalogue with faults; tests that change it work on a copy."""
    root = tmp_path_factory.mktemp("catalog") / "catalog"
    generate_catalog(root, TRAIN_ROWS, TEST_ROWS, log=lambda _: None)
    return root


class Project:
    """One variant of the definitions over one storage and one instance."""

    def __init__(
        self,
        catalog: Path,
        storage: Path,
        instance: dg.DagsterInstance,
        extractors: type[Any] = FakeExtractors,
        **overrides: Any,
    ) -> None:
        # The catalogue is full of faults: without this every check that looks for them would warn.
        generous = {
            f"{name}_warn": 1.0
            for name in ("blank", "duplicate", "conflict", "twin", "odd", "drift", "suspect")
        }
        options: dict[str, Any] = {
            **generous,
            "unreadable_warn": 0.9,
            "unreadable_fail": 0.9,
            "shards": SHARDS,
            "weights": "seeded",
        }
        self.settings = Settings(data_dir=UPath(catalog), storage=UPath(storage), **{**options, **overrides})
        self.catalog, self.storage, self.instance = catalog, storage, instance
        self.defs = build_defs(self.settings, {"extractors": extractors(self.settings)})
        self.job = self.defs.resolve_implicit_global_asset_job_def()
        self.everything = sorted(self.defs.resolve_asset_graph().materializable_asset_keys)

    def run(
        self, *select: str, span: tuple[str, str] | None = None, key: str | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materialise assets (all, if none is named) over one shard, a range, or (unpartitioned) none."""
        tags = {}
        if span is not None:
            tags = {
                "dagster/asset_partition_range_start": span[0],
                "dagster/asset_partition_range_end": span[1],
            }
        return self.job.execute_in_process(
            asset_selection=[self.key(name) for name in select] or self.everything,
            instance=self.instance,
            partition_key=key,
            tags=tags,
            raise_on_error=False,
        )

    def key(self, name: str) -> dg.AssetKey:
        """`train_features` is the first extractor's; any other key is written in full: `resnet18/metadata`."""
        if name in FAMILY:
            return dg.AssetKey([self.settings.backbones[0], name])
        return dg.AssetKey(name.split("/"))

    def run_all(self) -> dg.ExecuteInProcessResult:
        return self.run(span=("00", f"{self.settings.shards - 1:02d}"))

    def outputs(self) -> dict[str, bytes]:
        """Published arrays by name."""
        return {path.name: path.read_bytes() for path in sorted((self.storage / "outputs").glob("*.npy"))}


@pytest.fixture(scope="session")
def finished(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after one run over everything; tests work on copies of its storage."""
    storage = tmp_path_factory.mktemp("finished") / "storage"
    with pytest.MonkeyPatch.context() as patch:
        stand_ins(patch)
        project = Project(catalog, storage, dg.DagsterInstance.ephemeral())
        assert project.run_all().success
    return project


@pytest.fixture
def project(catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project over an empty storage."""
    stand_ins(monkeypatch)
    return Project(catalog, tmp_path / "storage", dg.DagsterInstance.ephemeral())


@pytest.fixture
def done(finished: Project, project: Project) -> Project:
    """A project over a storage that holds everything, made by another instance."""
    shutil.copytree(finished.storage, project.storage)
    return project


def failure_of(result: dg.ExecuteInProcessResult, asset: str | None = None) -> str:
    """What the step of an asset, or the run before its first step, failed with, causes included."""
    if asset is None:
        events = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
        error = events[0].job_failure_data.first_step_failure_event or events[0].job_failure_data.error
        assert error is not None
        return error.to_string()
    nodes = {asset, f"efficientnet_b0__{asset}", asset.replace("/", "__")}
    failures = [result.failure_data_for_node(step) for step in nodes if step in _steps(result)]
    (failure,) = failures
    assert failure is not None and failure.error is not None
    return failure.error.to_string()


def _steps(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.step_key for event in result.all_events if event.step_key is not None}
