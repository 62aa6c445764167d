"""Kernels are chosen by measurement, recorded with the model, and named by the fingerprint."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from rakuten_assets.extraction.engines import EngineChoice, open_engine, settle_kernels
from rakuten_assets.extraction.engines.kernel_measurement import measured_kernels, with_recorded_kernels
from rakuten_assets.extraction.engines.numerics import uses_blocked_kernels
from rakuten_assets.extraction.networks.converted import recorded_kernels
from rakuten_assets.extraction.networks.packed import pack, read_packed
from rakuten_assets.extraction.networks.weights import find_weights
from rakuten_assets.extraction.preparation import known_fingerprint
from rakuten_assets.extraction.specification import ExtractorSpec, extractor_spec
from rakuten_assets.runtime.machine import cpu_features
from rakuten_assets.settings import Settings

B0 = extractor_spec(Settings(backbone="efficientnet_b0"))
CONVNEXT = extractor_spec(Settings(backbone="convnext_tiny"))
NATIVE = EngineChoice("openvino", "cpu", "f32", 1, 2)
HAS_THE_CHOICE = {"avx512f"} <= set(cpu_features()) and "amx_tile" not in cpu_features()


class Clock:
    """Time that passes only where an engine says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Timed:
    """An engine whose call takes a known time."""

    batch, callers = 2, 1

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def __enter__(self) -> Timed:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def infer(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8 and len(images) == self.batch
        self._clock.now += self._seconds
        return np.zeros((len(images), 1), np.float32)

    def describe(self) -> dict[str, Any]:
        return {}


def measured(spec: ExtractorSpec, blocked: float, default: float, choice: EngineChoice = NATIVE) -> Any:
    clock, told = Clock(), list[str]()
    seconds = {"blocked": blocked, "default": default}
    found = measured_kernels(
        spec, choice, lambda asked: Timed(clock, seconds[asked.kernels]), told.append, clock
    )
    assert len(told) == bool(found)
    return found


@pytest.fixture
def _avx512(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "rakuten_assets.extraction.engines.numerics.cpu_features", lambda: ["avx2", "avx512f", "avx512bw"]
    )
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)


@pytest.mark.usefixtures("_avx512")
@pytest.mark.parametrize(
    ("spec", "blocked", "default", "chosen"),
    [
        (B0, 0.010, 0.011, "blocked"),
        (B0, 0.011, 0.010, "blocked"),  # within the noise: as registered
        (B0, 0.013, 0.010, "default"),
        (CONVNEXT, 0.010, 0.011, "default"),  # within the noise: as registered
        (CONVNEXT, 0.010, 0.013, "blocked"),
        (B0, 2.6, 2.0, "default"),
    ],
)
def test_the_registered_kernels_are_left_only_for_clearly_faster_ones(
    spec: ExtractorSpec, blocked: float, default: float, chosen: str
) -> None:
    found = measured(spec, blocked, default)
    assert found["chosen"] == chosen
    assert found["images_per_second"] == pytest.approx(
        {"blocked": 2 / blocked, "default": 2 / default}, abs=0.06
    )
    settled = with_recorded_kernels(NATIVE, found)
    assert uses_blocked_kernels(spec.backbone, settled) == (chosen == "blocked")


@pytest.mark.usefixtures("_avx512")
def test_nothing_is_measured_where_there_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(B0, 0.012, 0.010, dataclasses.replace(NATIVE, numerics="portable")) == {}
    assert measured(B0, 0.012, 0.010, dataclasses.replace(NATIVE, engine="torch")) == {}
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert measured(B0, 0.012, 0.010) == {}


@pytest.mark.usefixtures("_avx512")
@pytest.mark.parametrize(
    "recorded",
    [None, {}, [], "blocked", {"chosen": "default", "precision": "bf16"}, {"chosen": 7, "precision": "f32"}],
)
def test_what_is_not_a_record_for_this_choice_changes_nothing(recorded: Any) -> None:
    assert with_recorded_kernels(NATIVE, recorded) == NATIVE


@pytest.mark.skipif(
    not HAS_THE_CHOICE, reason="only a CPU with AVX-512 and without AMX has a choice of kernels"
)
def test_a_recorded_choice_is_what_runs_and_what_the_fingerprint_names(
    tmp_path: Path, weights_file: Path, converted_models: Path
) -> None:
    """The record of a real model is turned over: engine, opened extractor and schedule follow it alike."""
    weights = find_weights(B0.backbone, str(weights_file), False)
    assert weights is not None
    cache = UPath(tmp_path) / "cache"
    (cache / "models").mkdir(parents=True)
    (model,) = (UPath(path) for path in converted_models.glob("*.zip"))
    kernels = {}
    for chosen in ("blocked", "default"):
        packed = read_packed(model)
        about = {**packed.about, "kernels": {"chosen": chosen, "precision": "f32"}}
        (cache / "models" / model.name).write_bytes(pack(packed.parts, about))
        settled = settle_kernels(NATIVE, B0, weights, cache, pytest.fail)
        assert settled.kernels == chosen
        with open_engine(NATIVE, B0, weights, cache, pytest.fail) as engine:
            kernels[chosen] = set(engine.describe()["kernels"])
        known = known_fingerprint(
            Settings(storage=UPath(tmp_path), weights=str(weights_file), device="cpu"), "efficientnet_b0"
        )
        assert known is not None and known.numerics["kernels"] == chosen
    assert kernels["blocked"] != kernels["default"]


@pytest.mark.skipif(
    not HAS_THE_CHOICE, reason="only a CPU with AVX-512 and without AMX has a choice of kernels"
)
def test_a_converted_model_records_what_was_measured(weights_file: Path, converted_models: Path) -> None:
    weights = find_weights(B0.backbone, str(weights_file), False)
    assert weights is not None
    recorded = recorded_kernels(UPath(converted_models.parent), B0.backbone, weights, B0.preprocessing)
    assert recorded["chosen"] in ("blocked", "default")
    assert min(recorded["images_per_second"].values()) > 0
