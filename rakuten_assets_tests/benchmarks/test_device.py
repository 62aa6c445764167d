"""The GPU's benchmark, run on the CPU where there is no GPU; its judgement by hand-made figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rakuten_assets.benchmarks.device import measure, refuse_other_rows, report
from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines.choice import has_cuda_device
from rakuten_assets_tests.extraction.conftest import jpeg_bytes


def row(what: str, rate: float, difference: float | None = None) -> dict[str, Any]:
    return {"what": what, "images_per_second": rate, "to_document": rate / 200, "difference": difference}


def test_the_limit_is_told() -> None:
    network, decoding = row("b, f32, network alone", 9000.0), row("read, decode, resize", 1000.0)
    slow = report([decoding, network, row("b, f32, files to stored rows", 400.0)])
    assert "400 images/s at most, 2.0 times the document's V100; decoding alone makes 1,000" in slow
    assert slow.endswith("the limit is not decoding")
    assert report([decoding, network, row("b, f32, files to stored rows", 950.0)]).endswith(
        "limit is decoding"
    )


def test_other_rows_than_the_cpus_are_refused() -> None:
    refuse_other_rows([row("b, f32, network alone", 1.0, 9e-4), row("b, bf16, network alone", 1.0, 0.1)])
    for difference, told in ((2e-3, "2.0e-03"), (float("nan"), "nan")):
        with pytest.raises(EngineError, match=f"b, f32, network alone: rows differ .* by {told}"):
            refuse_other_rows(
                [row("b, bf16, network alone", 1.0, 0.1), row("b, f32, network alone", 1.0, difference)]
            )


@pytest.mark.slow
def test_each_rate_is_measured(tmp_path: Path) -> None:
    files = []
    for seed in range(12):
        files.append(tmp_path / f"{seed}.jpg")
        files[-1].write_bytes(jpeg_bytes(seed))
    rows = measure(files, tmp_path / "storage", 2, "cpu", ["efficientnet_lite0"], ["f32"])
    assert [one["what"] for one in rows] == [
        "read, decode, resize",
        "efficientnet_lite0, f32, network alone",
        "efficientnet_lite0, f32, files to stored rows",
    ]
    assert all(one["images_per_second"] > 0 for one in rows)
    assert rows[1]["difference"] < 1e-6
    refuse_other_rows(rows)


@pytest.mark.skipif(has_cuda_device(), reason="a CUDA device is here")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rakuten_assets.benchmarks", "cuda", "--n", "4", "--work", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "RAKUTEN_DEVICE=cuda: the CUDA driver finds no device here" in ended.stderr
