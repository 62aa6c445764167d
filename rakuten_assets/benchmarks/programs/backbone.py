"""What one backbone costs on this machine, in a process of its own: its peak memory is nobody else's.

`python -m rakuten_assets.benchmarks.programs.backbone '{"backbone": "resnet18", ...}'` prints one JSON object. With
`"what": "convert"` it prepares the model, as the first run of a storage does, and counts a pass's arithmetic; with
`"costs"` it opens the model that was prepared and feeds it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from upath import UPath

from rakuten_assets.backbones import Backbone
from rakuten_assets.benchmarks.measuring.inference import sustained_rate
from rakuten_assets.extraction.engines import choose_engine, open_engine
from rakuten_assets.extraction.preparation import prepare
from rakuten_assets.runtime.console import to_standard_error
from rakuten_assets.settings import Settings

_SINGLE_IMAGES = 5
_TOP1_OF_LITE = {"efficientnet_lite0": 75.1, "efficientnet_lite2": 77.6}
"""As their TensorFlow release says, whose weights the packages hold."""


def main() -> None:
    request = json.loads(sys.argv[1])
    answers, sys.stdout = sys.stdout, sys.stderr
    settings = Settings(
        storage=UPath(request["storage"]),
        backbone=(request["backbone"],),
        weights=request["weights"],
        preprocessing=request["preprocessing"],
        threads=request["workers"],
        engine=request["engine"],
        precision=request["precision"],
        normalisation="weights",
        crop="none",
    )
    if request["what"] == "convert":
        answer = _convert(settings)
    else:
        answer = _costs(settings, request["images"], request["seconds"])
    json.dump(answer, answers)


def _convert(settings: Settings) -> dict[str, Any]:
    """Seconds of a first opening, conversion included; arithmetic and parameters of the network."""
    # torch belongs to this answer alone: the other one's memory must not hold it.
    from rakuten_assets.benchmarks.measuring.roofline import gflop_per_image
    from rakuten_assets.extraction.networks.models import build_backbone
    from rakuten_assets.extraction.networks.seeded import weights_on_disk

    cache = settings.storage / "cache"
    started = time.perf_counter()
    spec, weights = prepare(settings, "", to_standard_error)
    with open_engine(choose_engine(settings), spec, weights, cache, to_standard_error):
        seconds = time.perf_counter() - started
    with weights_on_disk(weights, cache / "weights", spec.backbone) as source:
        model = build_backbone(spec.backbone, source)
    # A multiply and an add are one MAC and two of the counter's operations.
    return {
        "conversion_seconds": seconds,
        "gmacs": gflop_per_image(model, spec.preprocessing.side) / 2,
        "side": spec.preprocessing.side,
        "feature_dim": spec.backbone.feature_dim,
        "parameters": spec.backbone.parameters,
        "weights": weights.name,
        "top1": _published_top1(spec.backbone),
    }


def _published_top1(backbone: Backbone) -> float | None:
    """ImageNet top-1 in per cent of the first published weights; None where their publisher does not say."""
    from torchvision import models

    if backbone.name in _TOP1_OF_LITE:
        return _TOP1_OF_LITE[backbone.name]
    if not backbone.releases or backbone.architecture not in models.list_models():
        return None
    published = models.get_model_weights(backbone.architecture)[backbone.releases[0].name]
    return float(published.meta["_metrics"]["ImageNet-1K"]["acc@1"])


def _costs(settings: Settings, images: int, seconds: float) -> dict[str, Any]:
    """Seconds of an opening, the engine's rate on prepared images, and milliseconds of one image alone."""
    spec, weights = prepare(settings, "", to_standard_error)
    side = spec.preprocessing.side
    inputs = np.random.default_rng(0).integers(0, 256, (images, side, side, 3), np.uint8)
    started = time.perf_counter()
    with open_engine(
        choose_engine(settings), spec, weights, settings.storage / "cache", to_standard_error
    ) as engine:
        load = time.perf_counter() - started
        rate = sustained_rate(engine, inputs, seconds)
        single = []
        for image in inputs[:_SINGLE_IMAGES]:
            started = time.perf_counter()
            engine.infer(image[None])
            single.append(time.perf_counter() - started)
    return {"load_seconds": load, "images_per_second": rate, "single_ms": 1e3 * float(np.median(single))}


if __name__ == "__main__":
    main()
