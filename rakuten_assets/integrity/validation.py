"""What must hold of a scan: pure functions that return verdicts."""

from __future__ import annotations

import pandas as pd

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.verdicts import Severity, Verdict

_ROWS_SHOWN = 10


def scan_verdicts(scanned: pd.DataFrame, manifest: pd.DataFrame, warn: float, fail: float) -> list[Verdict]:
    """All verdicts on a scanned shard.

    Args:
        scanned: manifest columns and scan columns, one row an image.
        manifest: the shard's rows of the manifest.
        warn, fail: shares of unusable images above which there is a warning, or an error.
    """
    complete = len(scanned) == len(manifest) and bool(
        (scanned["file"].to_numpy() == manifest["file"].to_numpy()).all()
    )
    return [
        Verdict(
            "every_image_scanned", complete, f"{len(scanned):,} of {len(manifest):,} images have a scan row"
        ),
        _share(scanned, "unreadable", "unreadable_share", warn, fail),
        _share(scanned, "missing", "missing_share", warn, fail),
    ]


def scan_content(scanned: pd.DataFrame) -> str:
    """Hexadecimal digest of what a scan found: which files, with which bytes, and how they fared."""
    return content_version(scanned[["split", "row", "file", "status", "reason", "sha256", "scan_version"]])


def _share(scanned: pd.DataFrame, status: str, check: str, warn: float, fail: float) -> Verdict:
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
        summary += f"; allowed: {warn:.2%} without a warning, {fail:.2%} at all. Mend or restore the files listed here"
    return Verdict(check, share <= warn, summary, details, severity)
