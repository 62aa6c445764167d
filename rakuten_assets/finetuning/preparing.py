"""A task from the settings: which weights to start from, and the preprocessing that their extractor will have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from rakuten_assets.backbones.specification import PRETRAINED, SEEDED
from rakuten_assets.errors import SettingsError
from rakuten_assets.evaluation.inputs import Ints, Mask
from rakuten_assets.extraction.engines.choice import choose_engine
from rakuten_assets.extraction.networks.seeded import weights_on_disk
from rakuten_assets.extraction.networks.weights import FINE_TUNED
from rakuten_assets.extraction.preparation import prepare
from rakuten_assets.extraction.specification import preprocessing_of
from rakuten_assets.finetuning.options import SCRATCH, VARIABLE, FineTuning
from rakuten_assets.finetuning.task import Task
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.torch_data import ImageTable

# What preprocessing asks for the weights' name: any file takes the first published preset.
_A_FILE = "weights.safetensors"


@contextmanager
def open_task(
    settings: Settings,
    backbone: str,
    options: FineTuning,
    table: ImageTable,
    labels: Ints,
    groups: npt.NDArray[np.generic],
    validation: Mask,
    classes: int,
    log: Callable[[str], None],
) -> Iterator[Task]:
    """A task whose weights are on this machine as long as the block lasts.

    Args:
        backbone: its name.
        table, labels, groups, validation, classes: as for `Task`.
        log: told when weights are made.

    Raises:
        WeightsError: the weights are missing or not what they should be.
        SettingsError: the weights to start from are fine-tuned already, and nobody said that this is meant.
        CatalogError: as `Task`.
    """
    chosen = settings
    if options.start:
        weights = SEEDED if options.start == SCRATCH else options.start
        chosen = settings.model_copy(update={"weights": f"{backbone}={weights}"})
    spec, source = prepare(chosen, backbone, log)
    if not options.start and source.identity.startswith(FINE_TUNED):
        raise SettingsError(
            f"RAKUTEN_WEIGHTS gives {backbone} weights that are fine-tuned already ({source.name}); say what to start "
            f"from: start={PRETRAINED} in {VARIABLE}, or start={source.name} to train them further"
        )
    with weights_on_disk(
        source, Storage(settings.storage, settings.shards).cache / "weights", spec.backbone
    ) as file:
        # The extractor that uses the result has it as a file.
        preprocessing = dataclasses.replace(
            preprocessing_of(settings, spec.backbone, _A_FILE), normalisation=spec.preprocessing.settled
        )
        yield Task(
            spec.backbone, file, preprocessing, table, labels, groups, validation, classes, settings.limits
        )


def training_device(settings: Settings) -> str:
    """Where networks are trained: "cuda" where there is one and the settings do not say otherwise, else "cpu".

    Raises:
        EngineError: the settings ask for a device that this machine does not have.
    """
    # Training is torch's work, whatever engine extracts.
    asked = {"engine": "torch", "numerics": "native", "precision": "f32"}
    return choose_engine(settings.model_copy(update=asked)).device
