"""Quantised models in a storage, without nncf: it stands in for by figures and files of ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from rakuten_assets.errors import EngineError, StoreError
from rakuten_assets.extraction.networks import quantised as module
from rakuten_assets.extraction.networks.converted import ConvertedModel
from rakuten_assets.extraction.networks.quantisation import fidelity
from rakuten_assets.extraction.networks.quantised import (
    Quantisation,
    faithful_quantisation,
    quantisation_request,
    quantise,
    quantised_file,
    read_quantised,
    recorded_quantisation,
)
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import extractor_spec
from rakuten_assets.settings import Settings

WEIGHTS = WeightsSource("file", "w.pth", Path("w.pth"), "sha256:aa")
SPEC = extractor_spec(Settings(backbone="resnet18"))
REQUEST = "a" * 64
F32 = ConvertedModel(b"<net/>", b"weights", {"state_sha256": "5" * 64, "openvino": "9", "request": "f" * 64})
IMAGES = {"file": Path("images.npy"), "calibration": 10, "held_out": 2, "sha256": "c" * 64}


class Quantiser:
    """Stands in for the child process: each model it makes is another one."""

    def __init__(self, mean: float = 0.97, least: float = 0.8) -> None:
        self.mean, self.least, self.requests = mean, least, list[dict[str, Any]]()

    def __call__(self, action: str, request: dict[str, Any], last: bool = False) -> dict[str, Any]:
        assert Path(request["model"]).read_bytes() == F32.xml
        assert Path(request["model"]).with_suffix(".bin").read_bytes() == F32.bin
        self.requests.append(request)
        (Path(request["folder"]) / "model.xml").write_bytes(b"<int8/>")
        (Path(request["folder"]) / "model.bin").write_bytes(bytes([len(self.requests)]))
        figures = {"mean_cosine": self.mean, "least_cosine": self.least, "relative_error": 0.2}
        return {"nncf": "3", "fidelity": figures}


@pytest.fixture
def cache(tmp_path: Path) -> UPath:
    return UPath(tmp_path / "cache")


def make(
    cache: UPath,
    monkeypatch: pytest.MonkeyPatch,
    quantiser: Quantiser,
    folder: str = "scratch",
    log: Any = print,
) -> Quantisation:
    monkeypatch.setattr(module, "run_in_torch_process", quantiser)
    monkeypatch.setattr(module, "require_nncf", lambda: None)
    private = Path(cache).parent / folder
    private.mkdir()
    return quantise(cache, REQUEST, F32, IMAGES, private, "resnet18", log)


def test_a_model_is_kept_with_its_fidelity(cache: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    made = make(cache, monkeypatch, Quantiser(), log=messages.append)
    model = read_quantised(cache, made)
    assert (model.xml, model.bin) == (b"<int8/>", b"\x01")
    assert model.about["fidelity"]["mean_cosine"] == 0.97
    assert model.about["images"] == {"calibration": 10, "held_out": 2, "sha256": "c" * 64}
    assert (model.about["state_sha256"], model.about["nncf"]) == ("5" * 64, "3")
    assert recorded_quantisation(cache, REQUEST) == faithful_quantisation(cache, REQUEST, "x") == made
    assert messages == [
        "resnet18 in int8, beside f32 on 2 images that it was not calibrated on: centred cosine 0.970 on average, "
        "0.800 at the least; relative error 20.0%"
    ]


def test_the_first_of_several_wins(cache: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    quantiser = Quantiser()
    first = make(cache, monkeypatch, quantiser, "one")
    second = make(cache, monkeypatch, quantiser, "other")
    assert len(quantiser.requests) == 2
    assert first == second
    assert read_quantised(cache, second).bin == b"\x01"


@pytest.mark.parametrize(("mean", "least"), [(0.949, 0.9), (0.99, 0.499), (float("nan"), 0.9)])
def test_a_model_that_is_not_faithful_is_refused_with_the_figures(
    mean: float, least: float, cache: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineError, match="does not keep its features in int8") as caught:
        make(cache, monkeypatch, Quantiser(mean, least))
    for part in (f"{mean:.3f}", f"{least:.3f}", "0.95 and 0.5", "RAKUTEN_BACKBONE", "RAKUTEN_PRECISION=f32"):
        assert part in str(caught.value)
    # It is kept: the next refusal costs nothing.
    with pytest.raises(EngineError, match="does not keep its features in int8"):
        faithful_quantisation(cache, REQUEST, "resnet18")


def test_the_limits_themselves_are_allowed(cache: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make(cache, monkeypatch, Quantiser(0.95, 0.5)).identity.startswith("sha256:")


def test_a_damaged_model_is_made_again_when_it_is_looked_for(
    cache: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(cache, monkeypatch, Quantiser(), "one")
    file = quantised_file(cache, REQUEST)
    file.write_bytes(file.read_bytes()[:-40])
    assert recorded_quantisation(cache, REQUEST) is None
    with pytest.raises(StoreError, match="is damaged"):
        read_quantised(cache, made)
    messages: list[str] = []
    assert make(cache, monkeypatch, Quantiser(), "other", messages.append) == made
    assert messages[0].endswith("was damaged")


def test_a_model_that_was_exchanged_is_not_run(cache: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    quantiser = Quantiser()
    made = make(cache, monkeypatch, quantiser, "one")
    quantised_file(cache, REQUEST).unlink()
    other = make(cache, monkeypatch, quantiser, "other")
    assert made != other
    with pytest.raises(StoreError, match="another one than a moment ago"):
        read_quantised(cache, made)


def test_another_model_preprocessing_or_catalogue_is_another_request() -> None:
    preset = extractor_spec(Settings(backbone="resnet18", preprocessing="preset"))
    requests = [
        quantisation_request(SPEC, WEIGHTS, "real"),
        quantisation_request(SPEC, WEIGHTS, "synthetic"),
        quantisation_request(preset, WEIGHTS, "real"),
        quantisation_request(SPEC, dataclasses.replace(WEIGHTS, identity="sha256:bb"), "real"),
        quantisation_request(extractor_spec(Settings(backbone="resnet50")), WEIGHTS, "real"),
    ]
    assert len(set(requests)) == len(requests)
    moved = dataclasses.replace(WEIGHTS, path=Path("elsewhere/w.pth"))
    assert quantisation_request(SPEC, moved, "real") == requests[0]


def test_without_nncf_the_way_out_is_told(
    cache: UPath, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'rakuten_assets\[int8\]'"):
        quantise(cache, REQUEST, F32, IMAGES, tmp_path, "resnet18", print)


def test_fidelity_is_that_of_centred_rows() -> None:
    random = np.random.default_rng(0)
    # What all images share is large, and says nothing.
    f32 = (random.normal(size=(20, 7)) + 1000).astype(np.float32)
    same = fidelity(f32, f32)
    assert (same["mean_cosine"], same["least_cosine"]) == pytest.approx((1.0, 1.0))
    assert same["relative_error"] == 0.0
    centre = f32.mean(axis=0)
    one_turned = f32.copy()
    one_turned[3] = 2 * centre - f32[3]
    turned = fidelity(f32, one_turned)
    assert turned["least_cosine"] == pytest.approx(-1.0, abs=1e-3)
    assert turned["mean_cosine"] == pytest.approx(0.9, abs=1e-3)
    doubled = fidelity(f32, centre + 2 * (f32 - centre))
    assert doubled["relative_error"] == pytest.approx(1.0, abs=1e-3)


def test_rows_that_say_nothing_have_no_cosine() -> None:
    f32 = np.ones((4, 3), np.float32)
    broken = f32.copy()
    broken[2] = np.nan
    for int8 in (f32, broken):
        found = fidelity(f32, int8)
        assert (found["mean_cosine"], found["least_cosine"]) == (0.0, 0.0)
