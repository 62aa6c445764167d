"""A backbone from outside the package is one object: the graph extracts it like any other, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from upath import UPath

import rakuten_assets
from rakuten_assets.backbones import Backbone, register, registry
from rakuten_assets.extraction.extractors import Extractors
from rakuten_assets.extraction.networks.seeded import seeded_weights, weights_on_disk
from rakuten_assets_tests.defs.conftest import Project, no_charts

SIDE, DIM = 48, 12
TINY = Backbone(
    name="tiny",
    builder="rakuten_assets_tests.backbones.tiny:build",
    architecture="tiny",
    feature_dim=DIM,
    parameters=3 * 8 * 25 + 2 * 8 + 8 * DIM * 9 + DIM + 4 * DIM * (DIM + 1) + DIM * 27 + 27,
    classifier="head",
    document_side=SIDE,
)


pytestmark = pytest.mark.slow


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Backbone:
    monkeypatch.setattr(registry, "_registered", {})
    no_charts(monkeypatch)
    return register(TINY)


def test_the_graph_extracts_it_on_both_engines(tiny: Backbone, catalog: Path, tmp_path: Path) -> None:
    published, fingerprints = {}, {}
    for engine in ("openvino", "torch"):
        project = Project(
            catalog,
            tmp_path / "storage",
            dg.DagsterInstance.ephemeral(),
            Extractors,
            backbone=("tiny",),
            engine=engine,
            device="cpu",
        )
        result = project.run_all()
        assert result.success
        data = rakuten_assets.load(project.storage, "tiny")
        assert project.key("train_features").path == ["tiny", "train_features"]
        assert data.metadata["extractor"]["engine"] == engine
        assert data.metadata["extractor"]["network"]["builder"] == tiny.builder
        published[engine] = {split: np.array(data.of_split(split).X) for split in ("train", "test")}
        fingerprints[engine] = data.metadata["fingerprint"]
        rows_stored = list((project.storage / "cache" / "rows").iterdir())
        assert len(rows_stored) == len(published), "rows of another engine were reused"
    assert fingerprints["openvino"] != fingerprints["torch"]
    expected = plain_torch(project.storage, catalog, tiny)
    for engine, by_split in published.items():
        for split, rows in by_split.items():
            error = np.abs(rows - expected[split]).max() / np.abs(expected[split]).max()
            print(f"tiny, {engine}, {split}: largest error {error:.1e}")
            assert error < 1e-5


def plain_torch(storage: Path, catalog: Path, backbone: Backbone) -> dict[str, Any]:
    """Features of the seeded weights, by Pillow and torch alone; zero where the scan found no picture."""
    import safetensors.torch
    import torch

    from rakuten_assets_tests.backbones.tiny import Tiny

    model = Tiny(backbone.feature_dim).eval()
    folder = UPath(storage) / "cache" / "weights"
    weights = seeded_weights(folder, backbone)
    assert weights is not None
    with weights_on_disk(weights, folder, backbone) as source:
        assert source.path is not None
        model.load_state_dict(safetensors.torch.load_file(source.path), strict=False)
    model.head = torch.nn.Identity()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    scan = pd.concat(pd.read_parquet(file) for file in (storage / "assets" / "image_scan").glob("*.parquet"))
    features: dict[str, Any] = {}
    for split, rows in scan.sort_values("row").groupby("split"):
        features[str(split)] = np.zeros((len(rows), backbone.feature_dim), np.float32)
        for number, (file, status) in enumerate(zip(rows["file"], rows["status"], strict=True)):
            if status == "ok":
                image = Image.open(catalog / "images" / file).convert("RGB")
                pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
                scaled = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255.0
                with torch.inference_mode():
                    features[str(split)][number] = model(((scaled - mean) / std)[None])[0].numpy()
        assert features[str(split)].std(axis=0).mean() > 1e-3
    return features
