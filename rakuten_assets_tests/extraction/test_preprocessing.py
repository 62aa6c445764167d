import numpy as np
import pytest
from PIL import Image

from rakuten_assets.backbones import IMAGENET, backbone_names, find_backbone
from rakuten_assets.extraction.preprocessing import (
    CentreCrop,
    Preprocessing,
    Resize,
    ResizeShorterSide,
    preprocess,
    preprocessing_for,
)
from rakuten_assets_tests.extraction.conftest import draw_image

SIZES = [(500, 500), (224, 224), (640, 480), (480, 641), (644, 480), (97, 301), (30, 20), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
def test_document_is_pillows_bilinear_resize(size: tuple[int, int]) -> None:
    image = draw_image(1, *size)
    ours = preprocess(
        np.asarray(image), preprocessing_for(find_backbone("efficientnet_b0"), "seeded", "document")
    )
    assert np.array_equal(ours, np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR)))


@pytest.mark.parametrize("backbone", [name for name in backbone_names() if "lite" not in name])
def test_preset_is_torchvisions_transform(backbone: str) -> None:
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    for weights in torchvision.models.get_model_weights(backbone):
        if weights.name not in {release.name for release in find_backbone(backbone).releases}:
            continue
        preprocessing = preprocessing_for(find_backbone(backbone), weights.name, "preset")
        norm = preprocessing.normalisation
        assert norm.scale == 255.0
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in (norm.mean, norm.std))
        for size in SIZES:
            image = draw_image(2, *size)
            expected = weights.transforms()(image)
            ours = torch.from_numpy(preprocess(np.asarray(image), preprocessing).copy())
            assert torch.equal((ours.permute(2, 0, 1) / 255.0 - mean) / std, expected), (weights, size)


def test_weights_of_ones_own_take_the_first_preset() -> None:
    resnet = find_backbone("resnet50")
    shorter = {
        weights: preprocessing_for(resnet, weights, "preset").operations[0]
        for weights in ("seeded", "mine.pth", "IMAGENET1K_V2")
    }
    assert shorter == {
        "seeded": ResizeShorterSide(256, "bilinear"),
        "mine.pth": ResizeShorterSide(256, "bilinear"),
        "IMAGENET1K_V2": ResizeShorterSide(232, "bilinear"),
    }


def test_a_backbone_brings_its_own_normalisation_whatever_the_resize() -> None:
    lite = find_backbone("efficientnet_lite2")
    document, preset = (preprocessing_for(lite, "pretrained", name) for name in ("document", "preset"))
    assert document.operations == (Resize(224, "bilinear"),)
    assert preset.operations == (ResizeShorterSide(292, "bicubic"), CentreCrop(260))
    assert document.normalisation == preset.normalisation == lite.normalisation
    assert (lite.normalisation.mean[0], lite.normalisation.std[0], lite.normalisation.scale) == (127, 128, 1)


@pytest.mark.parametrize(
    "operations",
    [(), (CentreCrop(224),), (Resize(200, "bilinear"), CentreCrop(224)), (Resize(8, "bilinear"),) * 2],
)
def test_a_chain_that_gives_no_square_is_refused(operations: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="is not a resize"):
        Preprocessing("mine", operations, IMAGENET)  # type: ignore[arg-type]


def test_as_dict_tells_all_that_a_row_depends_on() -> None:
    document = Preprocessing("document", (Resize(224, "bilinear"),), IMAGENET)
    preset = Preprocessing("preset", (ResizeShorterSide(256, "bicubic"), CentreCrop(224)), IMAGENET)
    assert document.as_dict() != preset.as_dict()
    assert document.as_dict()["normalisation"]["mean"] == [0.485, 0.456, 0.406]
