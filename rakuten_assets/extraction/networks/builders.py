"""What `Backbone.builder` of this project's entries names: torch modules with random weights."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import torch
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
        WeightsError: timm has no network of that name, or it gives no vector a picture.
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
        feature_dim=_length_of_a_vector(model, side, backbone),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        classifier=classifier if isinstance(classifier, str) else "",
        releases=releases,
        normalisation=Normalisation(mean, std, name="timm"),
        # Many transformers take one size only.
        document_side=side if published.get("fixed_input_size") else 224,
        describer="",
    )


def _length_of_a_vector(model: nn.Module, side: int, backbone: Backbone) -> int:
    """What the network gives for one picture: what timm calls its number of features may be another layer's."""
    with torch.inference_mode():
        shape = tuple(model.eval()(torch.zeros(1, 3, side, side)).shape)
    if len(shape) != 2:
        raise WeightsError(
            f"{backbone.name} gives {shape} for one picture, not a vector; choose a network of timm that pools"
        )
    return int(shape[1])
