"""Suspect labels as people act on them: a table with ids and codes, and pictures of the first ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.evaluation.held_out import HeldOut
from rakuten_assets.evaluation.inputs import Ints
from rakuten_assets.evaluation.reporting.files import tile_of
from rakuten_assets.evaluation.suspect_labels import suspect_labels
from rakuten_assets.pages.contact_sheets import Sheet

_SHOWN = 24


def suspects_table(
    predictions: HeldOut, labels: Ints, groups: npt.ArrayLike, codes: Ints, rows: pd.DataFrame
) -> pd.DataFrame:
    """Suspect train rows, the most suspect first: row, ids, file, code, suggestion, probabilities, known conflict.

    Args:
        predictions: of every train row, out of grouped folds.
        labels: int64 (n,).
        groups: group of each row (n,); rows of one show the same picture.
        codes: int64 (C,).
        rows: the train rows' sidecar, in CSV order: image_id, product_id, file.
    """
    found = suspect_labels(predictions.probabilities, labels, groups, predictions.valid)
    at = found["row"].to_numpy(dtype=np.int64)
    return pd.DataFrame(
        {
            "row": at,
            **{name: rows[name].to_numpy()[at] for name in ("image_id", "product_id", "file")},
            "code": codes[found["label"].to_numpy(dtype=np.int64)],
            "suggested": codes[found["suggested"].to_numpy(dtype=np.int64)],
            "label_probability": found["label_probability"].to_numpy().round(4),
            "suggested_probability": found["suggested_probability"].to_numpy().round(4),
            "known_conflict": found["known_conflict"].to_numpy(),
        }
    )


def suspects_sheet(suspects: pd.DataFrame, rows: pd.DataFrame, paths: Sequence[Path | UPath]) -> Sheet:
    """Pictures of the first suspects: what the label says, and what the picture suggests."""
    tiles = []
    first = suspects.head(_SHOWN)
    shown = (first[name].tolist() for name in ("row", "code", "suggested", "suggested_probability"))
    for row, code, suggested, probability in zip(*shown, strict=True):
        tiles.append((tile_of(rows, paths, row, f"{code}, or {suggested} ({probability:.0%})?"),))
    return Sheet("suspects", "suspect labels", len(suspects), tuple(tiles))
