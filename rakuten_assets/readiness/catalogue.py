"""Boxes about the catalogue: images, duplicates, classes, class weights."""

from __future__ import annotations

import numpy as np

from rakuten_assets.evaluation.inputs import codes_of
from rakuten_assets.imbalance.class_weights import balanced_class_weights
from rakuten_assets.readiness.answers import Finding
from rakuten_assets.readiness.stored import Stored
from rakuten_assets.units import human_count


def pictures_readable(stored: Stored) -> Finding:
    """Every image of the manifest decoded whole."""
    scan, manifest = stored.scan(), stored.table("image_manifest")
    if set(scan["file"]) != set(manifest["file"]):
        return Finding(
            False,
            f"the scan is of {human_count(len(scan))} images and the manifest of {human_count(len(manifest))}, not the "
            "same ones; scan again",
        )
    bad = scan[scan["status"] != "ok"]
    if bad.empty:
        return Finding(True, f"all {human_count(len(scan))} images decode whole")
    reasons = ", ".join(f"{count} {reason}" for reason, count in bad["reason"].value_counts().items())
    return Finding(
        False,
        f"{human_count(len(bad))} of {human_count(len(scan))} images do not decode ({reasons}); they are quarantined: "
        "vector zero, False in the mask",
    )


def no_duplicates(stored: Stored) -> Finding:
    """No two rows show the same picture."""
    groups, manifest = stored.table("duplicate_groups"), stored.table("image_manifest")
    if len(groups) != len(manifest):
        return Finding(
            False,
            f"the groups are of {human_count(len(groups))} images, the manifest of {human_count(len(manifest))}; make "
            "them again",
        )
    near, exact = int((groups["near_size"] > 1).sum()), int((groups["exact_size"] > 1).sum())
    if not near:
        return Finding(True, f"none among {human_count(len(groups))} images")
    return Finding(
        False,
        f"{human_count(near)} of {human_count(len(groups))} rows show a picture that another row shows too "
        f"({human_count(exact)} byte for byte); score on grouped_split, which parts none of them, and see "
        "outputs/integrity_report/duplicates.csv for those that may go",
    )


def classes_documented(stored: Stored) -> Finding:
    """Labels are those of the table, and every class has rows."""
    encoder, labels = stored.document("label_encoder"), np.asarray(stored.array("train_labels"))
    manifest = stored.table("image_manifest")
    codes = codes_of(encoder)
    given = manifest.loc[manifest["split"] == "train", "code"].to_numpy(dtype=np.int64)
    if len(labels) != len(given) or ((labels < 0) | (labels >= len(codes))).any():
        return Finding(False, "the labels do not fit the manifest and the label encoder; make them again")
    if (codes[labels] != given).any():
        row = int(np.argmax(codes[labels] != given))
        return Finding(
            False,
            f"train row {row} has class {given[row]} and the label of {codes[labels[row]]}; make labels again",
        )
    counts = np.bincount(labels, minlength=len(codes))
    if not counts.all():
        return Finding(False, f"class {codes[np.argmin(counts)]} has no train row")
    return Finding(
        True,
        f"{len(codes)} classes of {human_count(int(counts.min()))} to {human_count(int(counts.max()))} rows "
        f"({counts.max() / counts.min():.2f} to 1)",
    )


def class_weights_right(stored: Stored) -> Finding:
    """The stored weights are the balanced ones of the stored labels."""
    weights, labels = np.asarray(stored.array("class_weights")), np.asarray(stored.array("train_labels"))
    classes = len(stored.document("label_encoder"))
    expected = balanced_class_weights(labels, classes)
    if weights.shape != expected.shape or not np.allclose(weights, expected, rtol=1e-12):
        return Finding(False, "they are not the balanced weights of the labels; make them again")
    return Finding(
        True,
        f"{classes} balanced weights, {weights.min():.2f} to {weights.max():.2f}, as the labels give them",
    )
