"""The chosen engine, loaded."""

from __future__ import annotations

from collections.abc import Callable

from upath import UPath

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.extraction.engines.interface import Engine
from rakuten_assets.extraction.networks.converted import converted_model
from rakuten_assets.extraction.networks.seeded import weights_on_disk
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import ExtractorSpec


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
        WeightsError: the weights do not fit the backbone.
    """
    try:
        if choice.engine == "openvino":
            from rakuten_assets.extraction.engines.openvino import OpenVinoEngine

            model = converted_model(cache, spec.backbone, weights, spec.preprocessing.side, log)
            return OpenVinoEngine(spec, model, choice)
        from rakuten_assets.extraction.engines.torch import TorchEngine

        with weights_on_disk(weights, cache / "weights", spec.backbone) as source:
            return TorchEngine(spec, source, choice, log)
    except ImportError as error:
        raise EngineError(
            f"the {choice.engine} engine does not load on this machine ({error}); reinstall it, or set RAKUTEN_ENGINE "
            "to the other one"
        ) from error
