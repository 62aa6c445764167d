"""One contestant of the extraction benchmark, in a process of its own.

`python -m rakuten_assets.benchmarks.programs.variants '{"variant": "document", ...}'` loads its model, then reads one
JSON request a line on standard input ({"files": [...], "features": path or null}) and answers one JSON line each
({"seconds": ...}), so that the benchmark can give every contestant the same images in turn.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.backbones.specification import SEEDED
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.synthetic.plan import FULL_TEST_ROWS, FULL_TRAIN_ROWS

DATA_SET_IMAGES = FULL_TRAIN_ROWS + FULL_TEST_ROWS
Features = npt.NDArray[np.float32]
Extract = Callable[[Sequence[Path]], tuple[Features, float]]


def main() -> None:
    request = json.loads(sys.argv[1])
    # Libraries print to standard output when they like; answers go through a stream of their own.
    answers, sys.stdout = sys.stdout, sys.stderr
    extract, about = _open(request)
    _answer(answers, {"ready": True, **about})
    for line in sys.stdin:
        asked = json.loads(line)
        features, seconds = extract([Path(file) for file in asked["files"]])
        if asked["features"]:
            np.save(asked["features"], features, allow_pickle=False)
        _answer(answers, {"seconds": seconds})


def _open(request: dict[str, Any]) -> tuple[Extract, dict[str, Any]]:
    if request["variant"] in ("document", "dataloader"):
        return _open_baseline(request)
    return _open_ours(request)


def _open_baseline(request: dict[str, Any]) -> tuple[Extract, dict[str, Any]]:
    import torch

    from rakuten_assets.benchmarks.measuring import roofline
    from rakuten_assets.benchmarks.programs import baselines
    from rakuten_assets.extraction.networks.models import build_backbone
    from rakuten_assets.extraction.networks.seeded import weights_on_disk
    from rakuten_assets.extraction.preparation import prepare

    settings = _settings(request)
    spec, weights = prepare(settings, "", print)
    with weights_on_disk(weights, settings.storage / "cache" / "weights", spec.backbone) as source:
        model = build_backbone(spec.backbone, source)
    about: dict[str, Any] = {"engine": "torch", "precision": "f32"}
    if request["variant"] == "document":
        about["gflop_per_image"] = roofline.gflop_per_image(model)
        return _timed(lambda files: baselines.document_loop(model, files)), about
    fast = model.to(memory_format=torch.channels_last)
    return _timed(lambda files: baselines.expert_loader(fast, files, request["workers"])), about


def _open_ours(request: dict[str, Any]) -> tuple[Extract, dict[str, Any]]:
    from rakuten_assets.extraction.pipeline import Extractor
    from rakuten_assets.images.resampling import KERNELS

    KERNELS.expect(
        DATA_SET_IMAGES
    )  # as in a run over the data set: its kernels are compiled in the first second
    settings = _settings(request, engine=request["engine"], precision=request["precision"])
    extractor = Extractor.open(settings)

    def run(files: Sequence[Path]) -> tuple[Features, float]:
        # Hashing belongs to image_scan; extraction reads each file again and compares.
        digests = [sha256_of_bytes(file.read_bytes()) for file in files]
        out = np.empty((len(files), extractor.feature_dim), np.float32)
        started = time.perf_counter()
        report = extractor.extract(files, digests, out, "benchmark", log=lambda _: None)
        seconds = time.perf_counter() - started
        if report.computed != len(files):
            raise ValueError(
                f"only {report.computed} of {len(files)} images are distinct and new to the store"
            )
        return out, seconds

    run([Path(file) for file in request["warm_up"]])
    described = extractor.describe()["engine"]
    return run, {"engine": described["engine"], "precision": described["precision"]}


def _settings(request: dict[str, Any], **choices: Any) -> Settings:
    given = {name: request[name] for name in ("backbone", "data_dir") if name in request}
    return Settings(
        storage=request["storage"],
        weights=request.get("weights", SEEDED),
        threads=request["workers"],
        **given,
        **choices,
    )


def _timed(extract: Callable[[Sequence[Path]], Features]) -> Extract:
    def run(files: Sequence[Path]) -> tuple[Features, float]:
        started = time.perf_counter()
        features = extract(files)
        return features, time.perf_counter() - started

    return run


def _answer(stream: Any, answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
