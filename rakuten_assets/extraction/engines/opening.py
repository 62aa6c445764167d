"""The chosen engine, loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from upath import UPath

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.extraction.engines.interface import Engine
from rakuten_assets.extraction.engines.kernel_measurement import measured_kernels, with_recorded_kernels
from rakuten_assets.extraction.engines.numerics import blocked_kernels_exist
from rakuten_assets.extraction.networks.converted import ConvertedModel, converted_model, recorded_kernels
from rakuten_assets.extraction.networks.quantised import read_quantised
from rakuten_assets.extraction.networks.seeded import weights_on_disk
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import ExtractorSpec


def settle_kernels(
    choice: EngineChoice,
    spec: ExtractorSpec,
    weights: WeightsSource,
    cache: UPath,
    log: Callable[[str], None],
) -> EngineChoice:
    """The choice with the kernels that are recorded for its model, which is converted and measured now if need be.

    Raises:
        EngineError, WeightsError: as `open_engine`.
    """
    if not blocked_kernels_exist(choice):
        return choice
    recorded = recorded_kernels(cache, spec.backbone, weights, spec.preprocessing)
    if recorded is None:
        with _load_errors_told(choice):
            recorded = _model(choice, spec, weights, cache, log).about.get("kernels")
    return with_recorded_kernels(choice, recorded)


def open_engine(
    choice: EngineChoice,
    spec: ExtractorSpec,
    weights: WeightsSource,
    cache: UPath,
    log: Callable[[str], None],
) -> Engine:
    """Load the chosen engine.

    Args:
        cache: the storage's; converted models and seeded weights are kept in it.

    Raises:
        EngineError: the engine or the precision cannot run here.
        StoreError: a quantised model is damaged or gone.
        WeightsError: the weights do not fit the backbone.
    """
    with _load_errors_told(choice):
        if choice.engine == "openvino":
            from rakuten_assets.extraction.engines.openvino import OpenVinoEngine

            if choice.precision == "int8":
                if choice.quantised is None:
                    raise EngineError("no quantised model is settled; open the extractor by `Extractor.open`")
                return OpenVinoEngine(spec, read_quantised(cache, choice.quantised), choice)
            model = _model(choice, spec, weights, cache, log)
            return OpenVinoEngine(spec, model, with_recorded_kernels(choice, model.about.get("kernels")))
        from rakuten_assets.extraction.engines.torch import TorchEngine

        with weights_on_disk(weights, cache / "weights", spec.backbone) as source:
            return TorchEngine(spec, source, choice, log)


def _model(
    choice: EngineChoice,
    spec: ExtractorSpec,
    weights: WeightsSource,
    cache: UPath,
    log: Callable[[str], None],
) -> ConvertedModel:
    from rakuten_assets.extraction.engines.openvino import OpenVinoEngine

    def measure(new: ConvertedModel) -> dict[str, Any]:
        return measured_kernels(spec, choice, lambda settled: OpenVinoEngine(spec, new, settled), log)

    return converted_model(cache, spec.backbone, weights, spec.preprocessing, log, measure)


@contextlib.contextmanager
def _load_errors_told(choice: EngineChoice) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise EngineError(
            f"the {choice.engine} engine does not load on this machine ({error}); reinstall it, or set RAKUTEN_ENGINE "
            "to the other one"
        ) from error
