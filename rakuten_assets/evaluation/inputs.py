"""Features, labels, groups and validity, checked before anything is computed from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.errors import CatalogError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Rows that are read at a time: 1,024 rows of 1,280 features are 5 MB and stay in the processor's cache.
BLOCK_ROWS = 1024


def train_groups(duplicate_groups: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Group of each train row, in CSV order: rows of one group show the same picture."""
    return groups_of(duplicate_groups, "train")


def groups_of(duplicate_groups: pd.DataFrame, split: str, column: str = "near_group") -> npt.NDArray[np.str_]:
    """Group of each row of a split, in CSV order."""
    found: npt.NDArray[np.str_] = rows_of_split(duplicate_groups, split)[column].to_numpy(dtype=str)
    return found


def rows_of_split(duplicate_groups: pd.DataFrame, split: str) -> pd.DataFrame:
    """A split's rows of the table of duplicate groups, in CSV order."""
    return duplicate_groups[duplicate_groups["split"] == split].sort_values("row", kind="stable")


def codes_of(label_encoder: Mapping[str, int]) -> Ints:
    """Class code of each label, of the stored label encoder: int64 (C,)."""
    return np.array(
        sorted(map(int, label_encoder), key=lambda code: label_encoder[str(code)]), dtype=np.int64
    )


def checked_features(features: npt.ArrayLike, valid: npt.ArrayLike | None = None) -> tuple[Floats, Mask]:
    """Features as float32 (n, d) and their validity as bool (n,).

    Args:
        features: numbers (n, d).
        valid: bool (n,); None: every row is valid.

    Raises:
        CatalogError: not a table of numbers, another number of rows, or a valid row with a value that is not finite.
    """
    values = np.asarray(features)
    if values.ndim != 2 or not values.shape[1] or values.dtype.kind not in "fiub":
        raise CatalogError(
            f"features are a table of numbers (rows, dimensions); given are {values.dtype} {values.shape}"
        )
    values = values.astype(np.float32, copy=False)
    mask = np.ones(len(values), dtype=bool) if valid is None else np.asarray(valid, dtype=bool)
    if mask.shape != (len(values),):
        raise CatalogError(f"there are {len(values):,} rows of features and a validity of shape {mask.shape}")
    for start in range(0, len(values), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        bad = mask[block] & ~np.isfinite(values[block]).all(axis=1)
        if bad.any():
            row = start + int(np.argmax(bad))
            raise CatalogError(
                f"row {row}: a valid row of features holds a value that is not finite; extract it again or "
                "mark it invalid"
            )
    return values, mask


def checked_labels(labels: npt.ArrayLike, rows: int, num_classes: int | None = None) -> Ints:
    """Labels as int64 (n,), 0 to num_classes-1.

    Raises:
        CatalogError: another number of rows, or a label that is outside.
    """
    values = np.asarray(labels)
    if values.shape != (rows,) or values.dtype.kind not in "iub":
        raise CatalogError(
            f"{rows:,} rows need {rows:,} whole numbers as labels; given are {values.dtype} {values.shape}"
        )
    values = values.astype(np.int64)
    outside = np.flatnonzero((values < 0) | (values >= num_classes if num_classes else False))
    if outside.size:
        limit = f"0 to {num_classes - 1}" if num_classes else "0 and more"
        raise CatalogError(
            f"row {outside[0]}: label {values[outside[0]]} is outside {limit}; make the labels with the label "
            "encoder of the same catalogue"
        )
    return values


def checked_groups(groups: npt.ArrayLike | None, rows: int) -> npt.NDArray[np.generic]:
    """Groups as an array (n,); None: each row is a group of its own.

    Raises:
        CatalogError: for another number of rows.
    """
    values = np.arange(rows) if groups is None else np.asarray(groups)
    if values.shape != (rows,):
        raise CatalogError(f"there are {rows:,} rows and groups of shape {values.shape}")
    return values.astype(str) if values.dtype == object else values
