"""Every backbone gives plain torch's features, on both engines.

A handful of small ones each time. `EVERY_BACKBONE=1 pytest -m slow -s rakuten_assets_tests/backbones/test_features.py`
tries the whole registry (some twenty minutes on two cores) and prints each one's largest error.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from PIL import Image
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.backbones.entries import ENTRIES
from rakuten_assets.extraction.networks.seeded import make_seeded_weights, weights_on_disk
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.settings import Settings
from rakuten_assets_tests.backbones.reference import parameter_count, reference_features, reference_input
from rakuten_assets_tests.extraction.conftest import draw_image, sha256_of

pytestmark = pytest.mark.slow

FEW = ("resnet18", "mobilenet_v3_large", "efficientnet_lite0")
NAMES = [entry.name for entry in ENTRIES] if os.environ.get("EVERY_BACKBONE") else FEW
LARGE = 20_000_000
TOLERANCE = 1e-4
"""Of the largest feature."""


@pytest.mark.parametrize("name", NAMES)
def test_features_are_plain_torchs_on_both_engines(name: str, tmp_path: Path) -> None:
    backbone = find_backbone(name)
    sizes = [(640, 500), (300, 420), (500, 500)][: 1 if backbone.parameters > LARGE else 3]
    files = [tmp_path / f"{number}.jpg" for number in range(len(sizes))]
    for number, (file, size) in enumerate(zip(files, sizes, strict=True)):
        draw_image(number, *size).save(file, "JPEG", quality=90)
    storage = UPath(tmp_path / "storage")
    folder = storage / "cache" / "weights"
    weights = make_seeded_weights(folder, backbone, print)
    with weights_on_disk(weights, folder, backbone) as source:
        assert source.path is not None
        state = safetensors.torch.load_file(source.path)
    expected = reference_features(
        name, state, reference_input(name, [Image.open(file).convert("RGB") for file in files])
    ).numpy()
    assert expected.shape == (len(files), backbone.feature_dim)
    assert parameter_count(name, state) == backbone.parameters
    largest = np.abs(expected).max()
    assert largest > 1e-3 and np.isfinite(expected).all()
    errors, seconds = {}, {}
    for engine in ("openvino", "torch"):
        started = time.monotonic()
        settings = Settings(
            storage=storage,
            backbone=name,
            weights="seeded",
            preprocessing="preset",
            engine=engine,
            device="cpu",
            batch_size=1,
        )
        with Extractor.open(settings, name, log=print) as extractor:
            rows = np.empty((len(files), extractor.feature_dim), np.float32)
            report = extractor.extract(files, sha256_of(files), rows)
            assert extractor.describe()["engine"]["engine"] == engine
        assert report.computed == len(files)
        errors[engine] = float(np.abs(rows - expected).max() / largest)
        seconds[engine] = time.monotonic() - started
    told = ", ".join(f"{engine} {error:.1e} ({seconds[engine]:.0f} s)" for engine, error in errors.items())
    print(
        f"\n{name}: {backbone.parameters:,} parameters, {backbone.feature_dim} features; largest error: {told}"
    )
    assert max(errors.values()) <= TOLERANCE, errors
