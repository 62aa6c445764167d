"""Which rows of a split have a usable image: a property of the catalogue, whatever looks at the images later."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.dataset.layout import Split
from rakuten_assets.errors import ManifestError
from rakuten_assets.verdicts import Verdict


def validity_mask(
    manifest: pd.DataFrame, scans: Iterable[pd.DataFrame], split: Split
) -> npt.NDArray[np.bool_]:
    """Whether each row's image decodes whole: bool (n,), in CSV order.

    Args:
        manifest: rows of both splits.
        scans: the shards' scans, with at least split, row, file, status.

    Raises:
        ManifestError: the scans are not of the manifest's rows.
    """
    rows = manifest[manifest["split"] == split].sort_values("row")
    scanned = pd.concat([scan.loc[scan["split"] == split, ["row", "file", "status"]] for scan in scans])
    scanned = scanned.sort_values("row")
    if not np.array_equal(rows["row"], scanned["row"]) or not np.array_equal(rows["file"], scanned["file"]):
        raise ManifestError(
            f"image_scan holds {len(scanned):,} {split} rows, which are not the manifest's {len(rows):,}: the "
            "catalogue has changed since; materialise image_scan again for all shards"
        )
    return scanned["status"].eq("ok").to_numpy(dtype=bool)


def mask_verdict(mask: npt.NDArray[np.bool_], manifest: pd.DataFrame, split: Split) -> Verdict:
    """The mask has one flag a row of the split's CSV file."""
    rows = int((manifest["split"] == split).sum())
    return Verdict(
        "one_flag_a_row",
        len(mask) == rows,
        f"{len(mask):,} flags, {rows:,} {split} rows, {int((~mask).sum()):,} quarantined",
        {"valid": int(mask.sum()), "quarantined": int((~mask).sum())},
    )
