"""The points of a map as a table: what each row is, what is said of it, and what its duplicates are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.inputs import Ints

if TYPE_CHECKING:  # Whoever wants the names of the columns needs no solver.
    from rakuten_assets.evaluation.held_out import HeldOut

POINTS = 5000
ALONE, ONE_CLASS, SEVERAL_CLASSES, BOTH_SPLITS = "alone", "one class", "several classes", "train and test"
COLUMNS = {
    "split": "train or test",
    "row": "row of the split, in CSV order",
    "image_id": "of the image",
    "product_id": "of the product",
    "code": "class that the label file says; missing in test",
    "predicted": "class that heads say which did not see the row; missing in test",
    "probability": "of the predicted class; missing in test",
    "group": "group of near-duplicates",
    "group_rows": "rows of the group, in the whole catalogue",
    "duplicates": "alone; one class; several classes; train and test: what the group spans",
    "x": "place on the map",
    "y": "place on the map",
}


def train_points(
    rows: pd.DataFrame, at: Ints, labels: Ints, predictions: HeldOut, codes: Ints
) -> pd.DataFrame:
    """Points of train rows, with label and held-out prediction.

    Args:
        rows: the sidecar, in CSV order.
        at: int64 (m,): rows.
        labels: int64 (n,): class code of each train row.
        predictions: of every train row, out of grouped folds.
        codes: int64 (C,).
    """
    of_row = np.empty(len(rows), dtype=np.int64)
    of_row[predictions.rows] = np.arange(len(rows))
    probabilities = predictions.probabilities[of_row[at]]
    return _identity(rows, at, "train").assign(
        code=pd.array(labels[at], dtype="Int64"),
        predicted=pd.array(codes[probabilities.argmax(axis=1)], dtype="Int64"),
        probability=probabilities.max(axis=1).astype(np.float32),
    )


def test_points(rows: pd.DataFrame, at: Ints) -> pd.DataFrame:
    """Points of test rows, which have neither."""
    return _identity(rows, at, "test").assign(
        code=pd.array([pd.NA] * len(at), dtype="Int64"),
        predicted=pd.array([pd.NA] * len(at), dtype="Int64"),
        probability=np.full(len(at), np.nan, dtype=np.float32),
    )


def group_columns(groups: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Group of each point, its size, and what it spans, from all rows of the catalogue.

    Raises:
        CatalogError: if a point is in no group.
    """
    by_group = groups.groupby("near_group")
    spans = pd.DataFrame(
        {
            "splits": by_group["split"].nunique(),
            "classes": groups[groups["split"] == "train"].groupby("near_group")["code"].nunique(),
        }
    ).fillna({"classes": 0})
    of = points[["split", "row"]].merge(
        groups[["split", "row", "near_group", "near_size"]],
        on=["split", "row"],
        how="left",
        validate="one_to_one",
    )
    if of["near_group"].isna().any():
        missing = of[of["near_group"].isna()].iloc[0]
        raise CatalogError(
            f"{missing['split']} row {missing['row']} is in no duplicate group; make the duplicate groups again"
        )
    found = spans.loc[of["near_group"]]
    kind = np.select(
        [of["near_size"] < 2, found["classes"].to_numpy() > 1, found["splits"].to_numpy() > 1],
        [ALONE, SEVERAL_CLASSES, BOTH_SPLITS],
        ONE_CLASS,
    )
    return pd.DataFrame(
        {
            "group": of["near_group"].astype("str"),
            "group_rows": of["near_size"].astype("int64"),
            "duplicates": pd.Series(kind, dtype="str"),
        }
    )


def _identity(rows: pd.DataFrame, at: Ints, split: str) -> pd.DataFrame:
    part = rows[["image_id", "product_id", "file", "sha256"]].iloc[at].reset_index(drop=True)
    part.insert(0, "split", split)
    part.insert(1, "row", at)
    return part
