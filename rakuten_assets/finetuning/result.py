"""The result on disk: a weights file as any other, and a JSON record beside it that says how it was made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import safetensors.torch
from upath import UPath

from rakuten_assets.extraction.networks.weights import FINE_TUNED
from rakuten_assets.extraction.preprocessing import PREPROCESSING
from rakuten_assets.finetuning.options import FineTuning
from rakuten_assets.finetuning.task import Task
from rakuten_assets.finetuning.training import FineTuned
from rakuten_assets.storage.files import sha256_of_bytes, write_bytes
from rakuten_assets.storage.records import write_record

WEIGHTS_FILE = "weights.safetensors"
RECORD_FILE = "weights.json"
_PACKAGES = ("rakuten_assets", "torch", "torchvision", "numpy")


@dataclass(frozen=True)
class Written:
    """Where the result is.

    Attributes:
        weights: the state dict.
        record: how it was made.
        sha256: of the weights file.
    """

    weights: UPath
    record: UPath
    sha256: str


def write_result(folder: UPath, tuned: FineTuned, task: Task, options: FineTuning) -> Written:
    """Write both files, over those that are there. The weights are first: until the record follows, it is that of the
    weights before, and says so by its digest.

    Raises:
        WriteError: if they cannot be written.
    """
    content = weights_bytes(tuned, task)
    digest = sha256_of_bytes(content)
    written = Written(folder / WEIGHTS_FILE, folder / RECORD_FILE, digest)
    write_bytes(written.weights, content)
    write_record(written.record, description(tuned, task, options, digest))
    return written


def weights_bytes(tuned: FineTuned, task: Task) -> bytes:
    """The weights file. Its header says that it was fine-tuned, so that no score forgets what it was trained on, and
    how its pictures were prepared."""
    # One entry: the library writes several in an order that changes from run to run.
    about = {
        "backbone": task.backbone.name,
        "trained on": "training rows of the grouped split",
        PREPROCESSING: task.preprocessing.as_dict(),
    }
    return safetensors.torch.save(tuned.state, metadata={FINE_TUNED: json.dumps(about)})


def description(tuned: FineTuned, task: Task, options: FineTuning, digest: str) -> dict[str, Any]:
    """How the weights were made. JSON-able."""
    part = tuned.part
    return {
        "backbone": task.backbone.name,
        "weights_sha256": digest,
        "start": task.weights.as_dict(),
        "options": options.as_dict(),
        "seed": options.seed,
        "preprocessing": task.preprocessing.as_dict(),
        "split": {
            "name": "grouped_split",
            "training_rows": int(task.training.sum()),
            "validation_rows": int(task.validating.sum()),
            "classes": task.classes,
        },
        "trained": {
            "blocks": len(set(part.depths.values())),
            "of_blocks": len(part.blocks),
            "parameters": sorted(part.names),
        },
        "epochs": [epoch.as_dict() for epoch in tuned.epochs],
        "kept_epoch": tuned.kept,
        "parts_of_a_step": tuned.parts,
        "identity": task.identity(options),
        "environment": tuned.environment,
        "versions": {name: version(name) for name in _PACKAGES},
    }
