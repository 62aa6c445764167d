"""The child process that prepares models: `python -m rakuten_assets.extraction.networks.conversion <action>`.

- `convert`: build the backbone in torch, convert it to OpenVINO, write it to the folder that the request names
- `download`: let torchvision fetch published weights, with its own check of the hash

The request is JSON on standard input; the answer, or the error, is one line of JSON on standard output.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rakuten_assets.errors import RakutenAssetsError, WeightsError
from rakuten_assets.extraction.networks.backbones import BACKBONES
from rakuten_assets.extraction.networks.telemetry import import_openvino
from rakuten_assets.extraction.networks.weights import WeightsSource


def convert(request: dict[str, Any]) -> dict[str, Any]:
    """Write `model.xml` and `model.bin`: uint8 (n, side, side, 3) to float32 (n, feature_dim), n dynamic."""
    import torch

    from rakuten_assets.extraction.networks.models import build_backbone, sha256_of_state

    openvino = import_openvino()
    spec, side = BACKBONES[request["backbone"]], request["side"]
    weights = request["weights"]
    path = Path(weights["path"]) if weights["path"] else None
    source = WeightsSource(weights["kind"], weights["name"], path, weights["identity"])
    backbone = build_backbone(spec, source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that tracing will go; openvino still asks for it
        model = openvino.convert_model(
            backbone, example_input=torch.zeros(2, 3, side, side), input=[-1, 3, side, side]
        )
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    # (x / 255 - mean) / std, on bytes as they come from the decoder.
    normalise = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    normalise.mean([255.0 * value for value in request["mean"]]).scale(
        [255.0 * value for value in request["std"]]
    )
    folder = Path(request["folder"])
    openvino.save_model(steps.build(), folder / "model.xml", compress_to_fp16=False)
    return {
        "state_sha256": sha256_of_state(backbone),
        "torch": version("torch"),
        "torchvision": version("torchvision"),
    }


def download(request: dict[str, Any]) -> dict[str, Any]:
    """Fetch published weights into torch's own folder."""
    import torchvision

    release = BACKBONES[request["backbone"]].release(request["release"])
    published = torchvision.models.get_model_weights(request["backbone"])[release.name]
    try:
        published.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"could not fetch {release.address}: {error}; fetch it elsewhere and set RAKUTEN_WEIGHTS to its path"
        ) from error
    return {}


def main(arguments: list[str]) -> int:
    """Run the action that `arguments` names; exit status 1 for an error that the answer explains."""
    action = {"convert": convert, "download": download}[arguments[0]]
    try:
        answer = action(json.load(sys.stdin))
    except RakutenAssetsError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
