"""Converted models, kept on storage as `cache/models/<digest>.zip` (see `packed`). A damaged one is rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.backbones import Backbone
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.networks.packed import Packed, pack, read_about, read_packed, write_first
from rakuten_assets.extraction.networks.seeded import weights_on_disk
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import Preprocessing, normalisation_as_dict
from rakuten_assets.storage import scratch_folder
from rakuten_assets.storage.files import sha256_of_json

# Change it when `torch_child` makes another model from the same request.
_RECIPE = 3
_XML, _BIN = "model.xml", "model.bin"


@dataclass(frozen=True)
class ConvertedModel:
    """An OpenVINO model: its graph, its weights, and where it comes from.

    Attributes:
        xml, bin: the two files of OpenVINO's format.
        about: `state_sha256` (of the weights as loaded), and the versions of what made it.
    """

    xml: bytes
    bin: bytes
    about: dict[str, Any]

    @classmethod
    def of(cls, packed: Packed, request: str) -> ConvertedModel:
        """The model that was made for a request, by its digest.

        Raises:
            StoreError: it is another one's.
        """
        if packed.about.get("request") != request:
            raise StoreError("it is the model of another request")
        try:
            return cls(packed.parts[_XML], packed.parts[_BIN], dict(packed.about))
        except KeyError as error:
            raise StoreError(f"{error} is missing from it") from None


def converted_model(
    cache: UPath,
    backbone: Backbone,
    weights: WeightsSource,
    preprocessing: Preprocessing,
    log: Callable[[str], None],
    measure: Callable[[ConvertedModel], Mapping[str, Any]] | None = None,
) -> ConvertedModel:
    """The backbone as an OpenVINO model, from the cache or converted now (10 s, once).

    Of several processes that convert at once, the first to finish wins; all use its model.

    Args:
        cache: the storage's; models are kept in `models/`, seeded weights in `weights/`.
        preprocessing: the model has its normalisation inside, and its side is that of the input.
        log: told when a model is converted, and when a damaged one is thrown away.
        measure: what it gives of a new model is recorded in it, as `about["kernels"]`.

    Raises:
        WeightsError: the weights do not fit the backbone.
        EngineError: the conversion failed.
    """
    digest = model_digest(backbone, weights, preprocessing)
    target = _file(cache, digest)
    try:
        return ConvertedModel.of(read_packed(target), digest)
    except FileNotFoundError:
        log(f"converting {backbone.name} for openvino (once; kept in {target})")
    except StoreError as error:
        log(f"{target} is damaged ({error}); converting {backbone.name} again")
        target.unlink(missing_ok=True)
    with scratch_folder() as temporary, weights_on_disk(weights, cache / "weights", backbone) as source:
        request = {
            "backbone": backbone.as_dict(),
            "weights": {
                "kind": source.kind,
                "name": source.name,
                "path": str(Path(source.path or "").resolve()),
                "identity": source.identity,
            },
            "side": preprocessing.side,
            "normalisation": normalisation_as_dict(preprocessing.settled),
            "folder": str(temporary),
        }
        about = {
            **run_in_torch_process("convert", request, last=True),
            "openvino": version("openvino"),
            "request": digest,
        }
        xml, weights_bin = ((temporary / name).read_bytes() for name in (_XML, _BIN))
        model = ConvertedModel(xml, weights_bin, about)
    if measure is not None:
        about["kernels"] = dict(measure(model))
    write_first(target, pack({_XML: model.xml, _BIN: model.bin}, about))
    return ConvertedModel.of(read_packed(target), digest)


def recorded_kernels(
    cache: UPath, backbone: Backbone, weights: WeightsSource, preprocessing: Preprocessing
) -> Any:
    """What `measure` gave when the model was converted: {} where nothing was measured, None where no model is kept."""
    try:
        return read_about(_file(cache, model_digest(backbone, weights, preprocessing))).get("kernels", {})
    except (FileNotFoundError, StoreError):
        return None


def _file(cache: UPath, digest: str) -> UPath:
    return cache / "models" / f"{digest}.zip"


def model_digest(backbone: Backbone, weights: WeightsSource, preprocessing: Preprocessing) -> str:
    """What a model is kept under."""
    key = {
        **backbone.function,
        "weights": weights.identity,
        "side": preprocessing.side,
        "normalisation": normalisation_as_dict(preprocessing.settled),
        "versions": {name: version(name) for name in ("openvino", *backbone.distributions)},
        "recipe": _RECIPE,
    }
    return sha256_of_json(key)
