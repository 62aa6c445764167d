"""What must hold of a scan: pure functions that return verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.errors import ManifestError
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.verdicts import Severity, Verdict

_ROWS_SHOWN = 10
_NAMED = 3
# Images of a shard by which a share of a few percent can be told.
_SMALL = 100
_MOST = 0.5
_UNUSABLE = ("unreadable", "missing")


def scan_verdicts(
    scanned: pd.DataFrame,
    manifest: pd.DataFrame,
    warn: float,
    fail: float,
    elsewhere: Callable[[], str] = lambda: "",
) -> list[Verdict]:
    """All verdicts on a scanned shard.

    Args:
        scanned: manifest columns and scan columns, one row an image.
        manifest: the shard's rows of the manifest.
        warn, fail: shares of unusable images above which there is a warning, or an error.
        elsewhere: asked, where most images are missing, for the other folders that images were seen in.
    """
    complete = len(scanned) == len(manifest) and bool(
        (scanned["file"].to_numpy() == manifest["file"].to_numpy()).all()
    )
    return [
        Verdict(
            "every_image_scanned", complete, f"{len(scanned):,} of {len(manifest):,} images have a scan row"
        ),
        _share(scanned, "unreadable", "unreadable_share", warn, fail),
        _share(scanned, "missing", "missing_share", warn, fail, elsewhere),
    ]


SHARE_COLUMNS = ("split", "row", "file", "status", "reason", "detail")
"""Columns of a scan that `refuse_failed_scans` looks at."""

GROUPED_COLUMNS = (
    *SHARE_COLUMNS, "index", "image_id", "product_id", "code", "sha256", "pixel_sha256", "format", "blank",
    "near_blank", "phash", "dhash", "brightness", "contrast", "saturation", "entropy", "width", "height",
)  # fmt: skip
"""Columns of a scan that `refuse_failed_scans` and `duplicates.groups` look at."""


def refuse_failed_scans(scans: Mapping[str, pd.DataFrame], warn: float, fail: float) -> None:
    """Refuse to build on scanned shards of which too many images are unusable: they are stored to be looked at.

    Within a run, the failed check holds back what follows. This holds it back in every other run, too.

    Args:
        scans: scanned shards by key.
        warn, fail: as for `scan_verdicts`.

    Raises:
        ManifestError: naming each such shard and the way out.
    """
    failed = [
        f"image_scan, shard {key}: {verdict.check} failed: {verdict.summary}"
        for key, scan in scans.items()
        for verdict in (_share(scan, status, f"{status}_share", warn, fail) for status in _UNUSABLE)
        if verdict.stops
    ]
    if failed:
        raise ManifestError(
            "\n".join(failed)
            + "\nNothing is built on these shards. Mend or restore the files and materialise image_scan of them "
            "again, or raise RAKUTEN_UNREADABLE_FAIL"
        )


@dataclass(frozen=True)
class ReportLimits:
    """What a report may find without a warning: shares of rows, and for `drift` standard deviations."""

    blank: float
    duplicate: float
    conflict: float
    twin: float
    odd: float
    drift: float


def report_verdicts(summary: Mapping[str, Any], limits: ReportLimits) -> list[Verdict]:
    """All verdicts on an integrity report. All are warnings: the images decode, but training on them misleads.

    Args:
        summary: as in `rakuten_assets.integrity.reporting.report.IntegrityReport`.
    """
    images, usual = summary["images"], summary["majority"]
    total = images["total"]
    train, test = (images["by_split"].get(split, {"total": 0})["total"] for split in ("train", "test"))
    # At the levels of the page's tiles and of the findings: one thing has one number.
    redundant = summary["duplicates"]["exact"]["redundant"]
    conflicts = summary["label_conflicts"]["pixel"]["rows"]
    twins = summary["train_test_twins"]["near"]["test_rows"]
    odd = 1 - min(usual["size_share"], usual["mode_share"])
    drift = {name: abs(values["standardised_difference"]) for name, values in summary["drift"].items()}
    worst = max(drift, key=lambda name: drift[name], default="")
    return [
        _within(
            "blanks",
            images["blank"] + images["near_blank"],
            total,
            limits.blank,
            f"images are blank, {images['blank']:,} of them exactly one colour",
        ),
        _within(
            "exact_duplicates",
            redundant,
            total,
            limits.duplicate,
            "images repeat another",
        ),
        _within(
            "label_conflicts",
            conflicts,
            train,
            limits.conflict,
            "train rows share their picture with another class",
        ),
        _within(
            "train_test_twins",
            twins,
            test,
            limits.twin,
            "test rows have their picture in train",
        ),
        _within(
            "usual_size_and_mode",
            round(odd * total),
            total,
            limits.odd,
            f"images are not {usual['size'][0]}x{usual['size'][1]} {usual['mode']}, as most are",
        ),
        Verdict(
            "train_test_drift",
            not drift or drift[worst] <= limits.drift,
            f"train and test differ most in {worst}: by {drift[worst]:.2f} standard deviations (allowed: "
            f"{limits.drift:.2f})"
            if drift
            else "not compared: one of the splits has no readable images",
            drift,
            "warning",
        ),
    ]


def _within(check: str, count: int, total: int, limit: float, what: str) -> Verdict:
    share = count / max(1, total)
    summary = f"{count:,} of {total:,} {what} ({share:.2%}; allowed: {limit:.2%})"
    return Verdict(check, share <= limit, summary, {"rows": count, "share": share, "limit": limit}, "warning")


def scan_content(scanned: pd.DataFrame) -> str:
    """Hexadecimal digest of what a scan found: which files, with which bytes, and how they fared."""
    return content_version(scanned[["split", "row", "file", "status", "reason", "sha256", "scan_version"]])


def _share(
    scanned: pd.DataFrame,
    status: str,
    check: str,
    warn: float,
    fail: float,
    elsewhere: Callable[[], str] = lambda: "",
) -> Verdict:
    bad = scanned[scanned["status"] == status]
    share = len(bad) / max(1, len(scanned))
    severity: Severity = "error" if share > fail else "warning"
    details: dict[str, float | int | str | pd.DataFrame] = {
        "images": len(bad),
        "share": share,
        "warning above": warn,
        "error above": fail,
    }
    if len(bad):
        details["reasons"] = ", ".join(
            f"{reason}: {count}" for reason, count in bad["reason"].value_counts().items()
        )
        details["files"] = bad.head(_ROWS_SHOWN)[["split", "row", "file", "reason", "detail"]]
    summary = f"{len(bad):,} of {len(scanned):,} images are {status} ({share:.2%})"
    if share > warn:
        summary += (
            f"; allowed: {warn:.2%} without a warning, {fail:.2%} at all. Mend or restore {_named(bad)}"
        )
        if severity == "error":
            summary += ", or raise RAKUTEN_UNREADABLE_FAIL"
            if len(scanned) < _SMALL:
                summary += f"; of so few images one is {1 / len(scanned):.2%}: set fewer RAKUTEN_SHARDS"
        if share > _MOST and (seen := elsewhere()):
            summary += f". Images of the challenge were seen in {seen}: move them, or name the right folder"
    return Verdict(check, share <= warn, summary, details, severity)


def _named(bad: pd.DataFrame) -> str:
    """The first files by name; the others are in the check's details."""
    names = [f"{file} ({reason})" for file, reason in zip(bad["file"], bad["reason"], strict=True)]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def in_manifest_order(manifest: pd.DataFrame, scans: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Scan rows of all shards, in the manifest's order and numbered from 0.

    Column by column: beside the scans and the result, one column at a time is in memory.

    Raises:
        ManifestError: if the scans are not of the manifest's images.
    """
    files = _column(scans, "file")
    places = pd.Index(files).get_indexer(pd.Index(manifest["file"]))
    missing = np.flatnonzero(places < 0)
    if missing.size or len(files) != len(manifest):
        which = f", first {manifest['file'].iloc[missing[0]]}" if missing.size else ""
        raise ManifestError(
            f"the scans hold {len(files):,} images, the manifest {len(manifest):,}, of which {missing.size:,} are "
            f"not scanned{which}: the catalogue has changed since; materialise image_scan of all shards again"
        )
    names = next(iter(scans.values())).columns
    return pd.DataFrame({name: _column(scans, name).take(places).reset_index(drop=True) for name in names})


def _column(scans: Mapping[str, pd.DataFrame], name: str) -> pd.Series:
    column: pd.Series = pd.concat([scan[name] for scan in scans.values()], ignore_index=True)
    return column


def groups_complete(groups: pd.DataFrame, images: pd.DataFrame) -> Verdict:
    """One row an image, each in a group at every level, and every finer group inside one coarser group."""
    problems = []
    if len(groups) != len(images) or not np.array_equal(groups["file"].to_numpy(), images["file"].to_numpy()):
        problems.append("the rows are not the images")
    for fine, coarse in (("exact_group", "pixel_group"), ("pixel_group", "near_group")):
        if (groups.groupby(fine)[coarse].nunique() > 1).any():
            problems.append(f"a {fine.replace('_', ' ')} is split at the next level")
    counts = {
        f"{level} groups": int(
            (groups[f"{level}_size"] > 1).sum() - groups[f"{level}_group"].duplicated().sum()
        )
        for level in ("exact", "pixel", "near")
    }
    return Verdict(
        "groups_complete", not problems, "; ".join(problems) or f"{len(groups):,} images in groups", counts
    )


def summary_version(summary: Mapping[str, Any]) -> str:
    """Hexadecimal digest of a report's summary."""
    return sha256_of_bytes(json.dumps(summary, sort_keys=True, default=str).encode())
