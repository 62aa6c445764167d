"""Which engine runs, decided from the settings and the machine before anything heavy is imported."""

from __future__ import annotations

import ctypes
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.networks.quantised import Quantisation
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.settings import Settings

_TORCH_BATCH = {"cpu": 8, "cuda": 128}
_CUDA_DRIVERS = ("libcuda.so.1", "nvcuda.dll")

Kernels = Literal["", "blocked", "default"]


@dataclass(frozen=True)
class EngineChoice:
    """What will run.

    Attributes:
        batch: 0 where the engine may choose, because no row depends on it.
        kernels: OpenVINO's convolutions, as measured when the model was converted; "": as the registry says.
        quantised: the model in int8; None in other precisions, and before it is settled.
    """

    engine: Literal["openvino", "torch"]
    device: Literal["cpu", "cuda"]
    precision: str
    threads: int
    batch: int
    numerics: Literal["native", "portable"] = "native"
    kernels: Kernels = ""
    quantised: Quantisation | None = None

    @property
    def batch_in_fingerprint(self) -> int:
        """torch's sums may depend on a call's batch; openvino's do not (tested)."""
        return self.batch if self.engine == "torch" else 0


def choose_engine(settings: Settings) -> EngineChoice:
    """Resolve `auto`.

    Raises:
        EngineError: the settings ask for what this machine cannot do.
    """
    device = settings.device
    if device == "auto" and (settings.numerics == "portable" or settings.precision == "int8"):
        device = "cpu"
    if device == "auto":
        wants_cuda = settings.engine != "openvino" and has_cuda_device() and torch_has_cuda()
        device = "cuda" if wants_cuda else "cpu"
    engine = settings.engine
    if engine == "auto":
        engine = "torch" if device == "cuda" else "openvino"
    if settings.precision == "int8" and (engine, device) != ("openvino", "cpu"):
        raise EngineError(
            f"RAKUTEN_PRECISION=int8 is for the openvino engine on the CPU, not for {engine} on {device}; set "
            "RAKUTEN_ENGINE=openvino and RAKUTEN_DEVICE=cpu, or another RAKUTEN_PRECISION"
        )
    if device == "cuda":
        _refuse_missing_cuda(engine)
    if settings.numerics == "portable" and (engine, settings.precision) != ("openvino", "f32"):
        raise EngineError(
            f"RAKUTEN_NUMERICS=portable holds for the openvino engine in f32, not for {engine} in "
            f"{settings.precision}; set RAKUTEN_ENGINE=openvino and RAKUTEN_PRECISION=f32, or RAKUTEN_NUMERICS=native"
        )
    threads = settings.threads or usable_cores()
    batch = settings.batch_size
    if engine == "torch":
        batch = batch or _TORCH_BATCH[device]
    return EngineChoice(engine, device, settings.precision, threads, batch, settings.numerics)


def has_cuda_device() -> bool:
    """Whether the CUDA driver sees a device."""
    return cuda_devices() > 0


def cuda_devices() -> int:
    """GPUs that the CUDA driver sees; asked of the driver itself, which costs nothing like torch."""
    for name in _CUDA_DRIVERS:
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0


def torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA, seen from its files."""
    found = importlib.util.find_spec("torch")
    folders = (found.submodule_search_locations or []) if found else []
    return any(any((Path(folder) / "lib").glob("*torch_cuda*")) for folder in folders)


def _refuse_missing_cuda(engine: str) -> None:
    if engine == "openvino":
        raise EngineError(
            "RAKUTEN_ENGINE=openvino runs on the CPU; set RAKUTEN_DEVICE=cpu or RAKUTEN_ENGINE=torch"
        )
    if not has_cuda_device():
        raise EngineError("RAKUTEN_DEVICE=cuda: the CUDA driver finds no device here; set RAKUTEN_DEVICE=cpu")
    if not torch_has_cuda():
        raise EngineError(
            "RAKUTEN_DEVICE=cuda: the installed torch was built without CUDA; install torch's CUDA build, "
            "or set RAKUTEN_DEVICE=cpu"
        )
