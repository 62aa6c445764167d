import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from rakuten_assets.backbones import IMAGENET
from rakuten_assets.extraction.engines import EngineChoice
from rakuten_assets.extraction.fingerprint import ExtractorFingerprint, fingerprint_of
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import CentreCrop, Preprocessing, Resize, ResizeShorterSide
from rakuten_assets.extraction.specification import extractor_spec
from rakuten_assets.settings import Settings

DOCUMENT = Preprocessing("document", (Resize(224, "bilinear"),), IMAGENET)

GREY = dataclasses.replace(IMAGENET, mean=(0.0, 0.0, 0.0))


def fingerprint(**changes: Any) -> ExtractorFingerprint:
    choice = {"engine": "openvino", "device": "cpu", "precision": "f32", "threads": 2, "batch": 0}
    choice.update({name: changes.pop(name) for name in list(changes) if name in choice})
    spec = extractor_spec(Settings(backbone=changes.pop("backbone", "resnet18")))
    spec = dataclasses.replace(spec, preprocessing=changes.pop("preprocessing", DOCUMENT))
    weights = changes.pop("weights", WeightsSource("file", "w", Path("w"), "sha256:aa"))
    assert not changes
    return fingerprint_of(spec, weights, EngineChoice(**choice))


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "resnet50"},
        {"weights": WeightsSource("file", "w", Path("w"), "sha256:bb")},
        {"preprocessing": dataclasses.replace(DOCUMENT, operations=(Resize(224, "bicubic"),))},
        {
            "preprocessing": Preprocessing(
                "document", (ResizeShorterSide(256, "bilinear"), CentreCrop(224)), IMAGENET
            )
        },
        {"preprocessing": Preprocessing("document", (Resize(224, "bilinear"),), GREY)},
        {"precision": "bf16"},
        {"engine": "torch", "batch": 8},
        {"device": "cuda"},
        {"engine": "torch", "batch": 16},
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


def test_opening_an_extractor_whose_model_is_kept_loads_nothing_heavy(
    storage: UPath, weights_file: Path
) -> None:
    code = (
        "import sys; from upath import UPath; from rakuten_assets.settings import Settings; "
        "from rakuten_assets.extraction.pipeline import Extractor; "
        f"extractor = Extractor.open(Settings(storage=UPath({str(storage)!r}), weights={str(weights_file)!r})); "
        "extractor.fingerprint.digest; "
        "extractor.describe(); "
        "heavy = {'torch', 'torchvision', 'openvino', 'numba', 'sklearn', 'matplotlib', 'scipy', 'dagster'}; "
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
