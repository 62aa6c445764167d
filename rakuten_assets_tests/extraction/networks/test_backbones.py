import pytest

from rakuten_assets.errors import WeightsError
from rakuten_assets.extraction.networks.backbones import BACKBONES, IMAGENET_MEAN, IMAGENET_STD
from rakuten_assets.settings import Backbone


def test_every_backbone_of_the_settings_is_there() -> None:
    assert list(BACKBONES) == list(Backbone.__args__)


def test_releases_are_torchvisions() -> None:
    torchvision = pytest.importorskip("torchvision")
    for spec in BACKBONES.values():
        published = {weights.name: weights for weights in torchvision.models.get_model_weights(spec.name)}
        for release in spec.releases:
            weights, transform = published[release.name], published[release.name].transforms()
            assert weights.url == release.address
            assert transform.resize_size == [release.resize]
            assert transform.crop_size == [release.crop]
            assert transform.interpolation.value == release.interpolation
            assert tuple(transform.mean) == IMAGENET_MEAN
            assert tuple(transform.std) == IMAGENET_STD
            assert len(release.sha256_prefix) == 8
            assert release.sha256.startswith(release.sha256_prefix if release.sha256 else "")
        left_out = set(published) - {release.name for release in spec.releases}
        assert left_out <= {"IMAGENET1K_SWAG_E2E_V1"}


def test_an_unknown_release_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"RAKUTEN_WEIGHTS='IMAGENET1K_V3'.*IMAGENET1K_V1, IMAGENET1K_V2"):
        BACKBONES["resnet50"].release("IMAGENET1K_V3")
