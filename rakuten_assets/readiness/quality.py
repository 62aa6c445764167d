"""Boxes about an extractor's vectors: statistics, NaN, the map; and how unequal classes were dealt with."""

from __future__ import annotations

import math

import numpy as np

from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.evaluation.inputs import train_groups
from rakuten_assets.evaluation.leakage import leaking_rows
from rakuten_assets.evaluation.quality.drift import drift_told
from rakuten_assets.evaluation.quality.statistics import MOST_IDLE
from rakuten_assets.outputs.names import MAP_FILE, evaluation_folder
from rakuten_assets.readiness.answers import Finding
from rakuten_assets.readiness.stored import Stored
from rakuten_assets.units import human_bytes, human_count


def statistics_coherent(stored: Stored, extractor: str) -> Finding:
    """Few idle dimensions, and test features that look like train's."""
    quality = stored.document(f"{extractor}/feature_quality")
    train, test, drift = quality["train"], quality["test"], quality["drift"]
    for split, told in (("train", train), ("test", test)):
        valid = int(stored.features(extractor, split).valid.sum())  # type: ignore[arg-type]
        if told is None or told["valid_rows"] != valid:
            return Finding(
                False,
                f"they are not of the {human_count(valid)} {split} rows that have features now; make them again",
            )
    idle = len(train["dead"]) + len(train["constant"])
    figures = (
        f"mean {train['mean']:.3g} (test {test['mean']:.3g}), std {train['std']:.3g} ({test['std']:.3g}), {idle:,} of "
        f"{train['dimensions']:,} dimensions idle"
    )
    if idle > MOST_IDLE * train["dimensions"]:
        return Finding(False, f"{figures}: too many")
    if drift is None:
        return Finding(False, f"{figures}; train and test could not be compared")
    columns = {
        name: (found["distance"], found["adjusted_p_value"]) for name, found in drift["columns"].items()
    }
    told = drift_told(drift["verdict"], drift["auc"], columns)
    return Finding(drift["verdict"] != "large", f"{figures}; difference of test to train: {told}")


def no_nan(stored: Stored, extractor: str) -> Finding:
    """Every value of both matrices is finite."""
    for split in SPLITS:
        finite = stored.content(extractor, split).finite
        if not finite.all():
            return Finding(
                False,
                f"{human_count(int((~finite).sum()))} {split} rows hold NaN or infinity, the first is row "
                f"{int(np.argmin(finite))}; look at its picture, and extract again",
            )
    shapes = [stored.features(extractor, split).array.shape for split in SPLITS]
    values = sum(rows * dimensions for rows, dimensions in shapes)
    return Finding(True, f"looked at {human_count(values)} values just now: all finite")


def map_made(stored: Stored, extractor: str) -> Finding:
    """The map is there, and shows rows that have features now."""
    points = stored.table(f"{extractor}/feature_map")
    page = stored.output(f"{extractor}/feature_map", evaluation_folder(extractor), MAP_FILE)
    for split in SPLITS:
        rows = stored.features(extractor, split).rows
        shown = points[points["split"] == split]
        there = rows[rows["valid"]].set_index("row")["image_id"]
        known = shown["row"].isin(there.index)
        if not known.all() or (there.loc[shown["row"]].to_numpy() != shown["image_id"].to_numpy()).any():
            return Finding(False, f"it shows {split} rows that have no features now; make it again")
    if not np.isfinite(points[["x", "y"]].to_numpy()).all():
        return Finding(False, "points have no place; make it again")
    return Finding(True, f"t-SNE of {human_count(len(points))} rows; its page takes {human_bytes(len(page))}")


def sampling_chosen(stored: Stored, extractor: str) -> Finding:
    """Strategies were compared without leakage, so that one can be chosen; which one the figures speak for."""
    strategies = stored.document(f"{extractor}/imbalance_comparison")["strategies"]
    split, groups = np.asarray(stored.array("grouped_split")), stored.table("duplicate_groups")
    train = train_groups(groups)
    if len(train) != len(split):
        return Finding(False, "the grouped split is of other rows than the duplicate groups; make it again")
    if leaking := int(leaking_rows(train, split).sum()):
        return Finding(
            False,
            f"they were compared on a split through which {human_count(leaking)} duplicates leak; make the grouped "
            "split, and what follows, again",
        )
    scores = {one["strategy"]: one["scores"]["weighted_f1"]["value"] for one in strategies}
    if len(scores) < 2 or not all(map(math.isfinite, scores.values())):
        return Finding(False, "fewer than two strategies have a score; compare them again")
    better = [
        one["strategy"]
        for one in strategies
        if one["real"].get("weighted_f1") and one["differences"]["weighted_f1"]["value"] > 0
    ]
    best = max(better, key=scores.__getitem__) if better else "none"
    why = (
        f"weighted F1 {scores[best]:.3f}, the best that is really better than without"
        if better
        else "no strategy really raises the weighted F1"
    )
    return Finding(True, f"{len(scores)} strategies compared without leakage; chosen: {best} ({why})")
