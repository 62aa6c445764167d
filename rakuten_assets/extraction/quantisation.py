"""Which quantised model an extractor in int8 runs: settled when it is opened, since its fingerprint names the model.

A storage's first opening in int8 quantises, calibrated on the train images of the catalogue that the settings name
(the synthetic one where they name none). Every later one, with or without a catalogue at hand, finds that model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from upath import UPath

from rakuten_assets.extraction.calibration_images import draw_calibration_images
from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.extraction.engines.opening import settle_kernels
from rakuten_assets.extraction.images import ImageReader
from rakuten_assets.extraction.networks.converted import converted_model
from rakuten_assets.extraction.networks.quantised import (
    Quantisation,
    faithful_quantisation,
    quantisation_request,
    quantise,
    quantised_file,
    recorded_quantisation,
    require_nncf,
)
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import scratch_folder

INT8 = "int8"


def settle_quantisation(
    choice: EngineChoice,
    settings: Settings,
    spec: ExtractorSpec,
    weights: WeightsSource,
    log: Callable[[str], None],
) -> EngineChoice:
    """The choice with the storage's quantised model, which is made now if there is none; as it is in f32.

    Args:
        log: told when a model is quantised, and its fidelity.

    Raises:
        EngineError: nncf is missing, there are too few images, or the rows would be too far from those in f32.
        CatalogError: the model must be made, and the catalogue is not there.
    """
    if choice.precision != INT8:
        return choice
    cache, name = UPath(settings.storage) / "cache", spec.name
    request = quantisation_request(spec, weights, _images(settings))
    quantised = faithful_quantisation(cache, request, name)
    if quantised is None:
        require_nncf()
        quantised = _make(choice, settings, spec, weights, cache, request, log)
    return dataclasses.replace(choice, quantised=quantised)


def with_recorded_quantisation(
    choice: EngineChoice, settings: Settings, spec: ExtractorSpec, weights: WeightsSource
) -> EngineChoice | None:
    """As `settle_quantisation`, computing nothing: None where the storage has no such model yet."""
    if choice.precision != INT8:
        return choice
    request = quantisation_request(spec, weights, _images(settings))
    found = recorded_quantisation(UPath(settings.storage) / "cache", request)
    return dataclasses.replace(choice, quantised=found) if found else None


def _make(
    choice: EngineChoice,
    settings: Settings,
    spec: ExtractorSpec,
    weights: WeightsSource,
    cache: UPath,
    request: str,
    log: Callable[[str], None],
) -> Quantisation:
    train = open_catalog(settings, log).images["train"]
    # The f32 model is measured as ever when it is converted: it may be run itself later.
    settle_kernels(dataclasses.replace(choice, precision="f32"), spec, weights, cache, log)
    model = converted_model(cache, spec.backbone, weights, spec.preprocessing, log)
    log(
        f"quantising {spec.name} to int8, calibrated on images of {train} (a minute or two, once; kept in "
        f"{quantised_file(cache, request)})"
    )
    with scratch_folder(settings.storage) as folder:
        reader = ImageReader(settings.limits, spec.preprocessing)
        images = draw_calibration_images(train, reader, folder / "images.npy")
        return quantise(cache, request, model, dataclasses.asdict(images), folder, spec.name, log)


def _images(settings: Settings) -> str:
    return "synthetic" if settings.is_synthetic else "real"
