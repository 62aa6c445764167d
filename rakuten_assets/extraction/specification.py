"""An extractor as a value: everything that a user chooses of it, before anything is loaded, read or computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rakuten_assets.backbones import Backbone, find_backbone
from rakuten_assets.backbones.specification import PRETRAINED
from rakuten_assets.extraction.preprocessing import Preprocessing, preprocessing_for
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import sha256_of_json

# Change it when this package computes other rows from the same inputs.
RECIPE = 5


@dataclass(frozen=True)
class ExtractorSpec:
    """One extractor of a run.

    Attributes:
        backbone: its network.
        weights: what the settings call its weights.
        preprocessing: from the decoded image to the network's input.
        precision, engine, device: as in the settings; `auto` is resolved on the machine that computes.
    """

    backbone: Backbone
    weights: str
    preprocessing: Preprocessing
    precision: str
    engine: str
    device: str

    @property
    def name(self) -> str:
        """The backbone's name."""
        return self.backbone.name

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of all that was chosen: the version that Dagster's UI shows of an extractor's assets.

        It lacks what only the machine and the files know: the fingerprint has that too.
        """
        chosen = {
            "recipe": RECIPE,
            "backbone": self.backbone.as_dict(),
            "weights": self.weights,
            "preprocessing": self.preprocessing.as_dict(),
            "precision": self.precision,
            "engine": self.engine,
            "device": self.device,
        }
        return sha256_of_json(chosen)


def extractor_specs(settings: Settings) -> tuple[ExtractorSpec, ...]:
    """The extractors that the settings ask for, in their order."""
    return tuple(extractor_spec(settings, name) for name in settings.backbones)


def evaluated_specs(settings: Settings) -> tuple[ExtractorSpec, ...]:
    """Those of `extractor_specs` whose features get a head and its reports."""
    return tuple(extractor_spec(settings, name) for name in settings.evaluated)


def extractor_spec(
    settings: Settings, name: str = "", described: Callable[[Backbone], Backbone] | None = None
) -> ExtractorSpec:
    """The extractor of the backbone called `name`; default: the first of the settings.

    Args:
        described: completes a backbone that only its library knows; None leaves it as it is.
    """
    chosen = name or settings.backbones[0]
    backbone, weights = find_backbone(chosen), settings.weights_of(chosen)
    if described is not None and backbone.describer:
        backbone = described(backbone)
        if weights == PRETRAINED:
            weights = backbone.default_release
    return ExtractorSpec(
        backbone=backbone,
        weights=weights,
        preprocessing=preprocessing_of(settings, backbone, weights),
        precision=settings.precision,
        engine=settings.engine,
        device=settings.device,
    )


def preprocessing_of(settings: Settings, backbone: Backbone, weights: str) -> Preprocessing:
    """The preprocessing that the settings choose for a backbone with these weights."""
    margin = settings.crop_margin if settings.crop == "border" else None
    return preprocessing_for(backbone, weights, settings.preprocessing, settings.normalisation, margin)
