"""What `Backbone.builder` of this project's entries names: torch modules with random weights."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from torch import nn

from rakuten_assets.backbones import Backbone, Normalisation, Release
from rakuten_assets.backbones.specification import Interpolation
from rakuten_assets.errors import WeightsError


def torchvision_network(backbone: Backbone) -> nn.Module:
    """torchvision's network of that name, with its classifier."""
    import torchvision  # a timm network does without

    model: nn.Module = torchvision.models.get_model(backbone.architecture, weights=None)
    return model


def timm_network(backbone: Backbone) -> nn.Module:
    """timm's network of that name, without its classifier: it gives the pooled features."""
    import timm

    model: nn.Module = timm.create_model(backbone.architecture, pretrained=False, num_classes=0)
    return model


def describe_timm(backbone: Backbone) -> Backbone:
    """Complete a timm backbone by what timm knows of it: dimension, input, normalisation, weights.

    Raises:
        WeightsError: timm has no network of that name.
    """
    import timm

    if not timm.is_model(backbone.architecture.partition(".")[0]):
        import difflib

        near = difflib.get_close_matches(backbone.architecture, timm.list_models(), n=3)
        hint = (
            f"did you mean {', '.join(f'timm:{name}' for name in near)}?"
            if near
            else "see timm.list_models()"
        )
        raise WeightsError(f"timm {timm.__version__} has no network {backbone.architecture!r}; {hint}")
    model: Any = timm_network(backbone)
    # Typed Any: timm's own hints do not say what it exports, and mypy would object on machines that have it.
    data: Any = importlib.import_module("timm.data")
    config: dict[str, Any] = data.resolve_data_config(model=model)
    published = model.pretrained_cfg
    side, mean, std = config["input_size"][-1], tuple(config["mean"]), tuple(config["std"])
    resize = round(side / config["crop_pct"])
    interpolation: Interpolation = "bilinear" if config["interpolation"] == "bilinear" else "bicubic"
    releases: tuple[Release, ...] = ()
    if repository := published.get("hf_hub_id"):
        file = published.get("hf_hub_filename") or "model.safetensors"
        releases = (Release("pretrained", file, resize, side, interpolation, repository=repository),)
    classifier = published.get("classifier")
    return dataclasses.replace(
        backbone,
        feature_dim=int(model.num_features),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        classifier=classifier if isinstance(classifier, str) else "",
        releases=releases,
        normalisation=Normalisation(mean, std, name="timm"),
        # Many transformers take one size only.
        document_side=side if published.get("fixed_input_size") else 224,
        describer="",
    )
