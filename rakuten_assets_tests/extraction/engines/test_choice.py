import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from upath import UPath

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines import choice
from rakuten_assets.extraction.engines.choice import choose_engine, has_cuda_device
from rakuten_assets.extraction.engines.opening import open_engine
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import extractor_spec
from rakuten_assets.settings import Settings


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    machine = SimpleNamespace(device=False, torch=False, cores=3)
    monkeypatch.setattr(choice, "has_cuda_device", lambda: machine.device)
    monkeypatch.setattr(choice, "torch_has_cuda", lambda: machine.torch)
    monkeypatch.setattr(choice, "usable_cores", lambda: machine.cores)
    return machine


@pytest.mark.parametrize(
    ("device", "torch", "asked", "engine", "on"),
    [
        (False, True, {}, "openvino", "cpu"),
        (True, False, {}, "openvino", "cpu"),
        (True, True, {}, "torch", "cuda"),
        (True, True, {"device": "cpu"}, "openvino", "cpu"),
        (True, True, {"engine": "openvino"}, "openvino", "cpu"),
        (True, True, {"device": "cuda"}, "torch", "cuda"),
        (False, False, {"engine": "torch"}, "torch", "cpu"),
        (True, True, {"precision": "int8"}, "openvino", "cpu"),
    ],
)
def test_auto_is_the_fastest_exact_engine_of_the_machine(
    machine: SimpleNamespace, device: bool, torch: bool, asked: dict[str, str], engine: str, on: str
) -> None:
    machine.device, machine.torch = device, torch
    choice = choose_engine(Settings(**asked))
    assert (choice.engine, choice.device) == (engine, on)


@pytest.mark.parametrize(
    ("device", "torch", "asked", "reason"),
    [
        (False, True, {"device": "cuda"}, "finds no device"),
        (True, False, {"device": "cuda"}, "built without CUDA"),
        (True, True, {"device": "cuda", "engine": "openvino"}, "runs on the CPU"),
        (
            True,
            True,
            {"precision": "int8", "device": "cuda"},
            "not for torch on cuda; set RAKUTEN_ENGINE=openvino",
        ),
        (
            False,
            False,
            {"precision": "int8", "device": "cuda"},
            "RAKUTEN_PRECISION=int8 is for the openvino engine",
        ),
        (False, True, {"precision": "int8", "engine": "torch"}, "not for torch on cpu"),
        (False, True, {"precision": "int8", "numerics": "portable"}, "not for openvino in int8"),
    ],
)
def test_what_cannot_run_here_is_refused_with_the_reason(
    machine: SimpleNamespace, device: bool, torch: bool, asked: dict[str, str], reason: str
) -> None:
    machine.device, machine.torch = device, torch
    with pytest.raises(EngineError, match=reason):
        choose_engine(Settings(**asked))


def test_threads_and_batch(machine: SimpleNamespace) -> None:
    assert choose_engine(Settings()).threads == 3
    assert choose_engine(Settings(threads=5)).threads == 5
    # openvino's rows do not depend on the batch, torch's may.
    assert choose_engine(Settings(batch_size=7)).batch_in_fingerprint == 0
    assert choose_engine(Settings(engine="torch", batch_size=7)).batch_in_fingerprint == 7
    assert choose_engine(Settings(engine="torch")).batch_in_fingerprint == 8


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_an_engine_that_does_not_import_is_refused(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(engine=engine, device="cpu")
    monkeypatch.setitem(sys.modules, f"rakuten_assets.extraction.engines.{engine}", None)
    with pytest.raises(
        EngineError, match=f"the {engine} engine does not load on this machine.*RAKUTEN_ENGINE"
    ):
        weights = WeightsSource("file", "w.pth", Path("w.pth"), "sha256:aa")
        open_engine(choose_engine(settings), extractor_spec(settings), weights, UPath("."), print)


def test_the_driver_is_asked_for_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def driver(initialised: int, devices: int) -> SimpleNamespace:
        def count(pointer: object) -> int:
            pointer._obj.value = devices  # type: ignore[attr-defined]
            return 0

        return SimpleNamespace(cuInit=lambda flags: initialised, cuDeviceGetCount=count)

    for initialised, devices, expected in ((0, 2, True), (0, 0, False), (100, 1, False)):
        monkeypatch.setattr(choice.ctypes, "CDLL", lambda name, i=initialised, d=devices: driver(i, d))
        assert has_cuda_device() is expected

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(choice.ctypes, "CDLL", missing)
    assert has_cuda_device() is False
