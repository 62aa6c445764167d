"""Models quantised to int8, kept on storage as `cache/models/int8-<digest>.zip`; each is made once a storage.

Quantisation measures ranges by inference, whose last bits depend on the CPU, and on images, which a catalogue may get
more of. Made anew, the model would differ, and so would every row: so it is stored, the first one wins, and what it
holds is part of the fingerprint.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.errors import EngineError, StoreError
from rakuten_assets.extraction.networks.converted import ConvertedModel, model_digest
from rakuten_assets.extraction.networks.packed import pack, read_about, read_packed, write_first
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.storage.files import sha256_of_json

LOWEST_MEAN, LOWEST = 0.95, 0.5
"""Centred cosines between a model's rows in int8 and in f32, on average and at the least, below which it is refused."""

# Change it when another model is to be made from the same request.
_RECIPE = 1
_XML, _BIN = "model.xml", "model.bin"
_FIGURES = ("mean_cosine", "least_cosine", "relative_error")


@dataclass(frozen=True)
class Quantisation:
    """A quantised model that a storage has.

    Attributes:
        request: digest of what was asked for: the f32 model, the preprocessing, the images.
        identity: `sha256:...` of the model's files.
    """

    request: str
    identity: str


def quantisation_request(spec: ExtractorSpec, weights: WeightsSource, images: str) -> str:
    """What an extractor's quantised model is kept under.

    Args:
        images: `synthetic` or `real`: drawings say nothing of the ranges of photographs.
    """
    made_of = {
        "model": model_digest(spec.backbone, weights, spec.preprocessing),
        "preprocessing": spec.preprocessing.as_dict(),
        "images": images,
        "recipe": _RECIPE,
    }
    return sha256_of_json(made_of)


def recorded_quantisation(cache: UPath, request: str) -> Quantisation | None:
    """The quantised model that a storage has; None if it has none. It is not read whole."""
    try:
        return _quantisation(read_about(quantised_file(cache, request)), request)
    except (FileNotFoundError, StoreError):
        return None


def faithful_quantisation(cache: UPath, request: str, name: str) -> Quantisation | None:
    """As `recorded_quantisation`, of a model whose rows are near those in f32.

    Raises:
        EngineError: they are not; with the figures.
    """
    try:
        about = read_about(quantised_file(cache, request))
        found = _quantisation(about, request)
    except (FileNotFoundError, StoreError):
        return None
    _refuse_unfaithful(name, about["fidelity"])
    return found


def quantise(
    cache: UPath,
    request: str,
    model: ConvertedModel,
    images: Mapping[str, Any],
    folder: Path,
    name: str,
    log: Callable[[str], None],
) -> Quantisation:
    """Quantise a model (a minute, once). Of several processes at once, the first to finish wins; all use its model.

    Args:
        model: in f32.
        images: `file`: .npy, uint8 (n, side, side, 3); `calibration` and `held_out`: how many of its first are
            calibrated on, and how many after them the fidelity is measured on; `sha256`: their digest.
        folder: a private one for unfinished files.
        name: the backbone's.
        log: told the fidelity.

    Raises:
        EngineError: nncf is missing, or the rows are too far from those in f32. A refused model is kept, so that the
            next refusal costs nothing.
    """
    require_nncf()
    target = quantised_file(cache, request)
    f32, made = folder / "f32", folder / "int8"
    f32.mkdir()
    made.mkdir()
    (f32 / _XML).write_bytes(model.xml)
    (f32 / _BIN).write_bytes(model.bin)
    asked = {**images, "file": str(images["file"]), "model": str(f32 / _XML), "folder": str(made)}
    answer = run_in_torch_process("quantise", asked, last=True)
    about = {
        **model.about,
        **answer,
        "images": {key: images[key] for key in ("calibration", "held_out", "sha256")},
        "request": request,
    }
    if target.exists() and recorded_quantisation(cache, request) is None:
        log(f"{target} was damaged")
        target.unlink()
    write_first(target, pack({file: (made / file).read_bytes() for file in (_XML, _BIN)}, about))
    figures = read_about(target)["fidelity"]
    log(
        f"{name} in int8, beside f32 on {images['held_out']} images that it was not calibrated on: {told(figures)}"
    )
    if (quantised := faithful_quantisation(cache, request, name)) is None:
        raise StoreError(f"{target} cannot be read back; look at the storage and run again")
    return quantised


def read_quantised(cache: UPath, quantised: Quantisation) -> ConvertedModel:
    """The quantised model itself; `about["fidelity"]` says how near it is to f32.

    Raises:
        StoreError: it is gone, damaged, or not the one that was found before.
    """
    file = quantised_file(cache, quantised.request)
    try:
        packed = read_packed(file)
        if _quantisation(packed.about, quantised.request) != quantised:
            raise StoreError("it is another one than a moment ago")
        return ConvertedModel.of(packed, quantised.request)
    except (FileNotFoundError, StoreError) as error:
        raise StoreError(f"{file} is damaged ({error}); remove it and run again") from error


def quantised_file(cache: UPath, request: str) -> UPath:
    """Where a storage keeps a quantised model."""
    return cache / "models" / f"int8-{request}.zip"


def require_nncf() -> None:
    """Refuse to quantise where nncf is not installed. Running a quantised model does not need it.

    Raises:
        EngineError: it is not.
    """
    if importlib.util.find_spec("nncf") is None:
        raise EngineError(
            "RAKUTEN_PRECISION=int8 needs nncf, which is not installed, to quantise the model: pip install "
            "'rakuten_assets[int8]', or set RAKUTEN_PRECISION=f32"
        )


def told(fidelity: Mapping[str, float]) -> str:
    """Figures of fidelity for a person."""
    mean, least, error = (fidelity[figure] for figure in _FIGURES)
    return f"centred cosine {mean:.3f} on average, {least:.3f} at the least; relative error {error:.1%}"


def _refuse_unfaithful(name: str, fidelity: Mapping[str, float]) -> None:
    mean, least = fidelity["mean_cosine"], fidelity["least_cosine"]
    if not (mean >= LOWEST_MEAN and least >= LOWEST):
        raise EngineError(
            f"RAKUTEN_PRECISION=int8: {name} does not keep its features in int8 ({told(fidelity)}; allowed are "
            f"{LOWEST_MEAN} and {LOWEST}): take another RAKUTEN_BACKBONE, such as efficientnet_lite0, or "
            "RAKUTEN_PRECISION=f32"
        )


def _quantisation(about: Mapping[str, Any], request: str) -> Quantisation:
    """Of what a file says of itself.

    Raises:
        StoreError: it says something else than `quantise` writes.
    """
    fidelity = about.get("fidelity")
    whole = isinstance(fidelity, dict) and all(isinstance(fidelity.get(key), float) for key in _FIGURES)
    if about.get("request") != request or not whole or set(about["sha256"]) != {_XML, _BIN}:
        raise StoreError("it is not the quantised model of this request")
    return Quantisation(request, f"sha256:{sha256_of_json(about['sha256'])}")
