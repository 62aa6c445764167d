"""Boxes about doing it again: configuration, seeds, versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from rakuten_assets.evaluation.inputs import train_groups
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.evaluation.splits import grouped_split, random_split
from rakuten_assets.extraction.metadata import METADATA_KEYS, PACKAGES, fingerprint_digest
from rakuten_assets.outputs.manifest import Manifest
from rakuten_assets.outputs.names import MANIFEST_FILE, OUTPUTS, metadata_file
from rakuten_assets.readiness.answers import Finding
from rakuten_assets.readiness.stored import Stored
from rakuten_assets.storage.files import sha256_of_bytes

_WANTED = (*METADATA_KEYS, "extractor", "fingerprint", "settings", "packages")
_DIGITS = 12


def configuration_saved(stored: Stored, extractor: str) -> Finding:
    """The published metadata say everything about the features that are stored, and belong to the published set."""
    own = stored.document(f"{extractor}/metadata")
    name = metadata_file(extractor)
    manifest = Manifest.from_bytes(stored.output(OUTPUTS, MANIFEST_FILE), MANIFEST_FILE)
    published = stored.output(OUTPUTS, name)
    file = manifest.files.get(name)
    if file is None or file.sha256 != sha256_of_bytes(published):
        return Finding(False, f"outputs/{name} does not belong to the published set; publish again")
    if missing := [key for key in _WANTED if key not in own]:
        return Finding(False, f"the metadata lack {', '.join(missing)}; make them again")
    digest = fingerprint_digest(stored.features(extractor, "train").fingerprint)
    if own["fingerprint"] != digest or json.loads(published).get("fingerprint") != digest:
        return Finding(
            False, "the metadata are of features by another extractor than those stored; publish again"
        )
    return Finding(
        True,
        f"{len(own['settings'])} settings and the extractor's fingerprint {digest[:_DIGITS]}, published in {name}",
    )


def seeds_fixed(stored: Stored, extractor: str) -> Finding:
    """The stored splits are those that the seed gives, drawn again here and now."""
    labels, groups = np.asarray(stored.array("train_labels")), stored.table("duplicate_groups")
    train = train_groups(groups)
    recorded = stored.document(f"{extractor}/validation_report")["details"].get("seed")
    if recorded != SEED:
        return Finding(
            False, f"the report was drawn with seed {recorded}, the splits with {SEED}; make it again"
        )
    drawn = {
        "random_split": random_split(labels, seed=SEED),
        "grouped_split": grouped_split(labels, train, seed=SEED),
    }
    for name, split in drawn.items():
        if not np.array_equal(stored.array(name), split):
            return Finding(False, f"{name} is not what seed {SEED} gives for these rows; make it again")
    return Finding(True, f"seed {SEED}: both splits drawn again just now, the same rows")


def versions_recorded(stored: Stored, extractor: str, installed: Callable[[str], str] = version) -> Finding:
    """The versions that made the features are recorded, and installed here."""
    recorded = stored.document(f"{extractor}/metadata").get("packages", {})
    if missing := [name for name in PACKAGES if name not in recorded]:
        return Finding(False, f"no version of {', '.join(missing)} is recorded; make the metadata again")
    others = []
    for name in PACKAGES:
        try:
            here = installed(name)
        except PackageNotFoundError:
            here = "not installed"
        if here != recorded[name]:
            others.append(f"{name} {recorded[name]} (here {here})")
    if others:
        return Finding(False, f"made with other versions than are installed here: {', '.join(others)}")
    return Finding(
        True,
        f"{len(PACKAGES)} packages, as installed here: numpy {recorded['numpy']}, torch {recorded['torch']}...",
    )
