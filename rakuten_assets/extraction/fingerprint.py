"""The name of everything that a feature row depends on, beside the image's bytes.

Two rows may be exchanged for each other exactly when image and fingerprint are the same.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from rakuten_assets.extraction.engines.choice import EnginePlan
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import RECIPE, ExtractorSpec
from rakuten_assets.files import sha256_of_bytes


@dataclass(frozen=True)
class ExtractorFingerprint:
    """What a row is a function of, besides the image's bytes.

    Attributes:
        backbone, feature_dim: the network's name and the length of a row.
        network: what builds the network, and which layer its features are taken before.
        weights: the identity of the weights: `sha256:...` of their file, `seeded:sha256:...` of seeded ones.
        preprocessing: operations on the image, and the normalisation.
        pillow: major and minor version of Pillow, which the resize follows (13.0 changed the order of its
            passes for tall images, and with it single grey levels).
        precision: f32, bf16 or f16.
        engine, engine_version, device: what does the arithmetic, and on what kind of device.
        batch: images in a call where an engine's sums depend on it (torch); 0 where they do not (openvino).
    """

    backbone: str
    feature_dim: int
    network: dict[str, Any]
    weights: str
    preprocessing: dict[str, Any]
    pillow: str
    precision: str
    engine: str
    engine_version: str
    device: str
    batch: int
    recipe: int = RECIPE

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of the fingerprint's canonical JSON."""
        return sha256_of_bytes(json.dumps(self.as_dict(), sort_keys=True).encode())


def fingerprint_of(spec: ExtractorSpec, weights: WeightsSource, plan: EnginePlan) -> ExtractorFingerprint:
    """The fingerprint of an extractor, found without loading an engine.

    Args:
        spec: with a complete backbone.
    """
    return ExtractorFingerprint(
        backbone=spec.backbone.name,
        feature_dim=spec.backbone.feature_dim,
        network=spec.backbone.function,
        weights=weights.identity,
        preprocessing=spec.preprocessing.as_dict(),
        pillow=".".join(version("pillow").split(".")[:2]),
        precision=plan.precision,
        engine=plan.engine,
        engine_version=version(plan.engine),
        device=plan.device,
        batch=plan.batch_in_fingerprint,
    )
