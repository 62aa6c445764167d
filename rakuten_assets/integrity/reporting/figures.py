"""The figures of an integrity report: counts, shares and distributions, as a dictionary that JSON can hold.

Figures depend on the images only: no time, no path and no machine is in them, so two runs give the same file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.dataset.labels import CLASS_NAMES
from rakuten_assets.evaluation.leakage import (
    SEED,
    VALIDATION_SHARE,
    duplicate_aware_split,
    expected_leakage,
    leakage,
)
from rakuten_assets.evaluation.splits import random_split
from rakuten_assets.integrity.duplicates.groups import LEVELS
from rakuten_assets.integrity.duplicates.overlaps import class_tallies, conflicting, merging, twin_rows
from rakuten_assets.integrity.reporting.findings import KINDS
from rakuten_assets.integrity.reporting.oddities import majority

MEASURES = (
    "bytes",
    "width",
    "height",
    "brightness",
    "contrast",
    "entropy",
    "blur",
    "saturation",
    "white_share",
    "removable_share",
)
_QUANTILES = {
    "minimum": 0.0,
    "p5": 0.05,
    "p25": 0.25,
    "median": 0.5,
    "p75": 0.75,
    "p95": 0.95,
    "maximum": 1.0,
}
_DRIFTING = ("bytes", "brightness", "contrast", "saturation", "removable_share")
_MOST_CLASS_PAIRS = 100


def figures(images: pd.DataFrame, groups: pd.DataFrame, findings: pd.DataFrame) -> dict[str, Any]:
    """All figures.

    Args:
        images: identity and scan columns, one row an image.
        groups: as from `groups.duplicate_groups`, in the same order.
        findings: as from `findings.find`.
    """
    return {
        "images": _counts(images),
        "findings": _finding_counts(findings),
        "duplicates": {level: _duplicates(groups, level) for level in LEVELS},
        "label_conflicts": _conflicts(groups),
        "train_test_twins": {level: _twins(groups, level) for level in LEVELS},
        "leakage": leakage_figures(groups),
        "majority": _majority(images),
        "formats": _formats(images),
        "borders": _borders(images),
        "distributions": {split: _distributions(images[rows]) for split, rows in _by_split(images).items()},
        "drift": _drift(images),
        "classes": _classes(images),
    }


def leakage_figures(
    groups: pd.DataFrame, share: float = VALIDATION_SHARE, seed: int = SEED
) -> dict[str, Any]:
    """Leakage of the usual split of the train rows and of a duplicate-aware one, at each level, as shares.

    `expected` is the mean over all stratified splits; `naive` and `duplicate_aware` (by near group) are drawn with
    the seed. Rows without a class are treated as one class.
    """
    train = groups[groups["split"] != "test"]
    codes = _class_values(train["code"])
    # Numbers in the order of the ids: the same draws as from the ids, without sorting text nine times.
    members = {level: pd.factorize(train[f"{level}_group"], sort=True)[0] for level in LEVELS}
    naive = random_split(codes, share, seed)
    aware = duplicate_aware_split(codes, members["near"], share, seed)
    return {
        "rows": len(train),
        "validation_share": share,
        "seed": seed,
        "stratified": bool(train["code"].notna().any()),
        "levels": {
            level: {
                "expected": expected_leakage(codes, members[level], share),
                "naive": leakage(members[level], naive),
                "duplicate_aware": leakage(members[level], aware),
            }
            for level in LEVELS
        },
        "duplicate_aware_rows": int(aware.sum()),
        "naive_rows": int(naive.sum()),
    }


def _class_values(codes: pd.Series[Any]) -> npt.NDArray[Any]:
    """Classes as an array without gaps: rows without one are a class of their own."""
    if pd.api.types.is_numeric_dtype(codes.dtype):
        return codes.fillna(-1).to_numpy(dtype=np.int64)
    return codes.fillna("").to_numpy(dtype=object).astype(str)


def _by_split(images: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Rows of each split that occurs, "all" for images without splits."""
    splits = images["split"].to_numpy(dtype=object)
    names = [name for name in ("train", "test") if (splits == name).any()]
    return {name: splits == name for name in names} or {"all": np.ones(len(images), dtype=bool)}


def _counts(images: pd.DataFrame) -> dict[str, Any]:
    splits = _by_split(images)
    reasons = images.loc[images["reason"] != "", "reason"].value_counts()
    return {
        "total": len(images),
        "by_status": _tally(images["status"]),
        "by_split": {
            split: {"total": int(rows.sum()), **_tally(images.loc[rows, "status"])}
            for split, rows in splits.items()
        },
        "by_reason": {str(reason): int(count) for reason, count in reasons.items()},
        "bytes": int(images["bytes"].sum()),
        "blank": int(images["blank"].sum()),
        "near_blank": int((images["near_blank"] & ~images["blank"]).sum()),
    }


def _tally(values: pd.Series[Any]) -> dict[str, int]:
    counts = values.value_counts()
    return {status: int(counts.get(status, 0)) for status in ("ok", "unreadable", "missing")}


def _finding_counts(findings: pd.DataFrame) -> dict[str, Any]:
    counts = findings["kind"].value_counts()
    return {
        name: {"severity": kind.severity.value, "title": kind.title, "rows": int(counts.get(name, 0))}
        for name, kind in KINDS.items()
    }


def _duplicates(groups: pd.DataFrame, level: str) -> dict[str, int]:
    """Groups of at least two rows; `redundant` is how many files could go if each group kept one.

    Rows whose names lead to the same file on the disk are one file.
    """
    finer = LEVELS[LEVELS.index(level) - 1] if level != LEVELS[0] else None
    grouped = groups.groupby(f"{level}_group")
    sizes = grouped.size()
    several = sizes[sizes > 1]
    files = grouped["disk_file"].nunique() if "disk_file" in groups else sizes
    return {
        "groups": len(several),
        "rows": int(several.sum()),
        "redundant": int(files[sizes > 1].sum() - len(several)),
        "largest": int(several.max()) if len(several) else 0,
        "beyond_finer_level": int(groups.loc[merging(groups, level, finer), f"{level}_group"].nunique()),
    }


def _conflicts(groups: pd.DataFrame) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for level in LEVELS:
        rows = groups[conflicting(groups, level)]
        result[level] = {
            "groups": int(rows[f"{level}_group"].nunique()),
            "rows": len(rows),
            "class_pairs": class_pairs(rows, level)[:_MOST_CLASS_PAIRS],
        }
    return result


def class_pairs(conflicts: pd.DataFrame, level: str) -> list[dict[str, Any]]:
    """Pairs of classes that share pictures: [{"codes": [1280, 1300], "groups": 238, "rows": 500}], most groups first.

    Args:
        conflicts: rows of groups that hold several classes.
    """
    pairs: dict[tuple[Any, Any], list[int]] = {}
    for present in class_tallies(conflicts, level).values():
        for place, (one, ones) in enumerate(present):
            for other, others in present[place + 1 :]:
                tally = pairs.setdefault((one, other), [0, 0])
                tally[0] += 1
                tally[1] += ones + others
    ranked = sorted(pairs.items(), key=lambda item: (-item[1][0], -item[1][1], str(item[0])))
    return [{"codes": list(codes), "groups": tally[0], "rows": tally[1]} for codes, tally in ranked]


def _twins(groups: pd.DataFrame, level: str) -> dict[str, int]:
    rows = groups[twin_rows(groups, level)]
    return {
        "groups": int(rows[f"{level}_group"].nunique()),
        "train_rows": int((rows["split"] == "train").sum()),
        "test_rows": int((rows["split"] == "test").sum()),
    }


def _majority(images: pd.DataFrame) -> dict[str, Any]:
    usual = majority(images)
    return {
        "size": list(usual.size),
        "size_share": usual.size_share,
        "mode": usual.mode,
        "mode_share": usual.mode_share,
    }


def _formats(images: pd.DataFrame) -> dict[str, Any]:
    whole = images[images["status"] == "ok"]
    return {
        name: {str(value): int(count) for value, count in whole[name].value_counts().items()}
        for name in ("format", "mode", "progressive", "subsampling", "quality")
    } | {
        "exif_rotated": int((whole["orientation"] > 1).sum()),
        "with_icc_profile": int(whole["has_icc"].sum()),
    }


def _borders(images: pd.DataFrame) -> dict[str, Any]:
    """White borders of images that decode whole and hold something: on no axis, one, or both."""
    whole = images[(images["status"] == "ok") & (images["box_right"] > images["box_left"])]
    across = (whole["box_left"] > 0) | (whole["box_right"] < whole["width"])
    down = (whole["box_top"] > 0) | (whole["box_bottom"] < whole["height"])
    axes = across.astype(int) + down.astype(int)
    none, one, both = np.bincount(axes, minlength=3) / max(len(whole), 1)
    return {
        "images": len(whole),
        "none": float(none),
        "one_axis": float(one),
        "both_axes": float(both),
        "mean_removable_area": float(whole["removable_share"].mean()) if len(whole) else 0.0,
    }


def _distributions(images: pd.DataFrame) -> dict[str, dict[str, float]]:
    whole = images[images["status"] == "ok"]
    if whole.empty:
        return {}
    table = whole[list(MEASURES)].astype(float)
    quantiles = table.quantile(list(_QUANTILES.values()))
    means = table.mean()
    return {
        name: {"mean": float(means[name]), **dict(zip(_QUANTILES, map(float, quantiles[name]), strict=True))}
        for name in MEASURES
    }


def _drift(images: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How test differs from train: difference of the means in standard deviations of train, and the largest
    difference of the two cumulative distributions (Kolmogorov-Smirnov statistic) beside its 0.1 % limit."""
    whole = images[images["status"] == "ok"]
    train, test = (whole[whole["split"] == split] for split in ("train", "test"))
    if len(train) < 2 or len(test) < 2:
        return {}
    limit = 1.95 * float(np.sqrt(1 / len(train) + 1 / len(test)))
    result = {}
    for name in _DRIFTING:
        one, other = (np.sort(part[name].to_numpy(dtype=np.float64)) for part in (train, test))
        spread = float(one.std())
        every = np.concatenate([one, other])
        away = np.searchsorted(one, every, "right") / len(one) - np.searchsorted(other, every, "right") / len(
            other
        )
        result[name] = {
            "train_mean": float(one.mean()),
            "test_mean": float(other.mean()),
            "standardised_difference": float((other.mean() - one.mean()) / spread) if spread else 0.0,
            "largest_distance": float(np.abs(away).max()),
            "distance_limit": limit,
        }
    return result


def _classes(images: pd.DataFrame) -> dict[str, Any]:
    codes = images["code"].dropna()
    if codes.empty:
        return {}
    counts = codes.value_counts().sort_index()
    named = {str(code): int(count) for code, count in counts.items()}
    return {
        "labelled_rows": len(codes),
        "count": len(counts),
        "counts": named,
        "imbalance_ratio": float(counts.max() / counts.min()),
        "largest": str(counts.idxmax()),
        "smallest": str(counts.idxmin()),
        "names": {
            code: CLASS_NAMES[int(code)] for code in named if code.isdigit() and int(code) in CLASS_NAMES
        },
    }
