import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rakuten_assets.extraction.fingerprint import ExtractorFingerprint, fingerprint_of
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import Preprocessing

DOCUMENT = Preprocessing("document", 224, 0, "bilinear")


def fingerprint(**changes: Any) -> ExtractorFingerprint:
    arguments: dict[str, Any] = {
        "backbone": "resnet18",
        "weights": WeightsSource("file", "w", Path("w"), "sha256:aa"),
        "preprocessing": DOCUMENT,
        "precision": "f32",
        "engine": "openvino",
        "device": "cpu",
        "batch": 0,
    }
    return fingerprint_of(**{**arguments, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "resnet50"},
        {"weights": WeightsSource("file", "w", Path("w"), "sha256:bb")},
        {"preprocessing": dataclasses.replace(DOCUMENT, interpolation="bicubic")},
        {"preprocessing": dataclasses.replace(DOCUMENT, shorter_side=256)},
        {"preprocessing": dataclasses.replace(DOCUMENT, mean=(0.0, 0.0, 0.0))},
        {"precision": "bf16"},
        {"engine": "torch"},
        {"device": "cuda"},
        {"batch": 8},
    ],
)
def test_everything_that_a_row_depends_on_is_in_it(change: dict[str, Any]) -> None:
    assert fingerprint(**change).digest != fingerprint().digest


def test_a_weights_files_place_and_name_are_not_in_it() -> None:
    moved = fingerprint(weights=WeightsSource("published", "V1", Path("/elsewhere"), "sha256:aa"))
    assert moved.digest == fingerprint().digest


def test_it_is_plain_json() -> None:
    described = fingerprint().as_dict()
    assert json.loads(json.dumps(described)) == described
    assert len(fingerprint().digest) == 64
    assert described["engine_version"]


def test_opening_an_extractor_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from upath import UPath; from rakuten_assets.settings import Settings; "
        "from rakuten_assets.extraction.pipeline import Extractor; "
        f"extractor = Extractor.open(Settings(storage=UPath({str(tmp_path)!r}))); extractor.fingerprint.digest; "
        "extractor.describe(); "
        "heavy = {'torch', 'torchvision', 'openvino', 'numba', 'sklearn', 'matplotlib', 'scipy', 'dagster'}; "
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
