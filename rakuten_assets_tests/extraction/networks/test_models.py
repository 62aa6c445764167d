import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import safetensors.torch  # noqa: E402
import torchvision  # noqa: E402

from rakuten_assets.backbones import IMAGENET, PerImageNormalisation, backbone_names, find_backbone  # noqa: E402
from rakuten_assets.errors import WeightsError  # noqa: E402
from rakuten_assets.extraction.networks import calibration, models  # noqa: E402
from rakuten_assets.extraction.networks.models import (  # noqa: E402
    FromBytes,
    build_backbone,
    present_name,
    seeded_backbone,
    sha256_of_state,
)
from rakuten_assets.extraction.networks.weights import WeightsSource  # noqa: E402
from rakuten_assets.storage.files import sha256_of_file  # noqa: E402

RESNET = find_backbone("resnet18")


def source(path: Path) -> WeightsSource:
    return WeightsSource("file", str(path), path, f"sha256:{sha256_of_file(path)}")


@pytest.fixture(scope="module")
def resnet() -> Any:
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None).eval()


@pytest.fixture(scope="module")
def resnet_file(resnet: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet.state_dict(), path)
    return path


def test_a_state_dict_loads_whatever_its_format(resnet: Any, resnet_file: Path, tmp_path: Path) -> None:
    state = resnet.state_dict()
    as_safetensors, old_format, headless = (
        tmp_path / name for name in ("w.safetensors", "old.pth", "headless.pth")
    )
    safetensors.torch.save_file(state, as_safetensors)
    torch.save(state, old_format, _use_new_zipfile_serialization=False)
    kept = {
        name: tensor
        for name, tensor in state.items()
        if not name.startswith("fc.") and "num_batches" not in name
    }
    torch.save(kept, headless)
    built = [
        build_backbone(RESNET, source(path)) for path in (resnet_file, as_safetensors, old_format, headless)
    ]
    assert len({sha256_of_state(model) for model in built}) == 1
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        pooled = built[0](images)
        assert pooled.shape == (2, 512)
        assert torch.allclose(resnet.fc(pooled), resnet(images), atol=1e-6)


def test_weights_fine_tuned_for_other_classes_load(resnet: Any, tmp_path: Path) -> None:
    state = {**resnet.state_dict(), "fc.weight": torch.zeros(27, 512), "fc.bias": torch.zeros(27)}
    torch.save(state, tmp_path / "tuned.pth")
    assert isinstance(build_backbone(RESNET, source(tmp_path / "tuned.pth")), torch.nn.Module)


def test_old_densenet_names_are_understood() -> None:
    with torch.device("meta"):
        names = list(torchvision.models.densenet121(weights=None).state_dict())
    in_layers = re.compile(r"(denselayer\d+\.(?:norm|conv))([12]\.)")
    old = [in_layers.sub(r"\1.\2", name) for name in names]
    assert old != names
    assert [present_name(name) for name in old] == names
    assert [present_name(name) for name in names] == names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("layer1.0.conv1.weight"), r"1 missing: layer1\.0\.conv1\.weight"),
        (lambda state: state.update(extra=torch.zeros(1)), "1 unexpected: extra"),
        (
            lambda state: state.update({"conv1.weight": torch.zeros(1, 2)}),
            r"conv1\.weight \(1, 2\) for \(64, 3, 7, 7\)",
        ),
        (lambda state: state["bn1.weight"].fill_(float("nan")), r"NaN or infinite weights in bn1\.weight"),
        (lambda state: state.clear(), "and 95 more"),
    ],
)
def test_a_mismatch_names_file_and_keys(resnet_file: Path, tmp_path: Path, change: Any, said: str) -> None:
    state = torch.load(resnet_file, weights_only=True)
    change(state)
    torch.save(state, tmp_path / "changed.pth")
    with pytest.raises(WeightsError, match=said) as caught:
        build_backbone(RESNET, source(tmp_path / "changed.pth"))
    assert "changed.pth" in str(caught.value)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch exploded",))


def test_a_pickle_bomb_does_not_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, options in enumerate(({}, {"_use_new_zipfile_serialization": False})):
        bomb = tmp_path / f"bomb{number}.pth"
        torch.save({"conv1.weight": Bomb()}, bomb, **options)
        with pytest.raises(WeightsError, match="is not a readable state dict"):
            build_backbone(RESNET, source(bomb))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"garbage", b"PK\x03\x04", b"\x80\x02.", b"\xff" * 64, b"{}" * 40])
def test_garbage_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="weights"):
        build_backbone(RESNET, source(path))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed and cut at random in small files of all three formats: never another kind of error."""
    kind = data.draw(st.sampled_from(["new.pth", "old.pth", "new.safetensors"]))
    path = tmp_path / kind
    if not path.exists():
        state = {"a.weight": torch.arange(12.0).reshape(3, 4), "b": torch.ones(5)}
        if kind.endswith(".pth"):
            torch.save(state, path, _use_new_zipfile_serialization=kind == "new.pth")
        else:
            safetensors.torch.save_file(state, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / f"damaged-{kind}"
    damaged.write_bytes(bytes(content[: data.draw(st.one_of(st.none(), st.integers(1, len(content))))]))
    with pytest.raises(WeightsError):  # even if it still reads, it is no ResNet
        build_backbone(RESNET, source(damaged))


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    for number, value in enumerate(
        [[1, 2], {"epoch": 3}, torch.zeros(3), {"model": {"conv1.weight": torch.zeros(1)}}]
    ):
        torch.save(value, tmp_path / f"{number}.pth")
        with pytest.raises(WeightsError, match=rf"{number}\.pth holds .*, not a state dict"):
            build_backbone(RESNET, source(tmp_path / f"{number}.pth"))


def test_a_file_replaced_since_it_was_hashed_is_refused(resnet_file: Path) -> None:
    with pytest.raises(WeightsError, match="has changed while it was being loaded"):
        build_backbone(RESNET, WeightsSource("file", "w", resnet_file, "sha256:" + "0" * 64))


def test_a_zip_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(WeightsError, match="is not a readable state dict"):
        build_backbone(RESNET, source(tmp_path / "some.pth"))


def _seeded(name: str) -> Any:
    return seeded_backbone(find_backbone(name), 42)


def test_seeded_features_are_sound_and_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_CALIBRATION_IMAGES", 8)
    name = "mobilenet_v3_large"
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    model, again = _seeded(name), _seeded(name)
    assert sha256_of_state(model) == sha256_of_state(again)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    images = torch.from_numpy(models.calibration_images(12, seed=1)) * 4 - 2
    with torch.inference_mode():
        features = model(images).numpy()
    assert features.shape == (12, find_backbone(name).feature_dim)
    assert np.isfinite(features).all()
    # Neither vanishing nor exploding, and different for different images.
    assert 1e-3 < features.std(axis=0).mean() < 1e2
    assert len({row.tobytes() for row in features}) == 12


@pytest.mark.slow
@pytest.mark.parametrize("name", backbone_names())
def test_every_backbone_builds_and_gives_rows_of_its_length(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small images: what is shown does not depend on their size (the transformer takes no other than 224).
    monkeypatch.setattr(models, "_CALIBRATION_IMAGES", 4)
    monkeypatch.setattr(calibration, "SIDE", 64)
    side = 224 if name in ("vit_b_16", "vgg16", "alexnet") else 64
    model = _seeded(name)
    with torch.inference_mode():
        features = model(torch.randn(2, 3, side, side))
    assert features.shape == (2, find_backbone(name).feature_dim)
    assert torch.isfinite(features).all()
    assert not torch.equal(features[0], features[1])
    assert float(features.abs().max()) > 1e-3


@pytest.mark.parametrize("colours", [256, 1])
def test_from_bytes_normalises_each_image_by_itself(colours: int) -> None:
    images = np.random.default_rng(0).integers(0, colours, (2, 8, 9, 3), dtype=np.uint8)
    ours = FromBytes(torch.nn.Identity(), PerImageNormalisation())(torch.from_numpy(images)).numpy()
    pixels = images.astype(np.float64).transpose(0, 3, 1, 2)
    std = np.maximum(pixels.std((2, 3), keepdims=True), 1.0)
    assert np.allclose(ours, (pixels - pixels.mean((2, 3), keepdims=True)) / std, atol=1e-6)


def test_from_bytes_normalises_as_torchvision_does() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    mean, std = IMAGENET.mean, IMAGENET.std
    ours = FromBytes(torch.nn.Identity(), IMAGENET)(torch.from_numpy(images))
    transform = torchvision.transforms.Compose(
        [torchvision.transforms.ToTensor(), torchvision.transforms.Normalize(mean, std)]
    )
    assert torch.allclose(ours, torch.stack([transform(image) for image in images]), atol=1e-6)
    assert (
        FromBytes(torch.nn.Identity(), IMAGENET, torch.bfloat16)(torch.from_numpy(images)).dtype
        == torch.float32
    )
