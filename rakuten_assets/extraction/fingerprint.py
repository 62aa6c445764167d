"""The name of everything that a feature row depends on, beside the image's bytes.

Two rows may be exchanged for each other exactly when image and fingerprint are the same.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from rakuten_assets.extraction.networks.backbones import BACKBONES
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import Preprocessing
from rakuten_assets.files import sha256_of_bytes

# Change it when this package computes other rows from the same inputs.
_RECIPE = 2


@dataclass(frozen=True)
class ExtractorFingerprint:
    """What a row is a function of, besides the image's bytes.

    Attributes:
        backbone, feature_dim: the network and the length of a row.
        weights: the identity of the weights: `sha256:...` of their file, or the recipe of seeded ones.
        preprocessing: size, filter, crop and normalisation.
        pillow: major and minor version of Pillow, which the resize follows (13.0 changed the order of its
            passes for tall images, and with it single grey levels).
        precision: f32, bf16 or f16.
        engine, engine_version, device: what does the arithmetic, and on what kind of device.
        batch: images in a call where an engine's sums depend on it (torch); 0 where they do not (openvino).
    """

    backbone: str
    feature_dim: int
    weights: str
    preprocessing: dict[str, Any]
    pillow: str
    precision: str
    engine: str
    engine_version: str
    device: str
    batch: int
    recipe: int = _RECIPE

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of the fingerprint's canonical JSON."""
        return sha256_of_bytes(json.dumps(self.as_dict(), sort_keys=True).encode())


def fingerprint_of(
    backbone: str,
    weights: WeightsSource,
    preprocessing: Preprocessing,
    precision: str,
    engine: str,
    device: str,
    batch: int,
) -> ExtractorFingerprint:
    """The fingerprint of an extractor, found without loading an engine."""
    return ExtractorFingerprint(
        backbone=backbone,
        feature_dim=BACKBONES[backbone].feature_dim,
        weights=weights.identity,
        preprocessing=preprocessing.as_dict(),
        pillow=".".join(version("pillow").split(".")[:2]),
        precision=precision,
        engine=engine,
        engine_version=version(engine),
        device=device,
        batch=batch,
    )
