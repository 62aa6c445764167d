"""The pictures by which test is told from train."""

from typing import Any

import pandas as pd

from rakuten_assets.dataset.layout import CatalogFolder
from rakuten_assets.defs.catalog.metadata import contact_sheet
from rakuten_assets.evaluation.quality.report import FeatureQuality

_SHOWN = 9


def telling_pictures(
    quality: FeatureQuality, train_rows: pd.DataFrame, test_rows: pd.DataFrame, folder: CatalogFolder
) -> dict[str, Any]:
    """Metadata: the pictures that look most like train, and most like test."""
    if (moved := quality.drift) is None:
        return {}
    found = {}
    for split, rows, telling in (
        ("train", train_rows, moved.telling_train),
        ("test", test_rows, moved.telling_test),
    ):
        shown = rows.iloc[telling[:_SHOWN]]
        found[f"most like {split} alone"] = contact_sheet(
            shown, folder, [f"{split} row {row}" for row in shown["row"]]
        )
    return found
