"""The name of everything that a feature row depends on, beside the image's bytes.

Two rows may be exchanged for each other exactly when image and fingerprint are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.extraction.engines.numerics import numeric_profile
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import RECIPE, ExtractorSpec
from rakuten_assets.storage.files import sha256_of_json


@dataclass(frozen=True)
class ExtractorFingerprint:
    """What a row is a function of, besides the image's bytes.

    Attributes:
        backbone, feature_dim: the network's name and the length of a row.
        network: what builds the network, and which layer its features are taken before.
        weights: the identity of the weights: `sha256:...` of their file, `seeded:sha256:...` of seeded ones,
            `fine_tuned:sha256:...` of a file that was fine-tuned here.
        preprocessing: operations on the image, and the normalisation.
        numerics: the machine's part, a `NumericProfile`: kernels, instruction set, decoders. Pillow's version is among
            them, which the resize follows too (13.0 changed single grey levels of tall images).
        precision: f32, bf16, f16 or int8.
        engine, engine_version, device: what does the arithmetic, and on what kind of device.
        batch: images in a call where an engine's sums depend on it (torch); 0 where they do not (openvino).
        quantised: `sha256:...` of the model in int8, which follows the images that it was calibrated on.
    """

    backbone: str
    feature_dim: int
    network: dict[str, Any]
    weights: str
    preprocessing: dict[str, Any]
    numerics: dict[str, Any]
    precision: str
    engine: str
    engine_version: str
    device: str
    batch: int
    recipe: int = RECIPE
    quantised: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able. `quantised` is left out where there is none: rows of other precisions keep their digest."""
        parts = asdict(self)
        if not self.quantised:
            del parts["quantised"]
        return parts

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of the fingerprint's canonical JSON."""
        return sha256_of_json(self.as_dict())


def differences(one: Mapping[str, Any], other: Mapping[str, Any], within: str = "") -> list[str]:
    """What differs between two fingerprints, part by part.

    >>> differences({"numerics": {"kernels": "blocked"}}, {"numerics": {"kernels": "default"}})
    ['numerics.kernels: blocked or default']
    """
    found = []
    for name in sorted({*one, *other}):
        first, second = one.get(name), other.get(name)
        if first == second:
            continue
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += differences(first, second, f"{within}{name}.")
        else:
            found.append(f"{within}{name}: {first} or {second}")
    return found


def fingerprint_of(spec: ExtractorSpec, weights: WeightsSource, choice: EngineChoice) -> ExtractorFingerprint:
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
        numerics=numeric_profile(spec.backbone, choice).as_dict(),
        precision=choice.precision,
        engine=choice.engine,
        engine_version=version(choice.engine),
        device=choice.device,
        batch=choice.batch_in_fingerprint,
        quantised=choice.quantised.identity if choice.quantised else "",
    )
