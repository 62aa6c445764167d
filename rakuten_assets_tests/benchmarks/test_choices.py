"""Backbones and precisions in turns: the same images for each, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rakuten_assets.benchmarks.__main__ import main
from rakuten_assets.benchmarks.choices import parse
from rakuten_assets.errors import RakutenAssetsError


def test_choices_are_read() -> None:
    names = [(one.backbone, one.precision) for one in parse("efficientnet_b0:f32, resnet18:bf16")]
    assert names == [("efficientnet_b0", "f32"), ("resnet18", "bf16")]


@pytest.mark.parametrize("text", ["", "efficientnet_b0", ":f32", "efficientnet_b0:f99", "nothing:f32"])
def test_a_wrong_choice_is_refused(text: str) -> None:
    with pytest.raises(RakutenAssetsError):
        parse(text)


@pytest.mark.slow
def test_choices_are_measured_on_the_same_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choices = "efficientnet_lite0:f32,resnet18:f32"
    options = ["--n", "24", "--rounds", "2", "--json", str(tmp_path / "rows.json"), "--choices", choices]
    assert main(["choices", *options]) == 0
    first, second = json.loads((tmp_path / "rows.json").read_text())
    assert (first["name"], second["name"]) == ("efficientnet_lite0 f32", "resnet18 f32")
    assert (first["ratio"], first["lowest_ratio"], first["highest_ratio"]) == (1, 1, 1)
    assert 0 < second["lowest_ratio"] <= second["ratio"] <= second["highest_ratio"]
    assert "24 images, 2 rounds" in capsys.readouterr().out


@pytest.mark.slow
def test_a_choice_that_does_not_run_here_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--n", "2", "--rounds", "1", "--work", str(tmp_path), "--choices", "efficientnet_lite0:int8"]
    assert main(["choices", *options]) == 2
    # Without nncf for want of it, with it for want of images to calibrate on.
    assert "efficientnet_lite0 int8: rakuten_assets.errors.EngineError: RAKUTEN_PRECISION=int8" in (
        capsys.readouterr().err
    )
