from __future__ import annotations

import pytest
import torch
from torch import nn

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import SettingsError
from rakuten_assets.extraction.networks.models import load_function
from rakuten_assets.finetuning.blocks import blocks_of, set_training, trained_part
from rakuten_assets_tests.finetuning.small import Small


def network(name: str) -> nn.Module:
    spec = find_backbone(name)
    model: nn.Module = load_function(spec.builder)(spec)
    parent, _, last = spec.classifier.rpartition(".")
    setattr(model.get_submodule(parent), last, nn.Identity())
    return model


def test_blocks_are_what_the_networks_authors_repeat() -> None:
    lite = blocks_of(network("efficientnet_lite0"))
    assert lite[0] == ("_conv_stem", "_bn0")
    assert lite[-1] == ("_conv_head", "_bn1")
    assert [one for (one,) in lite[1:-1]] == [f"_blocks.{n}" for n in range(16)]
    residual = blocks_of(network("resnet18"))
    assert residual == (("conv1", "bn1"), *((f"layer{n}.{m}",) for n in (1, 2, 3, 4) for m in (0, 1)))
    mobile = blocks_of(network("mobilenet_v3_large"))
    assert [one for (one,) in mobile[:17]] == [f"features.{n}" for n in range(17)]


def test_a_transformers_encoder_is_opened() -> None:
    import torchvision

    model = torchvision.models.VisionTransformer(32, 4, 3, 2, 64, 128)
    model.heads = nn.Identity()
    assert blocks_of(model) == (
        ("conv_proj",),
        *((f"encoder.layers.encoder_layer_{n}",) for n in range(2)),
        ("encoder.layers.encoder_layer_2", "encoder.ln"),
    )
    part = trained_part(model, "all")
    assert part.depths["class_token"] == part.depths["encoder.pos_embedding"] == len(part.blocks)
    assert "class_token" not in trained_part(model, "2").names


@pytest.mark.parametrize(
    ("train", "trained"), [("1", [3]), ("2", [2, 3]), ("all", [0, 1, 2, 3]), ("features.1", [1])]
)
def test_the_last_blocks_or_those_named_are_trained(train: str, trained: list[int]) -> None:
    model = Small()
    model.head = nn.Identity()
    part = trained_part(model, train)
    assert {int(name.split(".")[1]) for name in part.names} == set(trained)
    assert part.depths == {name: 4 - int(name.split(".")[1]) for name in part.names}


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("0", "train=0 is not allowed; this network has 4 blocks: 1 to 4, or all"),
        ("5", "train=5 is not allowed"),
        (
            "features.9",
            "no parameter of this network begins with 'features.9'; its last blocks are features.0",
        ),
        ("features.3+", "no parameter of this network begins with ''"),
        ("feat", "no parameter of this network begins with 'feat'"),
    ],
)
def test_what_the_network_lacks_is_refused(train: str, said: str) -> None:
    model = Small()
    model.head = nn.Identity()
    with pytest.raises(SettingsError) as caught:
        trained_part(model, train)
    assert said in str(caught.value)


def test_trained_blocks_keep_their_statistics_where_that_is_asked() -> None:
    model = Small()
    trained = frozenset({"features.3.conv.weight", "features.3.norm.weight", "features.3.norm.bias"})
    for moves in (False, True):
        set_training(model, trained, statistics_move=moves)
        before = {name: one.clone() for name, one in model.named_buffers()}
        model(torch.randn(4, 3, 32, 32)).sum().backward()
        moved = {name for name, one in model.named_buffers() if not torch.equal(one, before[name])}
        assert {name.rpartition(".")[0] for name in moved} == ({"features.3.norm"} if moves else set())
        assert {name for name, one in model.named_parameters() if one.grad is not None} == trained


def test_frozen_blocks_are_in_eval_mode_and_keep_their_statistics() -> None:
    model = Small()
    set_training(model, frozenset({"features.3.conv.weight", "head.weight"}))
    modes = {name: module.training for name, module in model.named_modules()}
    assert modes["features.3.conv"] and modes["features.3.drop"] and modes["head"] and modes[""]
    # Its norm has parameters that are not trained.
    assert not modes["features.3.norm"]
    assert not any(modes[f"features.{n}{part}"] for n in (0, 1, 2) for part in ("", ".norm", ".drop"))
    before = {name: one.clone() for name, one in model.state_dict().items()}
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    with_gradient = {name for name, one in model.named_parameters() if one.grad is not None}
    assert with_gradient == {"features.3.conv.weight", "head.weight"}
