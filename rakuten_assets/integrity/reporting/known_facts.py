"""The report beside what is known of the real data set, where that is what is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from rakuten_assets.dataset.labels import (
    KNOWN_CLASS_COUNTS,
    KNOWN_TEST_ROWS,
    KNOWN_TRAIN_ROWS,
    class_counts,
    differences_from_known,
    has_known_size,
)
from rakuten_assets.integrity.duplicates.groups import LEVELS


@dataclass(frozen=True)
class KnownFact:
    """One fact: what was counted elsewhere, what is found here, and whether they agree within the tolerance."""

    fact: str
    expected: str
    found: str
    agrees: bool


def known_facts(images: pd.DataFrame, groups: pd.DataFrame, figures: dict[str, Any]) -> list[KnownFact]:
    """Compare with the real data set: nothing where the numbers of rows are not the real ones, or the real
    class counts are not there (a synthetic catalogue of full size has them and no real picture: see `is_real`).

    Args:
        figures: as from `figures.figures`.
    """
    train = images[images["split"] == "train"]
    if not has_known_size(len(train), len(images) - len(train)):
        return []
    counts = class_counts(train["code"].dropna())
    differences = differences_from_known(counts)
    train_groups = groups[groups["split"] == "train"]
    sizes = train_groups.groupby(f"{LEVELS[0]}_group").size()
    several = sizes[sizes > 1]
    conflicts = train_groups.groupby(f"{LEVELS[0]}_group")["code"].transform("nunique") > 1
    borders = figures["borders"]
    leaking = figures["leakage"]["levels"][LEVELS[0]]["naive"]
    return [
        _count("train rows", KNOWN_TRAIN_ROWS, len(train)),
        _count("test rows", KNOWN_TEST_ROWS, len(images) - len(train)),
        _count("classes", len(KNOWN_CLASS_COUNTS), len(counts)),
        _count("classes whose row count differs", 0, len(differences)),
        _count("groups of byte-identical train images", 3264, len(several)),
        _count("train files in such groups", 8957, int(several.sum())),
        _count("redundant train files", 5693, int(several.sum()) - len(several)),
        _count(
            "groups with conflicting classes",
            479,
            int(train_groups.loc[conflicts, f"{LEVELS[0]}_group"].nunique()),
        ),
        _count("rows in such groups", 1074, int(conflicts.sum())),
        _share("validation rows with a byte-identical train image", 0.090, leaking, 0.005),
        _share("images without white border", 0.086, borders["none"], 0.01),
        _share("images with white borders on both axes", 0.647, borders["both_axes"], 0.01),
        _share("images with white borders on one axis", 0.268, borders["one_axis"], 0.01),
        _share("mean area that white borders take", 0.43, borders["mean_removable_area"], 0.01),
    ]


def _count(fact: str, expected: int, found: int) -> KnownFact:
    return KnownFact(fact, f"{expected:,}", f"{found:,}", expected == found)


def _share(fact: str, expected: float, found: float, tolerance: float) -> KnownFact:
    return KnownFact(fact, f"{expected:.1%}", f"{found:.1%}", abs(expected - found) <= tolerance)
