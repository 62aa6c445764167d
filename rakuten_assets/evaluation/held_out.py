"""Predictions of train rows by heads that did not see them: what every score and every suspect label rests on.

Three evaluations of the same head on the same features:

- `random`: the validation rows of the customary split, some of which have a duplicate in train;
- `grouped`: those of the split that keeps duplicates together;
- `folds`: every row, out of grouped folds.

The penalty is chosen once, on training rows of the grouped split, and taken for all of them: they differ in the rows
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.logistic import PENALTIES, fit_logistic
from rakuten_assets.evaluation.heads.out_of_fold import FOLDS, out_of_fold
from rakuten_assets.evaluation.inputs import (
    Doubles,
    Floats,
    Ints,
    Mask,
    checked_features,
    checked_groups,
    checked_labels,
)
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.storage.arrays import array_version
from rakuten_assets.storage.files import sha256_of_bytes

RANDOM, GROUPED, IN_FOLDS = "random", "grouped", "folds"
EVALUATIONS = (RANDOM, GROUPED, IN_FOLDS)
COLUMNS = {
    "evaluation": "random: customary split; grouped: no duplicate on both sides; folds: out of grouped folds",
    "row": "train row, in CSV order",
    "fold": "of the folds; 0 for a split",
    "valid": "whether the row has features; without, it is predicted by the prior",
    "penalty": "of the head that predicted the row",
    "temperature": "by which its logits were divided",
}


@dataclass(frozen=True)
class HeldOut:
    """Predictions of one evaluation.

    Attributes:
        rows: int64 (n,): train rows, ascending.
        folds: int64 (n,).
        valid: bool (n,).
        probabilities: float64 (n, C), calibrated, each row sums to 1.
        penalty, temperature: of the heads.
    """

    rows: Ints
    folds: Ints
    valid: Mask
    probabilities: Doubles
    penalty: float
    temperature: float


def held_out_predictions(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike,
    valid: npt.ArrayLike,
    splits: Mapping[str, npt.ArrayLike],
    codes: npt.ArrayLike,
    *,
    seed: int = SEED,
    log: Callable[[str], None] | None = None,
) -> dict[str, HeldOut]:
    """Fit heads and predict with each the rows that it did not see.

    Args:
        features: float32 (n, d).
        labels: whole numbers (n,), 0 to C-1.
        groups: group of duplicates of each row (n,).
        valid: bool (n,): rows with features.
        splits: `RANDOM` and `GROUPED`: bool (n,), True for validation.
        codes: class code of each label (C,).
        log: told of each step in a line.

    Returns:
        for each of `EVALUATIONS`, its predictions.

    Raises:
        CatalogError: for arrays that do not fit together, or too few rows, classes or groups.
    """
    values, mask = checked_features(features, valid)
    known = np.asarray(codes, dtype=np.int64)
    classes, members = checked_labels(labels, len(values), len(known)), checked_groups(groups, len(values))
    masks = {name: np.asarray(splits[name], dtype=bool) for name in (RANDOM, GROUPED)}

    def fit(train: Mask, penalties: tuple[float, ...]) -> Head:
        rows = np.flatnonzero(train)
        return fit_logistic(
            values[rows],
            classes[rows],
            members[rows],
            mask[rows],
            codes=known,
            penalties=penalties,
            seed=seed,
            log=log,
        )

    # The grouped split is first: no validation row of it takes part in the choice.
    chosen = fit(~masks[GROUPED], PENALTIES)
    penalty, temperature = float(chosen.details["penalty"]), chosen.temperature
    heads = {
        RANDOM: fit(~masks[RANDOM], (penalty,)).with_temperature(temperature),
        GROUPED: chosen,
    }
    found = {}
    for name, head in heads.items():
        rows = np.flatnonzero(masks[name])
        found[name] = HeldOut(
            rows,
            np.zeros(len(rows), dtype=np.int64),
            mask[rows],
            head.probabilities(values[rows], mask[rows]),
            penalty,
            temperature,
        )
        if log:
            log(f"held-out predictions: the {name} split is done")

    def fit_fold(rows: Floats, of: Ints, groups_of: npt.NDArray[np.generic], valid_of: Mask) -> Head:
        return fit_logistic(rows, of, groups_of, valid_of, codes=known, penalties=(penalty,), seed=seed)

    folds = min(FOLDS, len(np.unique(members)))
    predicted = out_of_fold(fit_fold, values, classes, members, mask, folds=folds, seed=seed, log=log)
    found[IN_FOLDS] = HeldOut(
        np.arange(len(values)),
        predicted.folds,
        mask,
        predicted.probabilities,
        penalty,
        predicted.temperature,
    )
    return found


def held_out_table(found: Mapping[str, HeldOut], codes: npt.ArrayLike) -> pd.DataFrame:
    """All evaluations in one table: `COLUMNS`, then the probability of each class, float32, by its code."""
    names = [str(code) for code in np.asarray(codes).tolist()]
    parts = []
    for evaluation in EVALUATIONS:
        one = found[evaluation]
        part = pd.DataFrame(one.probabilities.astype(np.float32), columns=names)
        about: dict[str, Any] = {
            "evaluation": evaluation,
            "row": one.rows,
            "fold": one.folds,
            "valid": one.valid,
            "penalty": one.penalty,
            "temperature": one.temperature,
        }
        for place, (name, values) in enumerate(about.items()):
            part.insert(place, name, values)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def held_out_of(table: pd.DataFrame, evaluation: str) -> HeldOut:
    """One evaluation of a table that `held_out_table` made.

    Raises:
        CatalogError: if the table has no row of it.
    """
    rows = table[table["evaluation"] == evaluation]
    if rows.empty:
        raise CatalogError(
            f"the held-out predictions hold no row of the evaluation {evaluation!r}; make them again"
        )
    return HeldOut(
        rows["row"].to_numpy(dtype=np.int64),
        rows["fold"].to_numpy(dtype=np.int64),
        rows["valid"].to_numpy(dtype=bool),
        rows[class_columns(table)].to_numpy(dtype=np.float64),
        float(rows["penalty"].iloc[0]),
        float(rows["temperature"].iloc[0]),
    )


def content_version(found: Mapping[str, HeldOut]) -> str:
    """Hexadecimal digest of the predictions."""
    digests = [
        array_version(part)
        for name in EVALUATIONS
        for part in (found[name].rows, found[name].folds, found[name].valid, found[name].probabilities)
    ]
    return sha256_of_bytes("\n".join(digests).encode())


def class_columns(table: pd.DataFrame) -> list[str]:
    """The columns that hold probabilities, in the order of the labels."""
    return [str(name) for name in table.columns if name not in COLUMNS]
