"""torch on CPU or CUDA, exact: channels_last, inference mode, no TF32, deterministic kernels, fixed batch.

Guaranteed: on one machine, a row depends on nothing but its image and the size of a call, and that size is part of
the fingerprint. Not guaranteed by torch: equal bits for two sizes, hence after a batch had to shrink on CUDA (such
rows agree to rounding, about 1e-6 of the largest feature).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines.batching import ShrinkingBatch, fitting_batch
from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.extraction.networks.models import FromBytes, build_backbone, sha256_of_state
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.runtime.machine import cpu_features

_DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# Without these torch emulates the precision on the CPU, far slower than float32.
_CPU_FEATURES = {"bf16": {"avx512_bf16", "amx_bf16", "bf16"}, "f16": {"avx512_fp16", "amx_fp16"}}
_IMAGES_TO_MEASURE_MEMORY = 8


class TorchEngine:
    """See `Engine`."""

    def __init__(
        self,
        spec: ExtractorSpec,
        weights: WeightsSource,
        choice: EngineChoice,
        log: Callable[[str], None],
    ) -> None:
        self._choice = choice
        _refuse_unable_device(choice)
        # One caller computes while the others decode and copy.
        self.callers = choice.threads + 1
        backbone = build_backbone(spec.backbone, weights)
        self._state_sha256 = sha256_of_state(backbone)
        self._device = torch.device(choice.device)
        dtype = _DTYPES[choice.precision]
        model = FromBytes(backbone, spec.preprocessing.settled, dtype).eval()
        self._model = model.to(self._device).to(memory_format=torch.channels_last)
        self._exact = _ExactArithmetic(choice.threads)
        self._computing = threading.Lock()
        self._copies = _copy_stream(self._device)
        self.batch = choice.batch
        shape = (spec.preprocessing.side, spec.preprocessing.side, 3)
        with self._exact:
            size = self._batch_that_fits(shape)
        if size < choice.batch:
            log(f"a batch of {size} instead of {choice.batch} fits into the device's free memory")
        forward = self._forward_on_cpu if self._copies is None else self._forward_on_cuda
        free = torch.cuda.empty_cache if self._copies is not None else _nothing
        self._run = ShrinkingBatch(forward, size, torch.OutOfMemoryError, free, log)

    def __enter__(self) -> TorchEngine:
        self._exact.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exact.__exit__(kind, error, trace)
        del self._model
        if self._copies is not None:
            torch.cuda.empty_cache()

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        return self._run(images)

    def describe(self) -> dict[str, Any]:
        """See `Engine.describe`."""
        on_cuda = self._copies is not None
        return {
            "engine": "torch",
            "engine_version": torch.__version__,
            "device": self._choice.device,
            "device_name": torch.cuda.get_device_name(self._device) if on_cuda else "CPU",
            "precision": self._choice.precision,
            "threads": self._choice.threads,
            "streams": 1,
            "batch": self._run.size,
            "batch_planned": self._choice.batch,
            "tf32": False,
            "cpu_features": cpu_features(),
            "model_state_sha256": self._state_sha256,
        }

    def _forward_on_cpu(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._computing, torch.inference_mode():
            features: NDArray[np.float32] = self._model(torch.from_numpy(images)).numpy()
            return features

    def _forward_on_cuda(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # The copy of one caller's batch runs on a stream of its own while another's batch is computed.
        pinned = torch.from_numpy(images).pin_memory()
        with torch.inference_mode():
            with torch.cuda.stream(self._copies):
                on_device = pinned.to(self._device, non_blocking=True)
                copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
                copied.record(self._copies)
            with self._computing:
                computing = torch.cuda.current_stream(self._device)
                computing.wait_event(copied)
                # Its memory must not be given away while the kernels, on another stream, still read it.
                on_device.record_stream(computing)
                features = self._model(on_device)
                result = torch.empty(features.shape, dtype=torch.float32, pin_memory=True)
                result.copy_(features, non_blocking=True)
                computed = torch.cuda.Event()  # type: ignore[no-untyped-call]
                computed.record(computing)
            computed.synchronize()
            rows: NDArray[np.float32] = result.numpy().copy()
            return rows

    def _batch_that_fits(self, shape: tuple[int, int, int]) -> int:
        if self._copies is None:
            return self._choice.batch
        trial = min(_IMAGES_TO_MEASURE_MEMORY, self._choice.batch)
        try:
            torch.cuda.reset_peak_memory_stats(self._device)
            before = torch.cuda.memory_allocated(self._device)
            self._forward_on_cuda(np.zeros((trial, *shape), np.uint8))
            used = torch.cuda.max_memory_allocated(self._device) - before
        except torch.OutOfMemoryError:
            return 1
        free, _ = torch.cuda.mem_get_info(self._device)
        return fitting_batch(self._choice.batch, used / trial, free)


class _ExactArithmetic:
    """Process-wide switches of torch, set while the engine is open and put back afterwards."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __enter__(self) -> None:
        cudnn = torch.backends.cudnn
        self._before = (
            torch.get_num_threads(),
            torch.backends.cuda.matmul.allow_tf32,
            cudnn.allow_tf32,
            cudnn.deterministic,
            cudnn.benchmark,
        )
        self._set(self._threads, False, False, True, False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._set(*self._before)

    @staticmethod
    def _set(threads: int, matmul_tf32: bool, cudnn_tf32: bool, deterministic: bool, benchmark: bool) -> None:
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = matmul_tf32
        torch.backends.cudnn.allow_tf32 = cudnn_tf32
        torch.backends.cudnn.deterministic = deterministic
        torch.backends.cudnn.benchmark = benchmark


def _refuse_unable_device(choice: EngineChoice) -> None:
    if choice.device == "cuda":
        if not torch.cuda.is_available():
            raise EngineError("RAKUTEN_DEVICE=cuda: torch cannot use CUDA here; set RAKUTEN_DEVICE=cpu")
        if choice.precision == "bf16" and not torch.cuda.is_bf16_supported():
            raise EngineError("RAKUTEN_PRECISION=bf16: this GPU has no bf16 arithmetic; set f16 or f32")
        return
    needed = _CPU_FEATURES.get(choice.precision)
    if needed and not needed & set(cpu_features()):
        raise EngineError(
            f"RAKUTEN_PRECISION={choice.precision}: this CPU has none of {', '.join(sorted(needed))}; "
            "set RAKUTEN_PRECISION=f32"
        )


def _copy_stream(device: torch.device) -> torch.cuda.Stream | None:
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def _nothing() -> None:
    return None
