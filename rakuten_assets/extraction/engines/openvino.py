"""OpenVINO on the CPU: the fastest exact engine there.

- one inference stream for each core: streams of one thread scale better than one stream of many
- the request pool is the asynchronous queue: callers fill and wait for requests of their own, the runtime's
  threads work them off, and a caller that finds no free request waits, which is all the back-pressure there is
- the precision is always stated: left alone, OpenVINO silently takes bf16 where the CPU has it
- convolutions take the kernels that were measured to be the faster ones (`openvino_kernels`)
"""

from __future__ import annotations

import queue
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.extraction.engines.numerics import hold_to_portable_kernels, uses_blocked_kernels
from rakuten_assets.extraction.engines.openvino_kernels import convolution_kernels, wish_for_blocked
from rakuten_assets.extraction.networks.converted import ConvertedModel
from rakuten_assets.extraction.networks.telemetry import import_openvino
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.runtime.machine import cpu_features

_CAPABILITIES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16", "int8": "INT8"}
# Measured end to end, 2 cores with AVX-512, EfficientNet-B0, 2 streams: f32 is within 1 % from 2 to 4 images a call
# and loses 4 % at 6; bf16 gains 4 % from 2 to 4, is level at 6 and loses 2 % at 8.
_DEFAULT_BATCHES = {"f32": 2, "bf16": 4, "f16": 4, "int8": 4}


class OpenVinoEngine:
    """See `Engine`. Rows are equal to the bit whatever the batch, the threads and the streams."""

    def __init__(self, spec: ExtractorSpec, model: ConvertedModel, choice: EngineChoice) -> None:
        precision, threads, side = choice.precision, choice.threads, spec.preprocessing.side
        if choice.numerics == "portable":
            hold_to_portable_kernels()
        openvino = import_openvino()
        core = openvino.Core()
        _refuse_unable_cpu(core, precision)
        self.batch = choice.batch or _DEFAULT_BATCHES[precision]
        self.callers = threads + 1
        features = cpu_features()
        blocked = uses_blocked_kernels(spec.backbone, choice)
        xml = wish_for_blocked(model.xml) if blocked else model.xml
        graph = core.read_model(xml, openvino.Tensor(np.frombuffer(model.bin, np.uint8)))
        graph.reshape([self.batch, side, side, 3])
        # What a quantised model leaves unquantised is exact.
        hint = "f32" if precision == "int8" else precision
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
        }
        try:
            compiled = core.compile_model(graph, "CPU", options)
        except RuntimeError as error:
            raise EngineError(f"openvino cannot compile the model for this CPU: {error}") from error
        effective = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if effective != hint:
            raise EngineError(
                f"openvino would compute in {effective} on this CPU, not in {precision} as asked"
            )
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.callers):
            self._requests.put(compiled.create_infer_request())
        self._description: dict[str, Any] = {
            "engine": "openvino",
            "engine_version": openvino.get_version(),
            "device": "cpu",
            "device_name": core.get_property("CPU", "FULL_DEVICE_NAME"),
            "precision": precision,
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
            "streams": compiled.get_property("NUM_STREAMS"),
            "batch": self.batch,
            "kernels": convolution_kernels(compiled),
            "numerics": choice.numerics,
            "cpu_features": features,
            "model_state_sha256": model.about["state_sha256"],
            "converted_with": {
                name: model.about[name] for name in ("openvino", *spec.backbone.distributions)
            },
            **{key: model.about[key] for key in ("nncf", "fidelity", "images") if key in model.about},
        }

    def __enter__(self) -> OpenVinoEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._requests.empty():
            self._requests.get()

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        request = self._requests.get()
        try:
            # The last batch of a run may be short: the request then still holds earlier images in its other
            # places, which costs the time of a whole batch once and changes no row.
            request.get_input_tensor().data[: len(images)] = images
            request.infer()
            features: NDArray[np.float32] = request.get_output_tensor().data[: len(images)].copy()
            return features
        finally:
            self._requests.put(request)

    def describe(self) -> dict[str, Any]:
        """See `Engine.describe`."""
        return dict(self._description)


def _refuse_unable_cpu(core: Any, precision: str) -> None:
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if _CAPABILITIES[precision] not in capabilities:
        raise EngineError(
            f"RAKUTEN_PRECISION={precision}: this CPU has no {precision} arithmetic "
            f"(openvino finds {', '.join(capabilities)}; the CPU says {', '.join(cpu_features()) or 'nothing'}); "
            "set RAKUTEN_PRECISION=f32"
        )
