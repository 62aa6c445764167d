"""A backbone as a value: its normalisation says what it is, and survives a way through JSON."""

import json
import math

import pytest

from rakuten_assets.backbones import Backbone, Normalisation, backbone_names, find_backbone
from rakuten_assets.errors import AugmentationError


@pytest.mark.parametrize(
    ("mean", "std", "scale"),
    [
        ((0.5, 0.5), (0.2, 0.2, 0.2), 255.0),
        ((0.5, 0.5, math.nan), (0.2, 0.2, 0.2), 255.0),
        ((0.5, 0.5, 0.5), (0.2, 0.0, 0.2), 255.0),
        ((0.5, 0.5, 0.5), (0.2, 0.2, math.inf), 255.0),
        ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 0.0),
    ],
)
def test_a_normalisation_that_gives_no_numbers_is_refused(
    mean: tuple[float, ...], std: tuple[float, ...], scale: float
) -> None:
    with pytest.raises(AugmentationError, match=r"mean=.*positive deviations and scale"):
        Normalisation(mean, std, scale)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", backbone_names())
def test_a_backbone_survives_json(name: str) -> None:
    backbone = find_backbone(name)
    assert Backbone.from_dict(json.loads(json.dumps(backbone.as_dict()))) == backbone
