"""Each normalisation and the crop, from files to features, on both engines against plain NumPy and torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from upath import UPath

from rakuten_assets.backbones import Backbone, register, registry
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.networks.seeded import weights_on_disk
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.extraction.preparation import known_fingerprint, prepare
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.records import record_file, write_recorded
from rakuten_assets_tests.backbones.tiny import Tiny
from rakuten_assets_tests.extraction.conftest import draw_image, sha256_of

TINY = Backbone("tiny", "rakuten_assets_tests.backbones.tiny:build", "tiny", 16, 0, "head", document_side=48)
STATISTICS = {"pixel_mean": [0.8, 0.7, 0.75], "pixel_std": [0.25, 0.3, 0.2]}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Backbone:
    monkeypatch.setattr(registry, "_registered", {})
    return register(TINY)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Pictures with white borders, and one of one colour."""
    made = []
    for seed in range(5):
        canvas = Image.new("RGB", (120 + seed, 100), (255, 255, 255))
        canvas.paste(draw_image(seed, 70, 50).point(lambda value: value // 2), (9 * seed, 20))
        made.append(tmp_path / f"{seed}.png")
        canvas.save(made[-1])
    made.append(tmp_path / "one_colour.png")
    Image.new("RGB", (50, 60), (9, 99, 199)).save(made[-1])
    return made


def store_statistics(storage: Path, content: dict[str, Any] = STATISTICS) -> Path:
    file = Storage(UPath(storage), 16).asset_file(["dataset_statistics"], None, ".json")
    file.parent.mkdir(parents=True)
    write_recorded(file, json.dumps(content).encode(), record_file(file))
    return Path(file)


def settings_for(storage: Path, **more: Any) -> Settings:
    return Settings(storage=UPath(storage), backbone=("tiny",), weights="seeded", device="cpu", **more)


def plain_input(files: list[Path], normalisation: str, margin: float | None) -> np.ndarray:
    rows = []
    for file in files:
        image = Image.open(file).convert("RGB")
        pixels = np.asarray(image)
        y, x = np.nonzero((pixels < 245).any(2))
        if margin is not None:
            kept = round(margin * max(np.ptp(x) + 1, np.ptp(y) + 1))
            box = (x.min() - kept, y.min() - kept, x.max() + 1 + kept, y.max() + 1 + kept)
            image = image.crop(
                (max(0, box[0]), max(0, box[1]), min(image.width, box[2]), min(image.height, box[3]))
            )
        resized = np.asarray(image.resize((48, 48), Image.Resampling.BILINEAR), np.float64)
        if normalisation == "zscore":
            rows.append((resized - resized.mean((0, 1))) / np.maximum(resized.std((0, 1)), 1.0))
        elif normalisation == "minmax":
            rows.append(resized / 255)
        elif normalisation == "dataset":
            rows.append((resized / 255 - STATISTICS["pixel_mean"]) / STATISTICS["pixel_std"])
        else:
            rows.append((resized / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225))
    return np.stack(rows).transpose(0, 3, 1, 2)


def plain_features(settings: Settings, inputs: np.ndarray) -> np.ndarray:
    _, weights = prepare(settings, "tiny", print)
    network = Tiny(16)
    with weights_on_disk(weights, UPath(settings.storage) / "cache" / "weights", TINY) as source:
        assert source.path is not None
        network.load_state_dict(safetensors.torch.load_file(source.path), strict=False)
    network.head = torch.nn.Identity()  # type: ignore[assignment]
    with torch.inference_mode():
        return network.eval().double()(torch.from_numpy(inputs)).numpy()


@pytest.mark.slow
def test_features_are_those_of_plain_numpy_and_torch(
    tiny: Backbone, files: list[Path], tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    store_statistics(storage)
    digests = set()
    for normalisation, margin in (("zscore", None), ("minmax", None), ("dataset", 0.1), ("imagenet", 0.0)):
        for engine in ("openvino", "torch"):
            crop: dict[str, Any] = {} if margin is None else {"crop": "border", "crop_margin": margin}
            settings = settings_for(storage, normalisation=normalisation, engine=engine, **crop)
            with Extractor.open(settings, "tiny", print) as extractor:
                rows = np.empty((len(files), 16), np.float32)
                extractor.extract(files, sha256_of(files), rows)
                digests.add(extractor.fingerprint.digest)
                assert known_fingerprint(settings, "tiny") == extractor.fingerprint
            expected = plain_features(settings, plain_input(files, normalisation, margin))
            error = np.abs(rows - expected).max() / np.abs(expected).max()
            print(f"{normalisation}, margin {margin}, {engine}: largest error {error:.1e}")
            assert error < 1e-5
    assert len(digests) == 8


def test_the_data_sets_normalisation_names_the_asset_that_is_missing(tiny: Backbone, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, normalisation="dataset", shards=4)
    with pytest.raises(
        StoreError, match=r"does not have it; make it: .*'\+dataset_statistics' .* 00\.\.\.03"
    ):
        prepare(settings, "tiny", print)
    assert known_fingerprint(settings, "tiny") is None


@pytest.mark.parametrize(
    "content",
    [
        {},
        {**STATISTICS, "pixel_std": [0.1, 0.0, 0.1]},
        {**STATISTICS, "pixel_mean": [0.1]},
        {**STATISTICS, "pixel_mean": "x"},
    ],
)
def test_statistics_that_cannot_be_used_are_told(
    tiny: Backbone, tmp_path: Path, content: dict[str, Any]
) -> None:
    store_statistics(tmp_path, content)
    with pytest.raises(StoreError, match=r"dataset_statistics.json cannot be used \(.*; make it: dagster"):
        prepare(settings_for(tmp_path, normalisation="dataset"), "tiny", print)


def test_changed_statistics_are_refused(tiny: Backbone, tmp_path: Path) -> None:
    file = store_statistics(tmp_path)
    file.write_text(file.read_text().replace("0.8", "0.9"))
    with pytest.raises(StoreError, match="cannot be used"):
        prepare(settings_for(tmp_path, normalisation="dataset"), "tiny", print)
