"""The loader's benchmark: both contestants see every image, and the medium policy is the same one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rakuten_assets.benchmarks.loader import compare, medium_of_torchvision


def test_both_are_measured_over_every_image(tmp_path: Path) -> None:
    for number in range(5):
        noise = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.jpg")
    rows = compare(sorted(tmp_path.iterdir()), workers=0, rounds=2, batch_size=2)
    assert [row["name"] for row in rows] == ["plain DataLoader, torchvision v2", "ours"]
    assert rows[1]["lowest_ratio"] <= rows[1]["ratio"] <= rows[1]["highest_ratio"]
    assert all(row["images_per_second"] > 0 for row in rows)


def test_the_plain_transform_gives_what_ours_gives() -> None:
    image = Image.fromarray(np.full((300, 200, 3), 255, np.uint8))
    tensor = medium_of_torchvision()(image)
    assert (tensor.shape, tensor.dtype) == ((3, 224, 224), torch.float32)
    assert tensor.mean() > 1, "white stays bright, and is filled with white"


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rakuten_assets.benchmarks", "loader", "--n", "40", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--workers", "1", "--json", str(tmp_path / "rows.json")], capture_output=True, text=True, timeout=400
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40 images, 1 workers" in done.stdout
    assert json.loads((tmp_path / "rows.json").read_bytes())[1]["ratio"] > 0
