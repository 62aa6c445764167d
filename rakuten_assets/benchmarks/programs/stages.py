"""What each stage of extraction costs, alone on one thread; and the engine's rate with nothing else to do."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from upath import UPath

from rakuten_assets.backbones.specification import SEEDED
from rakuten_assets.benchmarks.measuring.inference import inference_rate
from rakuten_assets.benchmarks.measuring.roofline import matmul_peak
from rakuten_assets.extraction.engines import choose_engine, open_engine
from rakuten_assets.extraction.preparation import prepare
from rakuten_assets.extraction.preprocessing import preprocess
from rakuten_assets.extraction.storing.store import RowStore
from rakuten_assets.images.decoding import decode_rgb
from rakuten_assets.images.resampling import KERNELS
from rakuten_assets.runtime.console import to_standard_error
from rakuten_assets.settings import Settings

Input = TypeVar("Input")
Output = TypeVar("Output")


def main() -> None:
    request = json.loads(sys.argv[1])
    settings = Settings(
        storage=request["storage"],
        weights=SEEDED,
        threads=request["workers"],
        engine=request["engine"],
        precision=request["precision"],
        normalisation="weights",
        crop="none",
    )
    answers, sys.stdout = sys.stdout, sys.stderr
    files = [Path(file) for file in request["files"]]
    json.dump(stage_costs(settings, files), answers)


def stage_costs(settings: Settings, files: Sequence[Path]) -> dict[str, float]:
    """Milliseconds an image of read (with its sha256), decode, resize and write; and two rates.

    `infer_per_second` is the engine's rate when fed prepared images from as many threads as it asks for,
    `matmul_peak_gflops` the machine's best at matrix products, measured right before and after it.
    """
    limits = settings.limits
    spec, weights = prepare(settings, "", to_standard_error)
    KERNELS.compiled()
    KERNELS.expect(len(files) * 100)
    costs: dict[str, float] = {}

    def read(file: Path) -> bytes:
        content = file.read_bytes()
        hashlib.sha256(content).digest()
        return content

    contents, costs["read"] = _each(read, files)
    buffer = np.empty(max(len(decode_rgb(content, limits).reshape(-1)) for content in contents), np.uint8)
    # As a worker decodes: into one buffer. The pixels themselves are needed once more, below.
    _, costs["decode"] = _each(lambda content: decode_rgb(content, limits, buffer), contents)
    pixels = [decode_rgb(content, limits) for content in contents]
    inputs, costs["resize"] = _each(lambda image: preprocess(image, spec.preprocessing), pixels)
    del pixels
    choice = choose_engine(settings)
    before = matmul_peak(settings.precision)
    with open_engine(choice, spec, weights, settings.storage / "cache", to_standard_error) as engine:
        features, costs["infer_per_second"] = inference_rate(engine, np.stack(inputs))
    costs["matmul_peak_gflops"] = max(before, matmul_peak(settings.precision))
    keys = [hashlib.sha256(content).digest() for content in contents]
    with tempfile.TemporaryDirectory() as folder:
        store = RowStore(UPath(folder), "0" * 64, features.shape[1], to_standard_error)
        started = time.perf_counter()
        store.append(keys, features)
        costs["write"] = (time.perf_counter() - started) / len(files) * 1e3
    return costs


def _each(function: Callable[[Input], Output], items: Sequence[Input]) -> tuple[list[Output], float]:
    """Results, and milliseconds an item: the better of two rounds."""
    best = float("inf")
    for _ in range(2):
        started = time.perf_counter()
        results = [function(item) for item in items]
        best = min(best, time.perf_counter() - started)
    return results, best / len(items) * 1e3


if __name__ == "__main__":
    main()
