"""What must hold of feature shards and matrices: pure functions that return verdicts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.extraction.storing.matrix import ColumnStatistics, MergedFeatures
from rakuten_assets.verdicts import Verdict

_ROWS_SHOWN = 10
# Different bytes may well hold the same picture; many such rows mean that an engine repeats its answers.
_MOST_REPEATED_SHARE, _REPEATED_ALWAYS_ALLOWED = 0.02, 5
# A spread from fewer rows says more about single images than about the split.
_ROWS_TO_COMPARE = 100
_LARGEST_MEAN_SHIFT, _SMALLEST_SPREAD, _LARGEST_SPREAD = 0.5, 0.5, 2.0


def shard_verdicts(
    vectors: npt.NDArray[np.float32], rows: pd.DataFrame, manifest: pd.DataFrame, dim: int
) -> list[Verdict]:
    """All verdicts on one shard.

    Args:
        vectors: (n, dim).
        rows: the shard's sidecar (n rows).
        manifest: the shard's rows of the manifest.
    """
    shape = _shape_and_dtype(vectors, rows, dim)
    if not shape.passed:
        return [shape, _rows_match(rows, manifest)]
    return [
        shape,
        _rows_match(rows, manifest),
        _finite(vectors, rows),
        _quarantined_zero(vectors, rows),
        _no_duplicate_rows(vectors, rows),
    ]


def matrix_verdicts(
    merged: MergedFeatures, mask: npt.NDArray[np.bool_], labels: npt.NDArray[np.int64] | None
) -> list[Verdict]:
    """All verdicts on one matrix.

    Args:
        mask: bool (n,), the split's published validity, one a row of its CSV file.
        labels: int64 (n,), of the train split.
    """
    rows, valid = merged.features.record.shape[0], merged.features.valid
    aligned = rows == len(mask) and (labels is None or len(labels) == rows)
    what = f"{rows:,} vectors, {len(mask):,} in the mask"
    if labels is not None:
        what += f", {len(labels):,} labels"
    if aligned and not np.array_equal(valid, mask):
        aligned = False
        what += (
            f"; {int((valid != mask).sum()):,} rows are valid in one and not in the other: the images were scanned "
            "again since; materialise the features and the mask"
        )
    broken = merged.broken_rows
    clean = f"all {rows:,} rows are finite, and zero where quarantined"
    return [
        Verdict("rows_aligned", aligned, what),
        Verdict(
            "finite",
            not len(broken),
            f"{len(broken):,} rows are not finite or not zero where quarantined; first: row {broken[0]}"
            if len(broken)
            else clean,
            {"quarantined": int((~valid).sum())},
        ),
    ]


def comparable_statistics(train: ColumnStatistics, test: ColumnStatistics) -> Verdict:
    """Train and test features look alike: columns' means within half a standard deviation, spreads within twice.

    Both are medians over columns, so that a few odd columns do not count. A warning: a drift, not a defect.
    """
    usable = (train.std > 0) & (test.std > 0)
    if not usable.any() or min(train.count, test.count) < _ROWS_TO_COMPARE:
        few = f"not compared: {train.count:,} and {test.count:,} valid rows, at least {_ROWS_TO_COMPARE} are needed"
        return Verdict("comparable_statistics", True, few, severity="warning")
    shift = float(np.median(np.abs(test.mean - train.mean)[usable] / train.std[usable]))
    spread = float(np.median(test.std[usable] / train.std[usable]))
    passed = shift <= _LARGEST_MEAN_SHIFT and _SMALLEST_SPREAD <= spread <= _LARGEST_SPREAD
    return Verdict(
        "comparable_statistics",
        passed,
        f"the median column of test lies {shift:.3f} standard deviations from train's; its spread is {spread:.3f} "
        f"times train's" + ("" if passed else ": train and test were not made alike, or differ in content"),
        {"median shift": shift, "median spread ratio": spread, "columns compared": int(usable.sum())},
        "warning",
    )


def _shape_and_dtype(vectors: npt.NDArray[np.float32], rows: pd.DataFrame, dim: int) -> Verdict:
    expected = (len(rows), dim)
    passed = vectors.dtype == np.float32 and vectors.shape == expected and bool(vectors.flags.c_contiguous)
    found = f"{vectors.dtype} {vectors.shape}"
    summary = f"float32 {expected}, C order" if passed else f"{found}, expected float32 {expected} in C order"
    return Verdict("shape_and_dtype", passed, summary, {"rows": len(rows), "feature_dim": dim})


def _rows_match(rows: pd.DataFrame, manifest: pd.DataFrame) -> Verdict:
    passed = len(rows) == len(manifest) and all(
        np.array_equal(rows[name].to_numpy(), manifest[name].to_numpy())
        for name in ("row", "index", "image_id", "product_id", "file")
    )
    summary = f"{len(rows):,} rows, the manifest has {len(manifest):,}"
    return Verdict(
        "rows_match_manifest", passed, summary if passed else f"{summary}; they are not the same rows"
    )


def _finite(vectors: npt.NDArray[np.float32], rows: pd.DataFrame) -> Verdict:
    nan, infinite = np.isnan(vectors), np.isinf(vectors)
    bad = np.flatnonzero(nan.any(axis=1) | infinite.any(axis=1))
    details: dict[str, int | pd.DataFrame] = {"NaN": int(nan.sum()), "Inf": int(infinite.sum())}
    if not len(bad):
        return Verdict("finite", True, f"all {vectors.size:,} values are finite", details)
    details["rows"] = _shown(rows, bad)
    first = rows.iloc[bad[0]]
    return Verdict(
        "finite",
        False,
        f"{len(bad):,} rows hold NaN ({details['NaN']:,} values) or Inf ({details['Inf']:,}); the first: row "
        f"{first['row']}, {first['file']}",
        details,
    )


def _quarantined_zero(vectors: npt.NDArray[np.float32], rows: pd.DataFrame) -> Verdict:
    valid = rows["valid"].to_numpy(dtype=bool)
    zero = ~vectors.any(axis=1)
    constant = (vectors == vectors[:, :1]).all(axis=1) & ~zero
    unexpected = np.flatnonzero(valid & (zero | constant))
    leaking = np.flatnonzero(~valid & ~zero)
    details: dict[str, int | pd.DataFrame] = {"quarantined": int((~valid).sum())}
    if not len(unexpected) and not len(leaking):
        return Verdict(
            "only_quarantined_rows_are_zero",
            True,
            f"{details['quarantined']} quarantined rows are zero, no other is zero or constant",
            details,
        )
    details["rows"] = _shown(rows, np.concatenate([unexpected, leaking]))
    return Verdict(
        "only_quarantined_rows_are_zero",
        False,
        f"{len(unexpected)} valid rows are zero or constant, {len(leaking)} quarantined rows are not zero",
        details,
    )


def _no_duplicate_rows(vectors: npt.NDArray[np.float32], rows: pd.DataFrame) -> Verdict:
    twice = int(rows["row"].duplicated().sum())
    valid = rows["valid"].to_numpy(dtype=bool)
    images = rows["sha256"].to_numpy()[valid]
    seen = np.fromiter((hash(vectors[row].tobytes()) for row in np.flatnonzero(valid)), np.int64, len(images))
    first_image = pd.Series(images).groupby(seen).transform("first").to_numpy()
    repeated = int((first_image != images).sum())
    allowed = max(_REPEATED_ALWAYS_ALLOWED, int(_MOST_REPEATED_SHARE * len(images)))
    passed = not twice and repeated <= allowed
    return Verdict(
        "no_duplicate_rows",
        passed,
        f"{twice} rows occur twice, {repeated} vectors equal that of another image (allowed: {allowed})",
        {"rows twice": twice, "vectors repeated": repeated},
    )


def _shown(rows: pd.DataFrame, positions: npt.NDArray[np.int64]) -> pd.DataFrame:
    return rows.iloc[positions[:_ROWS_SHOWN]][["row", "image_id", "product_id", "file"]]
