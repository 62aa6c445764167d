"""What a storage knows of its extractors: score, speed, sizes; for whoever compares them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import RakutenAssetsError, StoreError
from rakuten_assets.evaluation.backbone_comparison import Candidate
from rakuten_assets.evaluation.bootstrap import Interval
from rakuten_assets.evaluation.held_out import GROUPED, HeldOut, held_out_of
from rakuten_assets.extraction.storing.speed import recorded_speed
from rakuten_assets.readiness.stored import NotStoredError, Stored

_BYTES_OF_A_VALUE = 4


@dataclass(frozen=True)
class StoredExtractors:
    """Extractors of a storage.

    Attributes:
        candidates: those that are of the same images.
        left_out: name -> why it is none of them.
    """

    candidates: tuple[Candidate, ...]
    left_out: Mapping[str, str]


def stored_extractors(stored: Stored, configured: Sequence[str]) -> StoredExtractors:
    """Every extractor of a storage, also of those that are no longer configured, as far as they are of the same images.

    Args:
        configured: families of the settings' backbones.

    Raises:
        StoreError: if a file of a configured extractor is damaged, naming it.
    """
    found, left_out = [], {}
    reference: list[str] | None = None
    for family in (*configured, *(name for name in stored.extractors if name not in configured)):
        try:
            images = [str(sha256) for sha256 in stored.features(family, "train").rows["sha256"]]
            if reference is None:
                reference = images
            elif images != reference:
                left_out[family] = "its features are of other images"
                continue
            found.append(_candidate(stored, family, configured))
        except NotStoredError as error:
            left_out[family] = f"{error.asset} is not stored"
        except StoreError as error:
            if family in configured:
                raise
            left_out[family] = str(error)
    return StoredExtractors(tuple(found), left_out)


def _candidate(stored: Stored, family: str, configured: Collection[str]) -> Candidate:
    about = stored.document(f"{family}/metadata")
    name, dimension = str(about["model"]), int(about["feature_dim"])
    speed = recorded_speed(stored.storage.root, str(about["fingerprint"]))
    score, held_out = _score(stored, family, str(about["fingerprint"]))
    return Candidate(
        name=name,
        seeded=about["weights_sha256"] is None,
        configured=family in configured,
        score=score,
        images_per_second=speed.images_per_second if speed else None,
        measured=f"{_how(about)}; {speed}" if speed else "",
        machine=speed.machine if speed else "",
        parameters=_parameters(name),
        dimension=dimension,
        array_bytes=(int(about["train_samples"]) + int(about["test_samples"]))
        * dimension
        * _BYTES_OF_A_VALUE,
        held_out=held_out,
    )


def _score(stored: Stored, family: str, fingerprint: str) -> tuple[Interval | None, HeldOut | None]:
    """The score of a head on the features that are stored; none where the features were made anew since."""
    try:
        if stored.document(f"{family}/head")["fingerprint"] != fingerprint:
            return None, None
        report = stored.document(f"{family}/validation_report")
        held_out = held_out_of(stored.table(f"{family}/held_out_predictions"), GROUPED)
    except NotStoredError:
        return None, None
    return Interval(**report["evaluations"][GROUPED]["scores"]["weighted_f1"]), held_out


def _how(about: Mapping[str, Any]) -> str:
    extractor = about["extractor"]
    return " ".join(str(extractor[key]) for key in ("engine", "precision") if key in extractor)


def _parameters(name: str) -> int:
    try:
        return find_backbone(name).parameters
    except RakutenAssetsError:  # registered by a program that this one is not
        return 0
