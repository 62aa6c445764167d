"""The child process that prepares models: `python -m rakuten_assets.extraction.networks.torch_child`.

Its actions:

- `convert`: build the backbone in torch, convert it to OpenVINO, write it to the folder that the request names
- `quantise`: make an int8 model of a converted one
- `seed`: make seeded weights
- `describe`: complete a backbone by what only its library knows
- `download`: let torchvision or Hugging Face fetch published weights, each with its own check

A request is a line of JSON on standard input, `{"action": ..., "request": ...}`; its answer is a line on standard
output. A request holds its backbone as a value: one that the parent registered needs no registering here.
"""

from __future__ import annotations

import json
import os
import signal
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from rakuten_assets.backbones import Backbone, Normalisation, PerImageNormalisation, Release
from rakuten_assets.errors import RakutenAssetsError, UnreachableError, WeightsError
from rakuten_assets.extraction.networks.quantisation import quantise
from rakuten_assets.extraction.networks.telemetry import import_openvino
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import normalisation_from_dict
from rakuten_assets.storage.transient import is_transient

# Pixels from which a mean is taken in two steps.
_LARGE_MEAN = 28 * 28


def convert(request: dict[str, Any]) -> dict[str, Any]:
    """Write `model.xml` and `model.bin`: uint8 (n, side, side, 3) to float32 (n, feature_dim), n dynamic."""
    import torch

    from rakuten_assets.extraction.networks.models import NormalisePerImage, build_backbone, sha256_of_state

    openvino = import_openvino()
    spec, side = Backbone.from_dict(request["backbone"]), request["side"]
    weights = request["weights"]
    source = WeightsSource(weights["kind"], weights["name"], Path(weights["path"]), weights["identity"])
    backbone = build_backbone(spec, source)
    norm = normalisation_from_dict(request["normalisation"])
    network = backbone
    if isinstance(norm, PerImageNormalisation):
        network = torch.nn.Sequential(NormalisePerImage(norm), backbone).eval()
    # Attention's fused path is taken by one of the two traces that are compared, and not by the other.
    torch.backends.mha.set_fastpath_enabled(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that tracing will go; openvino still asks for it
        model = openvino.convert_model(
            network, example_input=torch.zeros(2, 3, side, side), input=[-1, 3, side, side]
        )
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    from_bytes = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    if isinstance(norm, Normalisation):
        # (x / scale - mean) / std, on bytes as they come from the decoder.
        from_bytes.mean([norm.scale * value for value in norm.mean]).scale(
            [norm.scale * value for value in norm.std]
        )
    folder = Path(request["folder"])
    prepared = steps.build()
    mean_in_two_steps(prepared)
    openvino.save_model(prepared, folder / "model.xml", compress_to_fp16=False)
    return {"state_sha256": sha256_of_state(backbone), **_versions(spec)}


def mean_in_two_steps(model: Any) -> None:
    """Replace a large mean over height and width by the mean of each row's mean, in an OpenVINO model (n, c, h, w).

    OpenVINO's blocked kernels add up all pixels of a channel one after the other. EfficientNet-B0's squeeze does so
    with up to 12,544: the error against float64 was ten times torch's own (4.8e-5 of the largest feature, torch
    4.0e-6). In two steps it is 3.3e-6, for 1 % of the model's speed; with the small means in two steps too it would
    be 2.9e-6, for 3 %. Two reductions would be merged into one again; two poolings are not.
    """
    openvino = import_openvino()
    ops = openvino.opset13
    for mean in [layer for layer in model.get_ordered_ops() if layer.get_type_name() == "ReduceMean"]:
        pixels, axes = mean.input_value(0), mean.input_value(1).get_node()
        shape = pixels.get_partial_shape()
        if axes.get_type_name() != "Constant" or shape.rank.is_dynamic or len(shape) != 4:
            continue
        if (
            sorted(int(axis) % 4 for axis in axes.data.flatten()) != [2, 3]
            or shape[2].is_dynamic
            or shape[3].is_dynamic
        ):
            continue
        height, width = shape[2].get_length(), shape[3].get_length()
        if height * width < _LARGE_MEAN:
            continue
        rows = ops.avg_pool(pixels, [1, 1], [0, 0], [0, 0], [1, width], True)
        whole = ops.avg_pool(rows, [1, 1], [0, 0], [0, 0], [height, 1], True)
        if not mean.get_attributes()["keep_dims"]:
            whole = ops.squeeze(whole, ops.constant([2, 3]))
        mean.output(0).replace(whole.output(0))


def seed(request: dict[str, Any]) -> dict[str, Any]:
    """Write a state dict of random, calibrated weights."""
    import safetensors.torch

    from rakuten_assets.extraction.networks.models import seeded_backbone

    spec = Backbone.from_dict(request["backbone"])
    state = seeded_backbone(spec, request["seed"]).state_dict()
    tensors = {name: tensor.clone().contiguous() for name, tensor in state.items()}
    safetensors.torch.save_file(tensors, request["file"])
    return _versions(spec)


def describe(request: dict[str, Any]) -> dict[str, Any]:
    """Complete a backbone."""
    from rakuten_assets.extraction.networks.models import load_function

    spec = Backbone.from_dict(request["backbone"])
    complete: Backbone = load_function(spec.describer)(spec)
    return complete.as_dict()


def download(request: dict[str, Any]) -> dict[str, Any]:
    """Fetch published weights into the folder that their library keeps them in."""
    spec = Backbone.from_dict(request["backbone"])
    release = spec.release(request["release"])
    if release.repository:
        return {"path": _from_hugging_face(spec, release, request["allowed"])}
    import torchvision

    published = torchvision.models.get_model_weights(spec.architecture)[release.name]
    try:
        published.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise _not_fetched(error)(
            f"could not fetch {release.address}: {error}; fetch it elsewhere and set RAKUTEN_WEIGHTS to its path"
        ) from error
    return {}


def _from_hugging_face(spec: Backbone, release: Release, allowed: bool) -> str:
    import huggingface_hub

    try:
        return str(
            huggingface_hub.hf_hub_download(release.repository, release.file, local_files_only=not allowed)
        )
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        way_out = "" if allowed else ", or set RAKUTEN_ALLOW_DOWNLOAD=1"
        raise _not_fetched(error)(
            f"weights {release.name} of {spec.name} are not on this machine ({type(error).__name__}: {reason}): fetch "
            f"{release.address} and set RAKUTEN_WEIGHTS={spec.name}=<its path>{way_out}"
        ) from error


def _not_fetched(error: Exception) -> type[RakutenAssetsError]:
    """What a download that failed is told as: whether to ask again later has a chance is known here alone."""
    return UnreachableError if is_transient(error) else WeightsError


def _versions(spec: Backbone) -> dict[str, str]:
    return {name: version(name) for name in spec.distributions}


_ACTIONS = {
    "convert": convert,
    "quantise": quantise,
    "seed": seed,
    "describe": describe,
    "download": download,
}


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer each request until there are no more. A defect ends the process: its traceback says more than a line."""
    for line in requests:
        asked = json.loads(line)
        try:
            answer: dict[str, Any] = {"answer": _ACTIONS[asked["action"]](asked["request"])}
        except RakutenAssetsError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Serve the parent. A library that prints does so on standard error, and one that asks something is at the end of
    its input: requests and answers are alone on their ways.
    """
    # Ctrl-C reaches the whole process group: the parent decides, and kills this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    with (
        os.fdopen(os.dup(0), encoding="utf-8") as requests,
        os.fdopen(os.dup(1), "w", encoding="utf-8") as answers,
    ):
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        serve(requests, answers)


if __name__ == "__main__":
    main()
