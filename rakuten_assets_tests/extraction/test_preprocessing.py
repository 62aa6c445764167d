import numpy as np
import pytest
from PIL import Image

from rakuten_assets.extraction.networks.backbones import BACKBONES
from rakuten_assets.extraction.preprocessing import Preprocessing, preprocess, preprocessing_for
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import draw_image

SIZES = [(500, 500), (224, 224), (640, 480), (480, 641), (644, 480), (97, 301), (30, 20), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
def test_document_is_pillows_bilinear_resize(size: tuple[int, int]) -> None:
    image = draw_image(1, *size)
    ours = preprocess(np.asarray(image), preprocessing_for(Settings()))
    assert np.array_equal(ours, np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR)))


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_preset_is_torchvisions_transform(backbone: str) -> None:
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    for weights in torchvision.models.get_model_weights(backbone):
        if weights.name not in {release.name for release in BACKBONES[backbone].releases}:
            continue
        preprocessing = preprocessing_for(
            Settings(backbone=backbone, preprocessing="preset", weights=weights.name)
        )
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in (preprocessing.mean, preprocessing.std))
        for size in SIZES:
            image = draw_image(2, *size)
            expected = weights.transforms()(image)
            ours = torch.from_numpy(preprocess(np.asarray(image), preprocessing).copy())
            assert torch.equal((ours.permute(2, 0, 1) / 255.0 - mean) / std, expected), (weights, size)


def test_weights_of_ones_own_take_the_first_preset() -> None:
    resnet = preprocessing_for(Settings(backbone="resnet50", preprocessing="preset", weights="seeded"))
    newer = preprocessing_for(Settings(backbone="resnet50", preprocessing="preset", weights="IMAGENET1K_V2"))
    assert (resnet.shorter_side, newer.shorter_side) == (256, 232)


def test_as_dict_tells_all_that_a_row_depends_on() -> None:
    document, preset = (
        Preprocessing("document", 224, 0, "bilinear"),
        Preprocessing("preset", 224, 256, "bicubic"),
    )
    assert document.as_dict() != preset.as_dict()
    assert document.as_dict()["mean"] == [0.485, 0.456, 0.406]
