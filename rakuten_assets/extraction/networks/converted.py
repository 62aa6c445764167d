"""Converted models, kept on storage: one file each, written whole, verified when read.

`cache/models/<digest>.zip` holds `model.xml`, `model.bin` and `conversion.json` (what made it, and the sha256 of the
other two). One file is one commit point, on a folder and on a bucket alike. A damaged one is reported and rebuilt.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import Preprocessing
from rakuten_assets.files import sha256_of_bytes, write_bytes
from rakuten_assets.storage import scratch_folder

# Change it when `conversion` makes another model from the same request.
_RECIPE = 1
_PARTS = ("model.xml", "model.bin")
_ABOUT = "conversion.json"


@dataclass(frozen=True)
class ConvertedModel:
    """An OpenVINO model: its graph, its weights, and where it comes from.

    Attributes:
        xml, bin: the two files of OpenVINO's format.
        about: `state_sha256` (of the weights as loaded), and the versions of torch, torchvision and openvino.
    """

    xml: bytes
    bin: bytes
    about: dict[str, Any]


def converted_model(
    folder: UPath,
    backbone: str,
    weights: WeightsSource,
    preprocessing: Preprocessing,
    log: Callable[[str], None],
) -> ConvertedModel:
    """The backbone as an OpenVINO model, from the cache or converted now (10 s, once).

    Args:
        folder: where converted models are kept.
        log: told when a model is converted, and when a damaged one is thrown away.

    Raises:
        WeightsError: the weights do not fit the backbone.
        EngineError: the conversion failed.
    """
    request = {
        "backbone": backbone,
        "weights": weights.identity,
        "side": preprocessing.side,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "openvino": version("openvino"),
        "torch": version("torch"),
        "torchvision": version("torchvision"),
        "recipe": _RECIPE,
    }
    digest = sha256_of_bytes(json.dumps(request, sort_keys=True).encode())
    target = folder / f"{digest}.zip"
    try:
        return _unpacked(target.read_bytes(), digest)
    except FileNotFoundError:
        log(f"converting {backbone} for openvino (once; kept in {target})")
    except StoreError as error:
        log(f"{target} is damaged ({error}); converting {backbone} again")
    source = {
        "kind": weights.kind,
        "name": weights.name,
        "path": str(weights.path.resolve()) if weights.path else "",
        "identity": weights.identity,
    }
    content = _convert({**request, "weights": source}, digest)
    write_bytes(target, content)
    return _unpacked(content, digest)


def _convert(request: dict[str, Any], digest: str) -> bytes:
    with scratch_folder() as temporary:
        answer = run_in_torch_process("convert", {**request, "folder": str(temporary)})
        parts = {name: (temporary / name).read_bytes() for name in _PARTS}
    about = {
        **answer,
        "request": digest,
        "openvino": request["openvino"],
        "sha256": {name: sha256_of_bytes(content) for name, content in parts.items()},
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr(_ABOUT, json.dumps(about, indent=1))
    return packed.getvalue()


def _unpacked(content: bytes, request: str) -> ConvertedModel:
    """Read and verify one file of the cache: its parts, and that it is the model that was asked for.

    Raises:
        StoreError: it is not what `_convert` wrote.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in _PARTS}
            about = json.loads(archive.read(_ABOUT))
            expected, made_for = dict(about["sha256"]), about["request"]
    except Exception as error:  # zipfile raises a dozen types, struct.error among them.
        raise StoreError(f"{type(error).__name__}: {error}") from error
    if expected != {name: sha256_of_bytes(part) for name, part in parts.items()}:
        raise StoreError("its content does not match its own sha256")
    if made_for != request:
        raise StoreError("it is the model of another request")
    return ConvertedModel(parts["model.xml"], parts["model.bin"], about)
