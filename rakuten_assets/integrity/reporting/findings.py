"""Findings: one line for each thing that is the matter with a row, with what it is and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.images.reasons import DESCRIPTIONS, REMARKS, Reason
from rakuten_assets.integrity.duplicates.groups import IDENTITY_COLUMNS
from rakuten_assets.integrity.duplicates.overlaps import class_tallies, conflicting, merging, twin_rows
from rakuten_assets.integrity.reporting.oddities import oddities


class Severity(StrEnum):
    """How much a finding matters: an error makes the row useless or wrong, a warning misleads, info is to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class FindingKind:
    """What can be found.

    Attributes:
        name: its code in `findings.csv`.
        severity: how much it matters.
        title: what a person calls it.
        suggestion: what to do about it.
    """

    name: str
    severity: Severity
    title: str
    suggestion: str


_FETCH = "fetch the file again from its source, then scan it again"
_SPLIT = "keep all copies on one side of every split (column near_group), or keep only one"
_REASON_SUGGESTIONS: dict[Reason, str] = {
    Reason.MISSING: "restore the file at this path, or remove its row from the table",
    Reason.UNREADABLE_FILE: "correct the file's permissions or the disk, then scan again",
    Reason.EMPTY: _FETCH,
    Reason.FILE_TOO_LARGE: "replace the file by one of usual size, or raise RAKUTEN_MAX_FILE_BYTES",
    Reason.NOT_AN_IMAGE: "see what the file is (an error page, a git-lfs pointer?), then fetch the image itself",
    Reason.UNSUPPORTED_FORMAT: "save the image as JPEG or PNG",
    Reason.DAMAGED_HEADER: _FETCH,
    Reason.TOO_MANY_PIXELS: "replace the file by one of usual size, or raise RAKUTEN_MAX_PIXELS",
    Reason.TOO_MUCH_MEMORY: "save the image with fewer pixels, or raise RAKUTEN_MAX_MEMORY where there is more memory",
    Reason.UNSUPPORTED_MODE: "save the image again as 8-bit RGB",
    Reason.TRUNCATED: _FETCH,
    Reason.CORRUPT_SCAN: _FETCH,
    Reason.DECODER_WARNING: "compare it with its source; where that is the same, look at it and save it again",
    Reason.DECODER_FAILURE: "scan it again; where that ends the same way, save the image again",
    Reason.WRONG_FORMAT: "rename the file or save it in the format that its name says",
    Reason.ANIMATED: "save the frame that should count as a still image",
    Reason.TRAILING_BYTES: "save the image again: other decoders may stumble",
    Reason.ODD_HEADER: "nothing for this project, its pixels are right; for stricter programs, save the image again",
}


def _kinds() -> dict[str, FindingKind]:
    kinds = [
        FindingKind(
            reason.value,
            Severity.WARNING if reason in REMARKS else Severity.ERROR,
            reason.value.replace("_", " "),
            suggestion,
        )
        for reason, suggestion in _REASON_SUGGESTIONS.items()
    ]
    kinds += [
        FindingKind(name, severity, title, suggestion)
        for name, severity, title, suggestion in (
            (
                "unlisted_file",
                Severity.WARNING,
                "file without a row",
                "add its row to the table, or remove the file",
            ),
            (
                "closed_folder",
                Severity.WARNING,
                "folder that cannot be listed",
                "correct its permissions, or leave it out with --exclude",
            ),
            (
                "equal_without_picture",
                Severity.WARNING,
                "equal files that hold no picture",
                "see what the files are (an error page, a git-lfs pointer?), then fetch the images themselves",
            ),
            (
                "blank",
                Severity.WARNING,
                "blank image",
                "replace the picture, or leave the row out of training",
            ),
            (
                "near_blank",
                Severity.WARNING,
                "nearly blank image",
                "replace the picture, or leave the row out",
            ),
            (
                "label_conflict",
                Severity.ERROR,
                "equal pictures, different classes",
                "decide on one class for this picture, or leave all of its rows out",
            ),
            (
                "near_label_conflict",
                Severity.WARNING,
                "near-duplicates, different classes",
                "look at the pictures: decide on one class, or leave them as they are",
            ),
            (
                "train_test_twin",
                Severity.WARNING,
                "same picture in train and test",
                "leave the train row out when an honest test score matters",
            ),
            ("exact_duplicate", Severity.WARNING, "byte-identical files", _SPLIT),
            ("pixel_duplicate", Severity.WARNING, "equal pixels in different files", _SPLIT),
            ("near_duplicate", Severity.WARNING, "near-duplicate pictures", _SPLIT),
            ("odd_size", Severity.INFO, "unusual size", "check that the picture is the product's"),
            ("odd_mode", Severity.INFO, "unusual pixel mode", "save the image again in the usual mode"),
            ("grayscale", Severity.INFO, "without colour", "nothing, unless the product has colours"),
            ("dark", Severity.INFO, "dark", "check that the product can be seen"),
            ("light", Severity.INFO, "nearly white", "check that the product can be seen"),
            ("blurry", Severity.INFO, "blurred", "replace by a sharper picture where there is one"),
            ("low_information", Severity.INFO, "hardly any content", "check that the product can be seen"),
            (
                "odd_aspect_ratio",
                Severity.INFO,
                "very long or very tall",
                "check for a banner or a broken crop",
            ),
            ("outlier", Severity.INFO, "far from all others in a measure", "look at the picture"),
        )
    ]
    order = list(Severity)
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: order.index(kind.severity))}


KINDS: dict[str, FindingKind] = _kinds()
"""Every kind, most serious first: the order of every report."""

UNREADABLE_KINDS = tuple(
    reason.value for reason in Reason if reason not in REMARKS and reason is not Reason.MISSING
)

FINDING_COLUMNS = ("kind", "severity", *IDENTITY_COLUMNS, "group", "detail", "suggestion")

# Refused for what this project allows or supports: the file may be a good picture.
_MAY_HOLD_A_PICTURE = frozenset(
    {
        Reason.TOO_MANY_PIXELS,
        Reason.TOO_MUCH_MEMORY,
        Reason.DECODER_FAILURE,
        Reason.UNSUPPORTED_FORMAT,
        Reason.UNSUPPORTED_MODE,
    }
)

Rows = npt.NDArray[np.int64]


def find(
    images: pd.DataFrame,
    groups: pd.DataFrame,
    unlisted: Sequence[str] = (),
    closed: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Everything that is the matter, one line a row and kind.

    Args:
        images: the columns of `IDENTITY_COLUMNS` and of the scan, one row an image.
        groups: as from `groups.duplicate_groups`, in the same order.
        unlisted: files that lie with the images and have no row.
        closed: folders that cannot be listed -> why.

    Returns:
        Columns `FINDING_COLUMNS`, in the order of `KINDS`, then of the rows.
    """
    found = [
        *_faults(images),
        *_equal_without_picture(images),
        *_blanks(images),
        *_duplicates(images, groups),
    ]
    found += [(oddity.kind, oddity.rows, "", oddity.detail) for oddity in oddities(images)]
    place = {name: position for position, name in enumerate(KINDS)}
    found.sort(key=lambda one: place[one[0]])
    parts = [_lines(images, groups, *one) for one in found]
    for kind, names in (
        ("unlisted_file", dict.fromkeys(unlisted, "lies with the images, and no row of the table names it")),
        ("closed_folder", {name: f"cannot be listed: {why}" for name, why in (closed or {}).items()}),
    ):
        if names:
            parts.append(_without_rows(images, kind, names))
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in FINDING_COLUMNS})
    return pd.concat(parts, ignore_index=True)


Found = tuple[str, Rows, str, list[str]]
"""Kind, rows, the level whose group they belong to ("" for none), and a detail a row."""


def _faults(images: pd.DataFrame) -> list[Found]:
    reasons = images["reason"].to_numpy(dtype=object)
    found: list[Found] = []
    for reason in _REASON_SUGGESTIONS:
        rows = np.flatnonzero(reasons == reason.value)
        if len(rows):
            # Of a missing file the scan says the full path, which is another one on another machine.
            said = [""] * len(rows) if reason is Reason.MISSING else images["detail"].iloc[rows].tolist()
            found.append((reason.value, rows, "", [text or DESCRIPTIONS[reason] for text in said]))
    return found


def _equal_without_picture(images: pd.DataFrame) -> list[Found]:
    """Files that do not decode and are equal to the byte: what one says of them goes for all."""
    held = (images["status"] != "ok") & (images["sha256"] != "") & ~images["reason"].isin(_MAY_HOLD_A_PICTURE)
    sizes = images["sha256"].where(held).groupby(images["sha256"].where(held)).transform("size")
    rows = np.flatnonzero((sizes > 1).to_numpy(dtype=bool, na_value=False))
    if not len(rows):
        return []
    rows = rows[np.argsort(images["sha256"].iloc[rows].to_numpy(dtype=object), kind="stable")]
    chosen = images.iloc[rows]
    details = [
        f"one of {size:.0f} equal files: {said}"
        for size, said in zip(sizes.iloc[rows], chosen["detail"], strict=True)
    ]
    return [("equal_without_picture", rows, "", details)]


def _blanks(images: pd.DataFrame) -> list[Found]:
    blank = images["blank"].to_numpy(dtype=bool)
    near = images["near_blank"].to_numpy(dtype=bool) & ~blank
    found: list[Found] = []
    for kind, mask, form in (
        ("blank", blank, "one colour only, brightness {:.0f} of 255"),
        ("near_blank", near, "one colour but for noise, brightness {:.0f} of 255"),
    ):
        rows = np.flatnonzero(mask)
        if len(rows):
            found.append((kind, rows, "", [form.format(level) for level in images["brightness"].iloc[rows]]))
    return found


def _duplicates(images: pd.DataFrame, groups: pd.DataFrame) -> list[Found]:
    found: list[Found] = []
    for level, finer in (("exact", None), ("pixel", "exact"), ("near", "pixel")):
        rows = np.flatnonzero(merging(groups, level, finer))
        if len(rows):
            sizes = groups[f"{level}_size"].iloc[rows]
            found.append((f"{level}_duplicate", rows, level, [f"one of {size}" for size in sizes]))
    pixel, near = conflicting(groups, "pixel"), conflicting(groups, "near")
    for kind, level, mask in (
        ("label_conflict", "pixel", pixel),
        ("near_label_conflict", "near", near & ~pixel),
    ):
        rows = np.flatnonzero(mask)
        if len(rows):
            found.append((kind, rows, level, _classes(groups, level, rows)))
    twins = {level: twin_rows(groups, level) for level in ("exact", "pixel", "near")}
    rows = np.flatnonzero(twins["near"])
    if len(rows):
        say = {"exact": "the same file", "pixel": "the same picture", "near": "a near-duplicate"}
        finest = [next(level for level in say if twins[level][row]) for row in rows]
        sides = images["split"].iloc[rows]
        details = [
            f"{say[level]} is in {'test' if side == 'train' else 'train'}"
            for level, side in zip(finest, sides, strict=True)
        ]
        found.append(("train_test_twin", rows, "near", details))
    return found


def _classes(groups: pd.DataFrame, level: str, rows: Rows) -> list[str]:
    """For each row, the classes of its group and how many rows each has: `classes 1280 (2), 1300 (1)`."""
    chosen = groups.iloc[rows]
    texts = {
        group: ", ".join(f"{code} ({count})" for code, count in tally)
        for group, tally in class_tallies(chosen, level).items()
    }
    return [f"classes {texts[group]}" for group in chosen[f"{level}_group"]]


def _lines(
    images: pd.DataFrame, groups: pd.DataFrame, kind: str, rows: Rows, level: str, detail: list[str]
) -> pd.DataFrame:
    about = KINDS[kind]
    lines = images[list(IDENTITY_COLUMNS)].iloc[rows].copy()
    lines.insert(0, "kind", kind)
    lines.insert(1, "severity", about.severity.value)
    lines["group"] = groups[f"{level}_group"].iloc[rows].to_numpy() if level else ""
    lines["detail"] = detail
    lines["suggestion"] = about.suggestion
    return lines


def _without_rows(images: pd.DataFrame, kind: str, details: Mapping[str, str]) -> pd.DataFrame:
    """Lines of files and folders that are no rows: name -> detail."""
    about = KINDS[kind]
    lines = images[list(IDENTITY_COLUMNS)].iloc[:0].reindex(range(len(details)))
    lines["file"] = list(details)
    lines["split"] = ""
    lines.insert(0, "kind", about.name)
    lines.insert(1, "severity", about.severity.value)
    lines["group"] = ""
    lines["detail"] = list(details.values())
    lines["suggestion"] = about.suggestion
    return lines
