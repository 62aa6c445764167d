"""Small JPEG files, and one converted model for all tests that run the real engine."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.extraction.networks.seeded import SEED
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.settings import Settings


def draw_image(seed: int, width: int = 96, height: int = 80) -> Image.Image:
    """A smooth random picture, different for each seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def jpeg_bytes(seed: int, width: int = 96, height: int = 80) -> bytes:
    buffer = io.BytesIO()
    draw_image(seed, width, height).save(buffer, "JPEG", quality=80, progressive=True)
    return buffer.getvalue()


def sha256_of(files: Sequence[Path]) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


MakeImages = Callable[..., list[Path]]


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """make_images(n, first_seed=0) writes n different images and returns their files."""

    def make(count: int, first_seed: int = 0) -> list[Path]:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        files = []
        for seed in range(first_seed, first_seed + count):
            file = folder / f"{seed:05d}.jpg"
            file.write_bytes(jpeg_bytes(seed, 60 + seed % 50, 50 + seed % 70))
            files.append(file)
        return files

    return make


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict of EfficientNet-B0 that gives sound features: the seeded one, saved as users save theirs."""
    import torch

    from rakuten_assets.extraction.networks.models import seeded_backbone

    model = seeded_backbone(find_backbone("efficientnet_b0"), SEED)
    path = tmp_path_factory.mktemp("weights") / "efficientnet_b0.pth"
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def converted_models(tmp_path_factory: pytest.TempPathFactory, weights_file: Path) -> Path:
    """A `cache/models` folder with `weights_file`'s model, converted once for the whole session."""
    storage = tmp_path_factory.mktemp("converted")
    with Extractor.open(Settings(storage=UPath(storage), weights=str(weights_file)), log=print) as extractor:
        extractor.open_engine()
    return storage / "cache" / "models"


@pytest.fixture
def storage(tmp_path: Path, converted_models: Path) -> UPath:
    """A fresh storage that has the converted model and no rows."""
    folder = tmp_path / "storage"
    shutil.copytree(converted_models, folder / "cache" / "models")
    return UPath(folder)
