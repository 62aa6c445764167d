import json
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from rakuten_assets.backbones import (
    IMAGENET,
    Normalisation,
    PerImageNormalisation,
    backbone_names,
    find_backbone,
)
from rakuten_assets.extraction.preprocessing import (
    PREPROCESSING,
    CentreCrop,
    CropBorder,
    DatasetNormalisation,
    Preprocessing,
    Resize,
    ResizeShorterSide,
    fine_tuning_note,
    normalisation_note,
    preprocess,
    preprocessing_for,
)
from rakuten_assets.settings import Settings
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
    [
        (),
        (CentreCrop(224),),
        (Resize(200, "bilinear"), CentreCrop(224)),
        (Resize(8, "bilinear"),) * 2,
        (CropBorder(0.1),),
        (Resize(8, "bilinear"), CropBorder(0.1)),
        (CropBorder(0.1), CropBorder(0.1), Resize(8, "bilinear")),
    ],
)
def test_a_chain_that_gives_no_square_is_refused(operations: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="is not a resize"):
        Preprocessing("mine", operations, IMAGENET)  # type: ignore[arg-type]


def test_as_dict_tells_all_that_a_row_depends_on() -> None:
    document = Preprocessing("document", (Resize(224, "bilinear"),), IMAGENET)
    preset = Preprocessing("preset", (ResizeShorterSide(256, "bicubic"), CentreCrop(224)), IMAGENET)
    assert document.as_dict() != preset.as_dict()
    assert document.as_dict()["normalisation"]["mean"] == [0.485, 0.456, 0.406]


NORMALISATIONS = get_args(Settings.model_fields["normalisation"].annotation)


@pytest.mark.parametrize("name", ["document", "preset"])
@pytest.mark.parametrize("margin", [None, 0.1])
@pytest.mark.parametrize("normalisation", [name for name in NORMALISATIONS if name != "dataset"])
def test_a_preprocessing_comes_back_from_json(name: str, margin: float | None, normalisation: str) -> None:
    chosen = preprocessing_for(find_backbone("efficientnet_lite0"), "pretrained", name, normalisation, margin)
    assert Preprocessing.from_dict(json.loads(json.dumps(chosen.as_dict()))) == chosen


def test_no_two_settings_give_the_same_preprocessing() -> None:
    lite = find_backbone("efficientnet_lite0")
    chosen = [
        preprocessing_for(lite, "pretrained", name, normalisation, margin)
        for name in ("document", "preset")
        for normalisation in NORMALISATIONS
        for margin in (None, 0.0, 0.1)
    ]
    assert len({json.dumps(one.as_dict()) for one in chosen}) == len(chosen) == 2 * 5 * 3


def test_the_border_is_cut_before_the_resize() -> None:
    content = np.asarray(draw_image(3, 120, 80)) // 2  # nothing of it is white
    image = np.full((200, 300, 3), 255, np.uint8)
    image[30:110, 50:170] = content
    lite = find_backbone("efficientnet_lite0")
    for name in ("document", "preset"):
        cut = preprocessing_for(lite, "pretrained", name, crop_margin=0.0)
        assert np.array_equal(
            preprocess(image, cut), preprocess(content, preprocessing_for(lite, "pretrained", name))
        )
    with_margin = preprocess(image, preprocessing_for(lite, "pretrained", "document", crop_margin=0.25))
    whole = preprocessing_for(lite, "pretrained", "document")
    assert np.array_equal(with_margin, preprocess(np.ascontiguousarray(image[0:140, 20:200]), whole))


def test_the_data_sets_normalisation_must_be_looked_up() -> None:
    chosen = preprocessing_for(find_backbone("efficientnet_b0"), "seeded", "document", "dataset")
    assert chosen.normalisation == DatasetNormalisation()
    with pytest.raises(ValueError, match="not looked up"):
        _ = chosen.settled


def test_another_normalisation_than_the_weights_is_told() -> None:
    lite, b0 = find_backbone("efficientnet_lite0"), find_backbone("efficientnet_b0")

    def note(backbone: object, normalisation: str) -> str:
        return normalisation_note(backbone, preprocessing_for(backbone, "w", "document", normalisation))  # type: ignore[arg-type]

    assert note(lite, "weights") == note(b0, "weights") == note(b0, "imagenet") == ""
    assert "4 points of weighted F1" in note(lite, "imagenet")
    assert "RAKUTEN_NORMALISATION=zscore, not as efficientnet_b0's weights" in note(b0, "zscore")
    own = Preprocessing("mine", (Resize(224, "bilinear"),), Normalisation(IMAGENET.mean, IMAGENET.std))
    assert normalisation_note(b0, own) == ""
    assert normalisation_note(b0, Preprocessing("x", (Resize(8, "bilinear"),), PerImageNormalisation(2.0)))


TRAINED = ("preset", "zscore", 0.1)


@pytest.mark.parametrize(
    ("name", "normalisation", "crop", "said"),
    [
        (*TRAINED, []),
        ("document", *TRAINED[1:], ["RAKUTEN_PREPROCESSING=preset"]),
        ("preset", "weights", 0.1, ["RAKUTEN_NORMALISATION=zscore"]),
        ("preset", "zscore", 0.2, ["RAKUTEN_CROP=border, RAKUTEN_CROP_MARGIN=0.1"]),
        ("document", "minmax", None, ["PREPROCESSING=preset", "CROP=border", "NORMALISATION=zscore"]),
    ],
)
def test_pictures_unlike_those_of_fine_tuning_are_told(
    name: str, normalisation: str, crop: float | None, said: list[str]
) -> None:
    lite = find_backbone("efficientnet_lite0")
    about = {PREPROCESSING: preprocessing_for(lite, "w", *TRAINED).as_dict()}
    found = fine_tuning_note(
        lite, preprocessing_for(lite, "w", name, normalisation, crop), json.loads(json.dumps(about))
    )
    assert bool(found) == bool(said)
    assert all(part in found for part in said)
    assert found.count("RAKUTEN_") == len(said) + ("RAKUTEN_CROP_MARGIN" in found)


def test_the_note_names_settings_that_give_what_was_trained_with() -> None:
    lite = find_backbone("efficientnet_lite0")
    own = {PREPROCESSING: preprocessing_for(lite, "w", "document").as_dict()}
    assert "had RAKUTEN_NORMALISATION=weights:" in fine_tuning_note(
        lite, preprocessing_for(lite, "w", "document", "imagenet"), own
    )
    assert "had RAKUTEN_CROP=none:" in fine_tuning_note(
        lite, preprocessing_for(lite, "w", "document", "weights", 0.1), own
    )
    # The same setting is another normalisation once the images are others.
    numbers = [Normalisation((0.5,) * 3, (std,) * 3, name="dataset") for std in (0.2, 0.3)]
    then, now = (Preprocessing("document", (Resize(224, "bilinear"),), one) for one in numbers)
    assert "deviation 0.2, 0.2, 0.2" in fine_tuning_note(lite, now, {PREPROCESSING: then.as_dict()})


def _about(**other: object) -> dict[str, object]:
    """What a file says, with parts of it that nobody has written."""
    said = preprocessing_for(find_backbone("efficientnet_lite0"), "w", *TRAINED).as_dict()
    margin, name, mean = other.get("margin", 0.1), other.get("name", "preset"), other.get("mean", [0.5] * 3)
    said["operations"][0]["margin"] = margin
    normalisation = {
        "mean": mean,
        "std": [0.2] * 3,
        "scale": 1.0,
        "name": other.get("normalisation", "minmax"),
    }
    return {PREPROCESSING: {**said, "name": name, "normalisation": normalisation}}


@pytest.mark.parametrize(
    "about",
    [
        {},
        {PREPROCESSING: None},
        {PREPROCESSING: {"name": "x"}},
        {PREPROCESSING: [1]},
        _about(margin="abc"),
        _about(margin=None),
        _about(margin=[1]),
        _about(margin=10**400),
        _about(mean=[10**400] * 3),
        _about(name="\x1b[31mX\nFAKE LINE"),
        _about(name=["preset"]),
        _about(normalisation="\x1b[31mX\nFAKE LINE"),
    ],
)
def test_a_file_that_says_nothing_that_can_be_set_is_not_judged(about: dict[str, object]) -> None:
    lite = find_backbone("efficientnet_lite0")
    assert fine_tuning_note(lite, preprocessing_for(lite, "w", "document", "imagenet"), about) == ""


def test_what_a_file_says_is_judged_as_it_stands_there() -> None:
    lite = find_backbone("efficientnet_lite0")
    assert "minmax" in fine_tuning_note(lite, preprocessing_for(lite, "w", "document", "imagenet"), _about())
