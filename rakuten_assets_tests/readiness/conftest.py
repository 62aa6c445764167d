"""A storage that says yes to every box, written as the assets write it, and its parts to change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.evaluation.splits import grouped_split, random_split
from rakuten_assets.extraction.metadata import METADATA_KEYS, PACKAGES, fingerprint_digest
from rakuten_assets.extraction.preprocessing import preprocessing_for
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.imbalance.class_weights import balanced_class_weights
from rakuten_assets.outputs.manifest import Manifest, PublishedExtractor, PublishedFile
from rakuten_assets.readiness.answers import Box
from rakuten_assets.readiness.checklist import check_readiness
from rakuten_assets.readiness.stored import Stored
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets_tests.outputs.storages import catalogue

EXTRACTOR = "efficientnet_lite0"
CODES = (10, 40, 2583)
TRAIN, TEST, DIM = 30, 9, 6


@dataclass(frozen=True)
class ReadyStorage:
    """Writes and changes what is stored, each value as its asset would."""

    root: Path

    @property
    def storage(self) -> Storage:
        return Storage(UPath(self.root), 2)

    def put(self, asset: str, value: Any, partition: str | None = None) -> None:
        manager = {
            pd.DataFrame: ParquetIOManager,
            np.ndarray: NpyIOManager,
            FeatureArray: FeatureIOManager,
        }.get(type(value), JsonIOManager)
        files = manager(self.storage)
        file = self.storage.asset_file(asset.split("/"), partition, files.suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write(value, file)

    def features(
        self, split: str, values: np.ndarray, rows: pd.DataFrame, fingerprint: dict[str, Any]
    ) -> None:
        from rakuten_assets.storage.arrays import write_array

        scratch = self.root / "scratch.npy"
        record = write_array(scratch, values)
        scratch.unlink()
        self.put(f"{EXTRACTOR}/{split}_feature_matrix", FeatureArray(values, rows, fingerprint, record))

    def stored(self) -> Stored:
        return Stored.open(UPath(self.root))

    def box(self, name: str, **stand_ins: Any) -> Box:
        """The box that says something about `name`, a part of its title."""
        (box,) = [box for box in check_readiness(self.stored(), **stand_ins).boxes if name in box.title]
        return box


def fingerprint() -> dict[str, Any]:
    backbone = find_backbone(EXTRACTOR)
    return {
        "backbone": EXTRACTOR,
        "feature_dim": DIM,
        "weights": "sha256:" + "a" * 64,
        "preprocessing": preprocessing_for(backbone, "pretrained", "document").as_dict(),
        "precision": "f32",
    }


def metadata() -> dict[str, Any]:
    from importlib.metadata import version

    return {
        **dict.fromkeys(METADATA_KEYS, 0),
        "extractor": fingerprint(),
        "fingerprint": fingerprint_digest(fingerprint()),
        "settings": {"shards": 2},
        "packages": {name: version(name) for name in PACKAGES},
    }


def groups_of(manifest: pd.DataFrame) -> pd.DataFrame:
    own = [f"{n:016x}" for n in range(len(manifest))]
    found = manifest[["split", "row", "file", "code"]].copy()
    for level in ("exact", "pixel", "near"):
        found[f"{level}_group"], found[f"{level}_size"] = own, 1
    return found


def sidecar(manifest: pd.DataFrame, split: str, valid: np.ndarray) -> pd.DataFrame:
    rows = manifest[manifest["split"] == split].reset_index(drop=True)
    kept = rows[["row", "index", "image_id", "product_id", "file"]].copy()
    kept["sha256"], kept["valid"] = [sha256_of_bytes(name.encode()) for name in rows["file"]], valid
    return kept


def strategies() -> list[dict[str, Any]]:
    return [
        {
            "strategy": name,
            "scores": {"weighted_f1": {"value": value}},
            "differences": {"weighted_f1": {"value": value - 0.8}},
            "real": {"weighted_f1": real},
        }
        for name, value, real in (("none", 0.8, False), ("class weights", 0.9, True), ("SMOTE", 0.95, False))
    ]


def quality() -> dict[str, Any]:
    about = {"mean": 0.4, "std": 0.6, "dimensions": DIM, "dead": [], "constant": []}
    return {
        "train": {**about, "valid_rows": TRAIN},
        "test": {**about, "valid_rows": TEST},
        "drift": {
            "verdict": "none",
            "auc": 0.51,
            "columns": {
                "component 1": {"distance": 0.04, "adjusted_p_value": 0.6},
                "class 2583": {"distance": 0.03, "adjusted_p_value": 0.01},
            },
        },
    }


def report() -> dict[str, Any]:
    score = {"value": 0.9, "low": 0.8, "high": 0.95}
    return {
        "details": {"seed": 42},
        "evaluations": {
            "grouped": {"scores": {"weighted_f1": score}, "majority_baseline": {"weighted_f1": 0.2}}
        },
    }


@pytest.fixture(autouse=True)
def _defaults(no_settings_of_the_user: None) -> None:
    """Every test here starts from the defaults."""


@pytest.fixture
def ready(tmp_path: Path) -> ReadyStorage:
    """A storage in which everything is as it should be."""
    ready = ReadyStorage(tmp_path / "storage")
    ready.storage.claim()
    manifest = catalogue(TRAIN, TEST)
    ready.put("image_manifest", manifest)
    for key in shard_keys(2):
        scan = manifest[manifest["shard"] == key].assign(status="ok", reason="")
        ready.put("image_scan", scan.reset_index(drop=True), key)
    groups = groups_of(manifest)
    ready.put("duplicate_groups", groups)
    labels = np.arange(TRAIN) % len(CODES)
    ready.put("label_encoder", {str(code): label for label, code in enumerate(CODES)})
    ready.put("train_labels", labels)
    ready.put("class_weights", balanced_class_weights(labels, len(CODES)))
    ready.put("random_split", random_split(labels))
    ready.put("grouped_split", grouped_split(labels, groups["near_group"].to_numpy(dtype=str)[:TRAIN]))
    draw = np.random.default_rng(0)
    for split, count in (("train", TRAIN), ("test", TEST)):
        valid = np.ones(count, bool)
        ready.put(f"{split}_valid", valid)
        values = draw.random((count, DIM)).astype(np.float32) + 0.1
        ready.features(split, values, sidecar(manifest, split, valid), fingerprint())
    ready.put(f"{EXTRACTOR}/validation_report", report())
    ready.put(f"{EXTRACTOR}/feature_quality", quality())
    ready.put(f"{EXTRACTOR}/imbalance_comparison", {"strategies": strategies()})
    ready.put(f"{EXTRACTOR}/metadata", metadata())
    points = manifest[["split", "row", "image_id"]].assign(x=1.0, y=2.0)
    ready.put(f"{EXTRACTOR}/feature_map", points)
    page = ready.root / "outputs" / f"evaluation_{EXTRACTOR}" / "feature_map.html"
    page.parent.mkdir(parents=True)
    page.write_text("<!DOCTYPE html>")
    publish(ready)
    return ready


def publish(ready: ReadyStorage, document: dict[str, Any] | None = None, recorded: bytes = b"") -> None:
    """Publish the metadata, with a manifest that says what it must be."""
    content = json.dumps(document or metadata()).encode()
    name = f"metadata_{EXTRACTOR}.json"
    digest = sha256_of_bytes(recorded or content)
    others = ("metadata.json", "index.parquet", "train_labels.npy", "train_valid.npy", "test_valid.npy")
    arrays = [f"{split}_features_{EXTRACTOR}.npy" for split in ("train", "test")]
    files = {other: PublishedFile(1, "0" * 64, "0" * 64) for other in (*others, *arrays)}
    files[name] = PublishedFile(len(content), digest, digest)
    manifest = Manifest(
        "2026-01-01T00:00:00+00:00",
        "0.1.0",
        {},
        "0" * 64,
        {"train": TRAIN, "test": TEST},
        (PublishedExtractor(EXTRACTOR, True, DIM, "0" * 64),),
        files,
    )
    (ready.root / "outputs" / name).write_bytes(content)
    (ready.root / "outputs" / "manifest.json").write_bytes(manifest.to_bytes())
