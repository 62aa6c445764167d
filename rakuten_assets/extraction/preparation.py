"""What a fingerprint is computed from: a complete backbone, and weights with an identity."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from importlib.metadata import version

from upath import UPath

from rakuten_assets.backbones import Backbone, Normalisation
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import AugmentationError, StoreError
from rakuten_assets.extraction.engines.choice import choose_engine
from rakuten_assets.extraction.engines.kernel_measurement import with_recorded_kernels
from rakuten_assets.extraction.fingerprint import ExtractorFingerprint, fingerprint_of
from rakuten_assets.extraction.networks.converted import recorded_kernels
from rakuten_assets.extraction.networks.packed import pack, read_about, write_first
from rakuten_assets.extraction.networks.quantised import require_nncf
from rakuten_assets.extraction.networks.seeded import make_seeded_weights, seeded_weights
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.extraction.networks.weights import WeightsSource, find_weights
from rakuten_assets.extraction.preprocessing import DatasetNormalisation
from rakuten_assets.extraction.quantisation import settle_quantisation, with_recorded_quantisation
from rakuten_assets.extraction.specification import ExtractorSpec, extractor_spec
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_json
from rakuten_assets.storage.records import read_recorded, record_file

_DESCRIPTION_VERSION = 2
"""Changes whenever a network may be described otherwise: earlier descriptions are not looked at."""


def prepare(
    settings: Settings, backbone: str, log: Callable[[str], None]
) -> tuple[ExtractorSpec, WeightsSource]:
    """An extractor's specification with a complete backbone, and its weights.

    Args:
        backbone: its name; "" is the settings' first.
        log: told when something takes seconds: a storage's first seeded weights, its first look at a timm network.

    Raises:
        WeightsError: the weights are missing or not what they should be, or no library knows the network.
    """
    spec = complete_spec(settings, backbone, log)
    weights = find_weights(spec.backbone, spec.weights, settings.allow_download)
    seeded = UPath(settings.storage) / "cache" / "weights"
    return spec, weights or make_seeded_weights(seeded, spec.backbone, log)


def complete_spec(settings: Settings, backbone: str, log: Callable[[str], None]) -> ExtractorSpec:
    """An extractor's specification with a complete backbone and a normalisation of numbers. Arguments as `prepare`.

    Raises:
        WeightsError: no library knows the network.
        StoreError: the normalisation is the data set's, and the storage does not have it.
    """
    cache = UPath(settings.storage) / "cache"
    spec = extractor_spec(
        settings, backbone, lambda one: _described(cache, one) or _describe(cache, one, log)
    )
    if isinstance(spec.preprocessing.normalisation, DatasetNormalisation):
        spec = _with_normalisation(spec, dataset_normalisation(settings))
    return spec


def known_fingerprint(settings: Settings, backbone: str) -> ExtractorFingerprint | None:
    """The fingerprint of an extractor, found without computing anything.

    None if this storage has not seen the extractor yet: then nothing in it was made by that extractor.

    Raises:
        WeightsError: the weights are missing or not what they should be.
    """
    if (known := _known(settings, backbone)) is None:
        return None
    spec, weights = known
    recorded = recorded_kernels(UPath(settings.storage) / "cache", spec.backbone, weights, spec.preprocessing)
    choice = with_recorded_kernels(choose_engine(settings), recorded)
    settled = with_recorded_quantisation(choice, settings, spec, weights)
    return fingerprint_of(spec, weights, settled) if settled else None


def _known(settings: Settings, backbone: str) -> tuple[ExtractorSpec, WeightsSource] | None:
    """As `prepare`, computing nothing: None if this storage has not seen the extractor yet."""
    cache = UPath(settings.storage) / "cache"
    spec = extractor_spec(settings, backbone, lambda one: _described(cache, one) or one)
    if not spec.backbone.feature_dim:
        return None
    if isinstance(spec.preprocessing.normalisation, DatasetNormalisation):
        try:
            spec = _with_normalisation(spec, dataset_normalisation(settings))
        except StoreError:
            return None
    weights = find_weights(spec.backbone, spec.weights, settings.allow_download)
    weights = weights or seeded_weights(cache / "weights", spec.backbone)
    return None if weights is None else (spec, weights)


def refuse_unable_quantisation(settings: Settings, backbone: str) -> None:
    """Refuse int8 before anything is computed: where it does not go with the other settings, where this storage's
    model was refused, and where it must still be quantised and nncf is not installed.

    Raises:
        EngineError: as said.
        WeightsError: the weights are missing or not what they should be.
    """
    choice, known = choose_engine(settings), _known(settings, backbone)
    if known is None or with_recorded_quantisation(choice, settings, *known) is None:
        require_nncf()
    else:
        settle_quantisation(choice, settings, *known, log=lambda message: None)


def dataset_normalisation(settings: Settings) -> Normalisation:
    """The mean and standard deviation of all pixels of the train images, which the asset `dataset_statistics` holds.

    Raises:
        StoreError: the storage does not have it, or it is damaged.
    """
    storage = Storage(settings.storage, settings.shards)
    file = storage.asset_file(["dataset_statistics"], None, ".json")
    try:
        found = json.loads(read_recorded(file, record_file(file)))
        mean, std = (tuple(map(float, found[name])) for name in ("pixel_mean", "pixel_std"))
        return Normalisation(mean, std, name="dataset")  # type: ignore[arg-type]
    except FileNotFoundError:
        why = f"{settings.storage} does not have it"
    except (StoreError, KeyError, TypeError, ValueError, AugmentationError) as error:
        why = f"{file} cannot be used ({error})"
    last = shard_keys(settings.shards)[-1]
    raise StoreError(
        f"RAKUTEN_NORMALISATION=dataset needs the asset dataset_statistics, and {why}; make it: dagster asset "
        f"materialize -m rakuten_assets.definitions --select '+dataset_statistics' --partition-range 00...{last}"
    )


def _with_normalisation(spec: ExtractorSpec, normalisation: Normalisation) -> ExtractorSpec:
    preprocessing = dataclasses.replace(spec.preprocessing, normalisation=normalisation)
    return dataclasses.replace(spec, preprocessing=preprocessing)


def _described(cache: UPath, backbone: Backbone) -> Backbone | None:
    try:
        return Backbone.from_dict(read_about(_description_file(cache, backbone))["backbone"])
    except (FileNotFoundError, StoreError, KeyError, TypeError):
        return None


def _describe(cache: UPath, backbone: Backbone, log: Callable[[str], None]) -> Backbone:
    log(f"asking {backbone.distributions[-1]} for {backbone.architecture} (once)")
    complete = run_in_torch_process("describe", {"backbone": backbone.as_dict()})
    write_first(_description_file(cache, backbone), pack({}, {"backbone": complete}))
    return Backbone.from_dict(complete)


def _description_file(cache: UPath, backbone: Backbone) -> UPath:
    asked = {
        **backbone.as_dict(),
        "description": _DESCRIPTION_VERSION,
        "versions": {name: version(name) for name in backbone.distributions},
    }
    digest = sha256_of_json(asked)
    return cache / "backbones" / f"{backbone.family}-{digest[:16]}.zip"
