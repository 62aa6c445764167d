"""Predictions of the test rows, and the file that the challenge takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.dataset.contract import LABEL_COLUMN
from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.inputs import Doubles, Ints


@dataclass(frozen=True)
class TestPredictions:
    """What a head says of the test rows.

    Attributes:
        index: int64 (n,): the challenge's index of each row.
        codes: int64 (n,): predicted class code.
        probabilities: float64 (n, C), in the order of `classes`; the prior for a quarantined row.
        classes: int64 (C,).
        quarantined: int64: indices of the rows without features.
    """

    index: Ints
    codes: Ints
    probabilities: Doubles
    classes: Ints
    quarantined: Ints


def predict_test(
    head: Head, features: npt.ArrayLike, index: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> TestPredictions:
    """Predict the test rows; those without features get the classes' shares of the training rows.

    Args:
        features: float32 (n, d).
        index: the challenge's index of each row (n,), which starts at 84916.
        valid: bool (n,); None: all.

    Raises:
        CatalogError: for arrays that do not fit together, or an index that occurs twice.
    """
    rows = np.asarray(index, dtype=np.int64)
    probabilities = head.probabilities(features, valid)
    if rows.shape != (len(probabilities),):
        raise CatalogError(f"there are {len(probabilities):,} rows of features and an index of {rows.shape}")
    unique, counts = np.unique(rows, return_counts=True)
    if len(unique) < len(rows):
        raise CatalogError(f"index {unique[counts > 1][0]} occurs twice; each test row is predicted once")
    mask = np.ones(len(rows), dtype=bool) if valid is None else np.asarray(valid, dtype=bool)
    codes = head.codes[probabilities.argmax(axis=1)]
    return TestPredictions(rows, codes, probabilities, head.codes, rows[~mask])


def submission_csv(predictions: TestPredictions) -> bytes:
    """The file to submit: header `,prdtypecode`, a line a row in the order of the index."""
    order = np.argsort(predictions.index, kind="stable")
    lines = [f",{LABEL_COLUMN}"]
    lines += [
        f"{row},{code}"
        for row, code in zip(
            predictions.index[order].tolist(), predictions.codes[order].tolist(), strict=True
        )
    ]
    return ("\n".join(lines) + "\n").encode()


def probability_table(predictions: TestPredictions) -> pd.DataFrame:
    """A row a test row: `index`, `prdtypecode`, `quarantined`, and the probability of each class by its code."""
    order = np.argsort(predictions.index, kind="stable")
    table = pd.DataFrame(
        predictions.probabilities[order].astype(np.float32),
        columns=[str(code) for code in predictions.classes],
    )
    table.insert(0, "index", predictions.index[order])
    table.insert(1, LABEL_COLUMN, predictions.codes[order])
    table.insert(2, "quarantined", np.isin(predictions.index[order], predictions.quarantined))
    return table
