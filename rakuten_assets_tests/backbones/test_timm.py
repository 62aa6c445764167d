"""Networks of timm give timm's own features, on both engines, from seeded weights and from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import timm
import timm.data
import torch
from PIL import Image
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import WeightsError
from rakuten_assets.extraction.networks.builders import describe_timm
from rakuten_assets.extraction.networks.seeded import make_seeded_weights, weights_on_disk
from rakuten_assets.extraction.networks.weights import find_weights
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.extraction.preparation import prepare
from rakuten_assets.extraction.specification import extractor_spec
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import draw_image, sha256_of

TOLERANCE = 1e-4
"""Of the largest feature."""


def timms_own(name: str, state: dict[str, torch.Tensor], files: list[Path]) -> np.ndarray:
    """What timm's model gives for timm's transform, one image after the other."""
    model: Any = timm.create_model(name, pretrained=False, num_classes=0).eval()
    model.load_state_dict({key: tensor for key, tensor in state.items() if key in model.state_dict()})
    transform: Any = timm.data.create_transform(**timm.data.resolve_data_config(model=model))
    with torch.inference_mode():
        rows = [model(transform(Image.open(file).convert("RGB"))[None])[0].numpy() for file in files]
    return np.stack(rows)


def extracted(settings: Settings, name: str, files: list[Path]) -> np.ndarray:
    with Extractor.open(settings, name, log=print) as extractor:
        rows = np.empty((len(files), extractor.feature_dim), np.float32)
        assert extractor.extract(files, sha256_of(files), rows).computed == len(files)
    return rows


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.jpg" for number in range(2)]
    for number, (file, size) in enumerate(zip(paths, [(640, 500), (300, 420)], strict=True)):
        draw_image(number, *size).save(file, "JPEG", quality=90)
    return paths


def settings_of(tmp_path: Path, name: str, **more: Any) -> Settings:
    return Settings(
        storage=UPath(tmp_path / "storage"),
        backbone=f"timm:{name}",
        preprocessing="preset",
        device="cpu",
        **more,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convnextv2_atto.fcmae_ft_in1k", "tf_efficientnet_lite0.in1k"])
def test_features_are_timms_on_both_engines(name: str, tmp_path: Path, files: list[Path]) -> None:
    settings = settings_of(tmp_path, name, weights="seeded")
    spec, _ = prepare(settings, f"timm:{name}", print)
    folder = UPath(tmp_path / "storage" / "cache" / "weights")
    weights = make_seeded_weights(folder, spec.backbone, print)
    with weights_on_disk(weights, folder, spec.backbone) as source:
        assert source.path is not None
        state = safetensors.torch.load_file(source.path)
    expected = timms_own(name, state, files)
    assert expected.shape == (2, spec.backbone.feature_dim)
    largest = np.abs(expected).max()
    assert largest > 1e-3
    for engine in ("openvino", "torch"):
        rows = extracted(settings.model_copy(update={"engine": engine}), f"timm:{name}", files)
        assert np.abs(rows - expected).max() <= TOLERANCE * largest, engine


@pytest.mark.parametrize(
    ("name", "dim"), [("mobilenetv3_small_050.lamb_in1k", 1024), ("vit_tiny_patch16_224.augreg_in21k", 192)]
)
def test_a_vector_is_as_long_as_what_the_network_gives(name: str, dim: int) -> None:
    # timm calls 288 and 192 their numbers of features.
    assert describe_timm(find_backbone(f"timm:{name}")).feature_dim == dim


@pytest.mark.slow
def test_a_file_of_timms_is_taken_with_its_classifier(tmp_path: Path, files: list[Path]) -> None:
    torch.manual_seed(5)
    state = timm.create_model("resnet10t", pretrained=False).state_dict()
    assert "fc.weight" in state
    torch.save(state, tmp_path / "mine.pth")
    settings = settings_of(tmp_path, "resnet10t", weights=f"timm:resnet10t={tmp_path / 'mine.pth'}")
    expected = timms_own("resnet10t", state, files)
    rows = extracted(settings, "timm:resnet10t", files)
    assert np.abs(rows - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_pretrained_weights_are_the_default_on_real_data_and_are_evaluated(tmp_path: Path) -> None:
    name = "timm:resnet10t.c3_in1k"
    real = Settings(data_dir=UPath(tmp_path), backbone=name)
    assert real.weights_of(name) == "pretrained"
    assert real.evaluated == (name,)
    assert extractor_spec(real, name).weights == "pretrained"
    drawn = Settings(backbone=f"{name},efficientnet_lite0")
    assert drawn.weights_of(name) == "seeded"
    assert drawn.evaluated == ("efficientnet_lite0",)


def test_a_network_without_published_weights_is_not_seeded_unasked(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "resnet10t.mine", weights="pretrained")
    nothing_known = replace(find_backbone("timm:resnet10t.mine"), feature_dim=1, describer="")
    spec = extractor_spec(settings, "timm:resnet10t.mine", lambda _: nothing_known)
    with pytest.raises(WeightsError, match="there are none"):
        find_weights(spec.backbone, spec.weights, allow_download=False)


def test_a_network_that_timm_lacks_is_named_with_the_nearest(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "convnextv2_ato", weights="seeded")
    with pytest.raises(
        WeightsError, match=r"no network 'convnextv2_ato'; did you mean .*timm:convnextv2_atto"
    ):
        prepare(settings, "timm:convnextv2_ato", print)


def test_weights_that_are_not_here_are_not_fetched_unasked(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "resnet10t.c3_in1k", weights="pretrained")
    with pytest.raises(WeightsError, match="RAKUTEN_ALLOW_DOWNLOAD=1") as told:
        Extractor.open(settings, "timm:resnet10t.c3_in1k", log=print)
    assert "https://huggingface.co/timm/resnet10t.c3_in1k" in str(told.value)
