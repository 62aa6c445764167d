"""From a folder of pictures to predictions, on the way that the catalogue's own images went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import StoreError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.storing import load_head
from rakuten_assets.outputs.names import EVERYTHING, make_command
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.variables import PREFIX

RUNNERS_UP = 2
Say = Callable[[str], None]


@dataclass(frozen=True)
class FolderPredictions:
    """What a head says of a folder's pictures.

    Attributes:
        table: a row a picture, by path: path (relative to the folder), prdtypecode, probability; prdtypecode_2,
            probability_2 and so on for the runners-up; predicted_by ("picture", or "prior" where it does not decode),
            reason and detail ("" where it does).
        seeded: whether the extractor's weights are random, so that the predictions mean nothing.
        omissions: what lies in the folder and was not looked at: its kind, how many.
    """

    table: pd.DataFrame
    seeded: bool
    omissions: tuple[tuple[str, int], ...]

    @property
    def by_prior(self) -> pd.DataFrame:
        """The rows without a usable picture."""
        return self.table[self.table["predicted_by"] == "prior"]


def predict_folder(
    settings: Settings,
    folder: Path,
    extractor: str = "",
    runners_up: int = RUNNERS_UP,
    log: Say | None = None,
) -> FolderPredictions:
    """Predict every picture below a folder.

    Args:
        settings: whose storage holds the head, and how its features are extracted.
        extractor: whose head; default: the first that is evaluated.
        runners_up: further classes told of each picture.
        log: told of progress in lines; default: standard error.

    Raises:
        CatalogError: if the folder cannot be listed, or holds no image.
        StoreError: if there is no head, or it belongs to other features than this machine and these settings give.
        WeightsError, EngineError: if the extractor cannot run.
    """
    from rakuten_assets.extraction.metadata import weights_sha256
    from rakuten_assets.extraction.pipeline import Extractor
    from rakuten_assets.integrity.collection import folder_collection
    from rakuten_assets.integrity.reading.scan import scan_images
    from rakuten_assets.runtime.machine import usable_cores
    from rakuten_assets.runtime.progress import Progress

    name = extractor or settings.evaluated[0]
    head = find_head(settings, name)
    collection = folder_collection(folder)
    limits = settings.limits
    with Extractor.open(settings, name, log=log) as opened:
        _refuse_other_features(head, opened.fingerprint.digest, settings, name)
        with Progress("reading", len(collection.paths), log=log) as progress:
            scan = scan_images(collection.paths, limits, settings.threads or usable_cores(), None, progress)
        valid = scan["status"].eq("ok").to_numpy(dtype=bool)
        wanted = [digest if whole else "" for digest, whole in zip(scan["sha256"], valid, strict=True)]
        features = np.zeros((len(wanted), opened.feature_dim), dtype=np.float32)
        opened.extract(collection.paths, wanted, features, progress_label="predicting", log=log)
        seeded = weights_sha256(opened.fingerprint.as_dict()) is None
    table = predictions_table(head, features, valid, collection.table["path"].tolist(), scan, runners_up)
    omissions = tuple((omission.what, omission.count) for omission in collection.omissions)
    return FolderPredictions(table, seeded, omissions)


def find_head(settings: Settings, extractor: str) -> Head:
    """The head that the graph trained on an extractor's features.

    Raises:
        StoreError: if there is none, with the command that makes it.
    """
    key = [find_backbone(extractor).family, "head"]
    folder = Storage(settings.storage, settings.shards).asset_file(key, None, ".json").parent
    try:
        return load_head(folder)
    except (FileNotFoundError, NotADirectoryError):
        trained = _trained(settings)
        others = f"; there are heads of {', '.join(trained)} (--extractor)" if trained else ""
        raise StoreError(
            f"no head of {extractor} is stored in {folder}{others}. Train it: {_training(settings, extractor)}"
        ) from None


def predictions_table(
    head: Head,
    features: npt.NDArray[np.float32],
    valid: npt.NDArray[np.bool_],
    paths: list[str],
    scan: pd.DataFrame,
    runners_up: int = RUNNERS_UP,
) -> pd.DataFrame:
    """The table of `FolderPredictions`.

    Args:
        features: float32 (n, d); those of invalid rows are not looked at.
        valid: bool (n,).
        scan: reason and detail of each picture.
        runners_up: at least 0; at most as many as there are other classes.
    """
    probabilities = head.probabilities(features, valid)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : runners_up + 1]
    columns: dict[str, Any] = {"path": paths}
    for place in range(order.shape[1]):
        ending = f"_{place + 1}" if place else ""
        columns[f"prdtypecode{ending}"] = head.codes[order[:, place]]
        chosen = np.take_along_axis(probabilities, order[:, place, None], axis=1)[:, 0]
        columns[f"probability{ending}"] = chosen.round(6)
    columns["predicted_by"] = np.where(valid, "picture", "prior")
    for name in ("reason", "detail"):
        columns[name] = ["" if whole else str(text) for whole, text in zip(valid, scan[name], strict=True)]
    return pd.DataFrame(columns)


def _refuse_other_features(head: Head, digest: str, settings: Settings, extractor: str) -> None:
    if head.fingerprint != digest:
        raise StoreError(
            f"the stored head of {extractor} was trained on features of another extractor than these settings give on "
            f"this machine (weights {settings.weights_of(extractor)!r}, preprocessing {settings.preprocessing!r}, "
            f"normalisation {settings.normalisation!r}, crop {settings.crop!r}, precision {settings.precision!r}): "
            "set the RAKUTEN_ variables of the run that trained it, or train it "
            f"again: {_training(settings, extractor)}"
        )


def _trained(settings: Settings) -> list[str]:
    assets: UPath = Storage(settings.storage, settings.shards).assets
    try:
        return sorted(path.parent.parent.name for path in assets.glob("*/head/head.json"))
    except OSError:
        return []


def _training(settings: Settings, extractor: str) -> str:
    """The command that trains an extractor's head, and makes whatever it needs."""
    keys = shard_keys(settings.shards)
    command = f"{make_command(EVERYTHING)} --partition-range {keys[0]}...{keys[-1]}"
    if extractor in settings.evaluated:
        return command
    variable = "EVALUATE" if extractor in settings.backbones else "BACKBONE"
    return f"{PREFIX}{variable}={extractor} {command}"
