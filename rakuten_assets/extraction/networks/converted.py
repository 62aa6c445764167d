"""Converted models, kept on storage as `cache/models/<digest>.zip` (see `packed`). A damaged one is rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.backbones import Backbone
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.networks.packed import Packed, pack, read_packed, write_first
from rakuten_assets.extraction.networks.seeded import weights_on_disk
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.storage import scratch_folder
from rakuten_assets.storage.files import sha256_of_json

# Change it when `torch_child` makes another model from the same request.
_RECIPE = 2
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
    cache: UPath, backbone: Backbone, weights: WeightsSource, side: int, log: Callable[[str], None]
) -> ConvertedModel:
    """The backbone as an OpenVINO model, from the cache or converted now (10 s, once).

    Of several processes that convert at once, the first to finish wins; all use its model.

    Args:
        cache: the storage's; models are kept in `models/`, seeded weights in `weights/`.
        side: of the input.
        log: told when a model is converted, and when a damaged one is thrown away.

    Raises:
        WeightsError: the weights do not fit the backbone.
        EngineError: the conversion failed.
    """
    described = backbone.as_dict()
    key = {
        **backbone.function,
        "weights": weights.identity,
        "side": side,
        "normalisation": described["normalisation"],
        "versions": {name: version(name) for name in ("openvino", *backbone.distributions)},
        "recipe": _RECIPE,
    }
    digest = sha256_of_json(key)
    target = cache / "models" / f"{digest}.zip"
    try:
        return ConvertedModel.of(read_packed(target), digest)
    except FileNotFoundError:
        log(f"converting {backbone.name} for openvino (once; kept in {target})")
    except StoreError as error:
        log(f"{target} is damaged ({error}); converting {backbone.name} again")
        target.unlink(missing_ok=True)
    with scratch_folder() as temporary, weights_on_disk(weights, cache / "weights", backbone) as source:
        request = {
            "backbone": described,
            "weights": {
                "kind": source.kind,
                "name": source.name,
                "path": str(Path(source.path or "").resolve()),
                "identity": source.identity,
            },
            "side": side,
            "folder": str(temporary),
        }
        about = {
            **run_in_torch_process("convert", request),
            "openvino": version("openvino"),
            "request": digest,
        }
        parts = {name: (temporary / name).read_bytes() for name in (_XML, _BIN)}
    write_first(target, pack(parts, about))
    return ConvertedModel.of(read_packed(target), digest)
