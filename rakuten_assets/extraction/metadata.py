"""`metadata.json`: what the published arrays are and how they were made, in the document's keys and more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.extraction.fingerprint import differences
from rakuten_assets.extraction.networks.weights import FINE_TUNED
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.extraction.storing.matrix import ColumnStatistics
from rakuten_assets.settings import Settings
from rakuten_assets.storage.arrays import copy_rows
from rakuten_assets.storage.files import sha256_of_json
from rakuten_assets.verdicts import Verdict

PACKAGES = (
    "rakuten_assets",
    "dagster",
    "numpy",
    "openvino",
    "pandas",
    "pillow",
    "simplejpeg",
    "torch",
    "torchvision",
)
METADATA_KEYS = (
    "model",
    "feature_dim",
    "train_samples",
    "test_samples",
    "num_classes",
    "label_encoder",
    "class_weights",
    "timestamp",
)
# Where things lie on one machine, and what is made of the arrays, says nothing about the arrays.
_SETTINGS_LEFT_OUT = {
    "data_dir", "storage", "allow_download", "evaluate", "finetune", "finetune_options", "webhook", "interface",
}  # fmt: skip
# When and by what release it was made: these never make metadata of the same arrays different.
_NOT_CONTENT = ("timestamp", "packages", "settings")


def describe_outputs(
    settings: Settings,
    train: FeatureArray,
    test: FeatureArray,
    label_encoder: Mapping[str, int],
    class_weights: npt.NDArray[np.float64],
    scanned: pd.DataFrame,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The content of an extractor's `metadata.json`.

    Args:
        label_encoder: code (as text) -> label.
        scanned: rows of all shards' scans, with at least split, status, reason.
        now: time of making; default: the present.
    """
    fingerprint = dict(train.fingerprint)
    return {
        "model": fingerprint["backbone"],
        "feature_dim": int(train.array.shape[1]),
        "train_samples": len(train.valid),
        "test_samples": len(test.valid),
        "num_classes": len(label_encoder),
        "label_encoder": dict(label_encoder),
        "class_weights": [float(weight) for weight in class_weights],
        "timestamp": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
        "data": "synthetic catalogue" if settings.is_synthetic else "real files",
        "extractor": fingerprint,
        "fingerprint": fingerprint_digest(fingerprint),
        "weights_sha256": weights_sha256(fingerprint),
        "weights_note": weights_note(fingerprint),
        "shards": settings.shards,
        "quarantined": {split: _quarantined(scanned, split) for split in ("train", "test")},
        "settings": _settings_that_matter(settings, fingerprint["backbone"]),
        "packages": {name: version(name) for name in PACKAGES},
    }


def fingerprint_digest(fingerprint: Mapping[str, Any]) -> str:
    """Hexadecimal digest of a fingerprint, as `ExtractorFingerprint.digest`."""
    return sha256_of_json(dict(fingerprint))


def weights_sha256(fingerprint: Mapping[str, Any]) -> str | None:
    """sha256 of the weights' file; None for seeded weights, which nobody else has."""
    kind, _, digest = str(fingerprint["weights"]).rpartition(":")
    return digest if kind in ("sha256", f"{FINE_TUNED}:sha256") else None


def weights_note(fingerprint: Mapping[str, Any]) -> str:
    """What a reader must know of the weights."""
    sha256 = weights_sha256(fingerprint)
    if sha256 is None:
        return (
            "SEEDED: random, calibrated weights for trying things out; the vectors mean nothing beyond that"
        )
    if str(fingerprint["weights"]).startswith(FINE_TUNED):
        return (
            "FINE-TUNED on the training rows of the grouped split: figures of that split are of rows that the network "
            "did not see, those of the customary split and of cross-validation are not; state dict with sha256 "
            f"{sha256}"
        )
    return f"state dict with sha256 {sha256}"


def content_version(metadata: Mapping[str, Any]) -> str:
    """Hexadecimal digest of what the metadata says about the arrays, without the time of making."""
    content = {key: value for key, value in metadata.items() if key not in _NOT_CONTENT}
    return sha256_of_json(content)


def metadata_verdict(metadata: Mapping[str, Any], train: FeatureArray, test: FeatureArray) -> Verdict:
    """The metadata has all keys, and its counts are those of the arrays."""
    problems = [f"key {key} is missing" for key in METADATA_KEYS if key not in metadata]
    if different := differences(train.fingerprint, test.fingerprint):
        problems.append(
            f"train and test features come from different extractors (they differ in {', '.join(different)}); "
            "materialise both again, on one kind of machine"
        )
    for split, matrix in (("train", train), ("test", test)):
        counted = sum(metadata["quarantined"][split].values())
        zero = int((~matrix.valid).sum())
        if counted != zero:
            problems.append(
                f"{split}: {counted} images are quarantined by the scan, {zero} by the matrix's mask"
            )
    if len(metadata["class_weights"]) != metadata["num_classes"]:
        problems.append("there are not as many class weights as classes")
    return Verdict(
        "document_complete", not problems, "; ".join(problems) or "all keys, and counts as in the arrays"
    )


def column_statistics(matrix: FeatureArray, block_rows: int = 1024) -> ColumnStatistics:
    """Statistics of a matrix's valid rows, block by block."""
    vectors, valid = matrix.array, matrix.valid
    statistics = ColumnStatistics.empty(vectors.shape[1])
    for start in range(0, len(valid), block_rows):
        chosen = valid[start : start + block_rows]
        statistics.add(copy_rows(vectors, start, start + block_rows)[chosen])
    return statistics


def _settings_that_matter(settings: Settings, backbone: str) -> dict[str, Any]:
    chosen: dict[str, Any] = json.loads(settings.model_dump_json(exclude=_SETTINGS_LEFT_OUT))
    return {**chosen, "backbone": backbone, "weights": Path(settings.weights_of(backbone)).name}


def _quarantined(scanned: pd.DataFrame, split: str) -> dict[str, int]:
    bad = scanned[(scanned["split"] == split) & (scanned["status"] != "ok")]
    return {str(reason): int(count) for reason, count in bad["reason"].value_counts().sort_index().items()}
