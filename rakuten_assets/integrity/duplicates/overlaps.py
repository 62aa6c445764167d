"""Groups of duplicates beside classes and splits: which of them join, contradict or leak."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def merging(groups: pd.DataFrame, level: str, finer: str | None) -> npt.NDArray[np.bool_]:
    """Rows whose group at `level` joins several groups of the finer level (several rows where there is none)."""
    if finer is None:
        several: npt.NDArray[np.bool_] = groups[f"{level}_size"].to_numpy() > 1
        return several
    return _several(groups[f"{level}_group"], groups[f"{finer}_group"])


def conflicting(groups: pd.DataFrame, level: str) -> npt.NDArray[np.bool_]:
    """Labelled rows whose group at `level` holds several classes."""
    mask: npt.NDArray[np.bool_] = _several(groups[f"{level}_group"], groups["code"])
    return mask & groups["code"].notna().to_numpy(dtype=bool)


def twin_rows(groups: pd.DataFrame, level: str) -> npt.NDArray[np.bool_]:
    """Rows whose group at `level` has members in train and in test."""
    return _several(groups[f"{level}_group"], groups["split"].where(groups["split"].isin(("train", "test"))))


def _several(groups: pd.Series[Any], values: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """Rows whose group has at least two different values; missing ones do not count."""
    group, _ = pd.factorize(groups)
    value, names = pd.factorize(values)
    known = value >= 0
    pairs = np.unique(group[known] * np.int64(max(len(names), 1)) + value[known])
    counts = np.bincount(pairs // max(len(names), 1), minlength=int(group.max()) + 1 if len(group) else 0)
    several: npt.NDArray[np.bool_] = counts[group] > 1
    return several


def class_tallies(groups: pd.DataFrame, level: str) -> dict[str, list[tuple[Any, int]]]:
    """For each group its classes in order, each with its number of rows; rows without a class do not count."""
    counts = groups.groupby([f"{level}_group", "code"], sort=True).size()
    tallies: dict[str, list[tuple[Any, int]]] = {}
    for (group, code), count in zip(counts.index.tolist(), counts.tolist(), strict=True):
        tallies.setdefault(group, []).append((code, count))
    return tallies
