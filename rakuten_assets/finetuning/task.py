"""What is fine-tuned on what: a network, its weights, images with labels, and which of them only validate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.augmentation.policies import POLICIES, policies_by_class
from rakuten_assets.backbones import Backbone
from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.inputs import Ints, Mask, checked_groups, checked_labels
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import Preprocessing
from rakuten_assets.finetuning.options import ALL, BLOCKS, FineTuning
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.storage.arrays import array_version
from rakuten_assets.storage.files import sha256_of_json
from rakuten_assets.torch_data import ImageOptions, ImageTable, RakutenImageDataset

# Change it when the same task and options are to give other weights.
_RECIPE = 1


@dataclass(frozen=True, eq=False)
class Task:
    """What is fine-tuned on what.

    Attributes:
        backbone: the network, described in full.
        weights: to start from, with a file.
        preprocessing: from a decoded image to the network's input.
        table: the images of the n train rows.
        labels: int64 (n,), 0 to classes - 1.
        groups: group of duplicates of each row (n,).
        validation: bool (n,): rows that are never trained on.
        classes: how many there are.
        limits: what the decoder refuses.

    Raises:
        CatalogError: arrays that do not fit together, or too few images to train and to validate on.
    """

    backbone: Backbone
    weights: WeightsSource
    preprocessing: Preprocessing
    table: ImageTable
    labels: Ints
    groups: npt.NDArray[np.generic]
    validation: Mask
    classes: int
    limits: DecodeLimits

    def __post_init__(self) -> None:
        rows = len(self.table)
        checked_labels(self.labels, rows, self.classes)
        checked_groups(self.groups, rows)
        if self.validation.shape != (rows,) or self.validation.dtype != np.bool_:
            raise CatalogError(
                f"there are {rows:,} train rows and a split of {self.validation.dtype} {self.validation.shape}; "
                "materialise grouped_split again"
            )
        trained = self.labels[self.training]
        several = len(np.unique(trained))
        if several < 2 or not self.validating.any():
            raise CatalogError(
                f"fine-tuning needs readable images of two classes to train on and one to validate on; the split gives "
                f"{len(trained):,} images of {several} classes, and {int(self.validating.sum()):,} to validate on"
            )

    @property
    def training(self) -> Mask:
        """bool (n,): rows that are trained on. Their images decode whole."""
        return ~self.validation & self.table.valid

    @property
    def validating(self) -> Mask:
        """bool (n,): rows that are validated on. Their images decode whole."""
        return self.validation & self.table.valid

    def identity(self, options: FineTuning) -> dict[str, Any]:
        """Everything that the result depends on, besides the machine. JSON-able."""
        return {
            "recipe": _RECIPE,
            "options": options.identity(),
            "backbone": self.backbone.as_dict(),
            "weights": self.weights.identity,
            "preprocessing": self.preprocessing.as_dict(),
            "rows": array_version(self.table.rows),
            "valid": array_version(self.table.valid),
            "images": sha256_of_json(list(self.table.sha256)),
            "labels": array_version(self.labels),
            "groups": sha256_of_json(self.groups.tolist()),
            "validation": array_version(self.validation),
            "classes": self.classes,
        }


def training_images(task: Task, options: FineTuning) -> RakutenImageDataset:
    """The training rows, augmented as the options say."""
    augment: Any = None
    if options.augment == "by_class":
        # A class's size is that of the whole train set.
        augment = policies_by_class(task.labels)
    elif options.augment != "none":
        augment = POLICIES[options.augment]
    return _images(task, task.training, ImageOptions(augment=augment, seed=options.seed, **_input(task)))


def plain_images(task: Task, rows: Mask) -> RakutenImageDataset:
    """Some rows as the extractor sees them, without augmentation."""
    return _images(task, rows, ImageOptions(**_input(task)))


def trained_of(options: FineTuning, weights: WeightsSource) -> str:
    """What is trained: as the options say, or by what the weights are worth. Of random ones nothing can be frozen."""
    if options.train:
        return options.train
    return ALL if weights.kind == "seeded" else str(BLOCKS)


def moves_statistics(options: FineTuning, weights: WeightsSource) -> bool:
    """Whether BatchNorm follows the pictures that are trained on."""
    return options.statistics == "moved" or (options.statistics == "auto" and weights.kind == "seeded")


def _images(task: Task, rows: Mask, options: ImageOptions) -> RakutenImageDataset:
    places = np.flatnonzero(rows)
    table = ImageTable(
        [task.table.paths[place] for place in places.tolist()],
        task.table.rows[places],
        task.table.valid[places],
        [task.table.sha256[place] for place in places.tolist()],
    )
    return RakutenImageDataset(table, task.labels[places], options=options)


def _input(task: Task) -> dict[str, Any]:
    return {
        "side": task.preprocessing.side,
        "preprocessing": task.preprocessing,
        "normalisation": task.preprocessing.settled,
        "limits": task.limits,
    }
