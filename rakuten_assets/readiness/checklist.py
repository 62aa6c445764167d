"""The checklist: each box, what it rests on, and who judges it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets.extraction.engines.choice import cuda_devices
from rakuten_assets.outputs.names import EVERYTHING, make_command
from rakuten_assets.readiness import catalogue, pipeline, quality, reproducibility
from rakuten_assets.readiness.answers import Box, Finding, Readiness
from rakuten_assets.readiness.decisions import decide
from rakuten_assets.readiness.stored import NotStoredError, Stored
from rakuten_assets.storage.transient import is_transient
from rakuten_assets.variables import PREFIX

_DATA, _PIPELINE, _FEATURES, _CLASSES, _AGAIN = (
    "data",
    "preprocessing",
    "quality of the features",
    "unequal classes",
    "metadata and reproducibility",
)
_DEFAULT_SHARDS = 16


@dataclass(frozen=True)
class Question:
    """A box before it is answered.

    Attributes:
        name: for stand-ins.
        evidence: where the answer can be looked up; `{}` stands for the extractor.
        judge: of the storage; of an extractor in it, where `evidence` names one.
    """

    name: str
    section: str
    title: str
    evidence: str
    judge: Callable[..., Finding]
    by_extractor: bool = True


QUESTIONS = (
    Question(
        "pictures",
        _DATA,
        "every picture is readable",
        "image_scan, check unreadable_share",
        catalogue.pictures_readable,
        False,
    ),
    Question(
        "duplicates",
        _DATA,
        "no duplicates",
        "duplicate_groups, integrity_report",
        catalogue.no_duplicates,
        False,
    ),
    Question(
        "classes",
        _DATA,
        "distribution of classes documented",
        "y_train, label_encoder, train_labels",
        catalogue.classes_documented,
        False,
    ),
    Question(
        "transforms",
        _PIPELINE,
        "transforms tested",
        "{}/train_feature_matrix: fingerprint",
        pipeline.transforms_tested,
    ),
    Question(
        "normalisation",
        _PIPELINE,
        "normalisation right",
        "{}/train_feature_matrix: fingerprint",
        pipeline.normalisation_right,
    ),
    Question(
        "features",
        _PIPELINE,
        "features validated",
        "{0}/train_feature_matrix, {0}/validation_report, check above_majority",
        pipeline.features_validated,
    ),
    Question(
        "statistics",
        _FEATURES,
        "statistics coherent",
        "{}/feature_quality, checks dimensions_alive and test_like_train",
        quality.statistics_coherent,
    ),
    Question(
        "nan",
        _FEATURES,
        "no NaN or infinity",
        "{0}/train_feature_matrix, {0}/test_feature_matrix",
        quality.no_nan,
    ),
    Question(
        "map",
        _FEATURES,
        "t-SNE map made",
        "{0}/feature_map, outputs/evaluation_{0}/feature_map.html",
        quality.map_made,
    ),
    Question(
        "weights", _CLASSES, "class weights computed", "class_weights", catalogue.class_weights_right, False
    ),
    Question(
        "sampling",
        _CLASSES,
        "sampling strategy chosen",
        "{}/imbalance_comparison, grouped_split",
        quality.sampling_chosen,
    ),
    Question(
        "configuration",
        _AGAIN,
        "configuration saved",
        "{0}/metadata, outputs/metadata_{0}.json",
        reproducibility.configuration_saved,
    ),
    Question(
        "seeds",
        _AGAIN,
        "seeds fixed",
        "random_split, grouped_split, {}/validation_report",
        reproducibility.seeds_fixed,
    ),
    Question(
        "versions", _AGAIN, "versions of packages", "{}/metadata: packages", reproducibility.versions_recorded
    ),
)

# What an asset of an extractor is made of, as far as a run of it alone would need it.
_MADE_OF = {
    "held_out_predictions": ("random_split", "grouped_split"),
    "head": (),
    "validation_report": ("held_out_predictions",),
    "feature_quality": ("head",),
    "feature_map": ("held_out_predictions",),
    "imbalance_comparison": ("grouped_split",),
    "metadata": (),
}
_FILES = {
    "held_out_predictions": ".parquet",
    "head": ".json",
    "random_split": ".npy",
    "grouped_split": ".npy",
}


def check_readiness(
    stored: Stored,
    extractors: Sequence[str] = (),
    judges: Mapping[str, Callable[..., Finding]] | None = None,
    devices: Callable[[], int] = cuda_devices,
    not_evaluated: Mapping[str, str] | None = None,
) -> Readiness:
    """Answer every box and follow the decision trees.

    Args:
        extractors: those to judge; default: all that have features.
        judges: take the place of the judges of boxes of the same name.
        devices: counts the machine's GPUs.
        not_evaluated: extractors that the settings extract and do not evaluate, and their backbones: the commands for
            them set `RAKUTEN_EVALUATE`.
    """
    names = list(extractors) or stored.extractors
    boxes: list[Box] = []
    for question in QUESTIONS:
        judge = (judges or {}).get(question.name, question.judge)
        if not question.by_extractor:
            boxes.append(_answered(question, stored, "", partial(judge, stored)))
            continue
        boxes += [_answered(question, stored, name, partial(judge, stored, name)) for name in names or [""]]
    for place, box in enumerate(boxes):
        if box.command and (backbone := (not_evaluated or {}).get(box.extractor)):
            boxes[place] = replace(box, command=f"{PREFIX}EVALUATE={backbone} {box.command}")
    return Readiness(boxes, decide(stored, names, devices))


def _answered(question: Question, stored: Stored, extractor: str, judge: Callable[[], Finding]) -> Box:
    about: dict[str, Any] = {
        "section": question.section,
        "title": question.title,
        "extractor": extractor,
        "evidence": question.evidence.format(extractor or "<extractor>"),
    }
    if question.by_extractor and not extractor:
        return Box(**about, answer="not yet", finding="no features are stored", command=_everything(stored))
    try:
        found = judge()
    except NotStoredError as error:
        return Box(
            **about,
            answer="not yet",
            finding=f"{error.asset} is not stored",
            command=_command(stored, error.asset),
        )
    except (RakutenAssetsError, OSError) as error:
        if is_transient(error):  # That is no answer.
            raise
        told = str(error)
        if not isinstance(error, RakutenAssetsError):
            told = f"{error.filename or 'a file'}: {error.strerror or error}"
        return Box(**about, answer="no", finding=told)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # Whole by its digest, and not what this release writes.
        told = (
            f"what is stored is not what this release stores ({type(error).__name__}: {error}); make it again"
        )
        return Box(**about, answer="no", finding=told)
    return Box(**about, answer="yes" if found.holds else "no", finding=found.text)


def _command(stored: Stored, asset: str) -> str:
    """What makes a missing asset: it and what it is made of; everything, where features are missing too."""
    extractor, _, name = asset.rpartition("/")
    if name not in _MADE_OF or extractor not in stored.extractors:
        return make_command(asset) if asset == "outputs" and stored.extractors else _everything(stored)
    wanted = [asset]
    for needed in wanted:
        for part in _MADE_OF.get(needed.rpartition("/")[2], ()):
            own = part if part.endswith("_split") else f"{extractor}/{part}"
            parent = stored.storage.asset_file(own.split("/"), None, _FILES[part])
            if own not in wanted and not parent.exists():
                wanted.append(own)
    return make_command(*wanted)


def _everything(stored: Stored) -> str:
    keys = shard_keys(stored.storage.shards or _DEFAULT_SHARDS)
    return f"{make_command(EVERYTHING)} --partition-range {keys[0]}...{keys[-1]}"
