"""`duplicates.csv`: the members of every group, and which of them may go."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rakuten_assets.integrity.duplicates.groups import IDENTITY_COLUMNS, LEVELS
from rakuten_assets.integrity.duplicates.overlaps import merging

DUPLICATE_COLUMNS = ("level", "group", "size", "classes", "keep", *IDENTITY_COLUMNS)


def duplicates_table(groups: pd.DataFrame) -> pd.DataFrame:
    """Members of every group that joins something at its level, largest groups first, sorted within.

    Files of rows with `keep` False may be deleted, at one level or at all of them: a file of each group stays, and it
    is no link to one that goes.

    Args:
        groups: groups and identity of each row; `disk_file` (equal for names of one file) and `is_link` where there
            are links.

    Returns:
        Columns: level, group, size, classes (how many different ones), keep (True for one file a group, under each
        of its names: a file before a link, a train row before a test row), then what identifies the row.
    """
    parts = []
    for level in LEVELS:
        finer = LEVELS[LEVELS.index(level) - 1] if level != LEVELS[0] else None
        rows = groups[merging(groups, level, finer)]
        if rows.empty:
            continue
        key = rows[f"{level}_group"]
        part = pd.DataFrame(
            {
                "level": level,
                "group": key,
                "size": rows[f"{level}_size"],
                "classes": rows.groupby(key)["code"].transform("nunique").astype("int64"),
                "_test": rows["split"] == "test",
                "_link": rows.get("is_link", False),
                "_disk": rows["disk_file"] if "disk_file" in rows else np.arange(len(rows)),
            }
        )
        part = pd.concat([part, rows[list(IDENTITY_COLUMNS)]], axis=1)
        part = part.sort_values(
            ["size", "group", "_link", "_test", "file"],
            ascending=[False, True, True, True, True],
            kind="stable",
        )
        part["keep"] = part["_disk"] == part.groupby("group")["_disk"].transform("first")
        parts.append(part)
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in DUPLICATE_COLUMNS})
    return pd.concat(parts, ignore_index=True)[list(DUPLICATE_COLUMNS)]
