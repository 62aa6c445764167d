"""What must hold of tables, manifest and labels: pure functions that return verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.dataset.contract import LABEL_COLUMN, check_catalog
from rakuten_assets.dataset.labels import (
    KNOWN_CLASS_COUNTS,
    KNOWN_TRAIN_ROWS,
    class_counts,
    differences_from_known,
)
from rakuten_assets.dataset.layout import IMAGE_FOLDERS, Y_TRAIN_FILE, image_file_name
from rakuten_assets.dataset.sharding import shard_of
from rakuten_assets.errors import CatalogError
from rakuten_assets.units import counted
from rakuten_assets.verdicts import Verdict

_ROWS_SHOWN = 10


def contract_kept(table: pd.DataFrame, what: str) -> Verdict:
    """The verdict on a table that `rakuten_assets.dataset.contract` has read: it refuses what breaks the contract."""
    details: dict[str, int | str] = {"rows": len(table), "columns": ", ".join(map(str, table.columns))}
    if "description" in table:
        details["rows without a description"] = int(table["description"].isna().sum())
    return Verdict(
        "csv_contract", True, f"{len(table):,} {what}: columns, types and unique ids as expected", details
    )


def contract_broken(error: CatalogError) -> Verdict:
    """The verdict on a file that was refused."""
    return Verdict("csv_contract", False, str(error))


def known_classes(
    y_train: pd.DataFrame, place_of: Callable[[int], str] = lambda row: f"{Y_TRAIN_FILE}, row {row}"
) -> Verdict:
    """Every class code is one of the challenge's 27; a table of the full real size has exactly its counts.

    Args:
        place_of: says where a row (counted from 0) stands in its file.
    """
    counts = class_counts(y_train[LABEL_COLUMN])
    unknown = [code for code in counts if code not in KNOWN_CLASS_COUNTS]
    if unknown:
        positions = np.flatnonzero(y_train[LABEL_COLUMN].isin(unknown))
        rows = y_train.iloc[positions]
        how_many, fields = counted(len(rows), "such row"), "this field" if len(rows) == 1 else "these fields"
        return Verdict(
            "known_classes",
            False,
            f"{place_of(int(positions[0]))}: index {rows.index[0]} has {LABEL_COLUMN} {rows[LABEL_COLUMN].iloc[0]}, "
            f"which is not one of the challenge's {len(KNOWN_CLASS_COUNTS)} classes ({how_many}). "
            f"Correct {fields}, or restore the original file",
            {"unknown classes": ", ".join(map(str, unknown)), "rows": _shown(rows.reset_index())},
        )
    full = len(y_train) == KNOWN_TRAIN_ROWS
    different = differences_from_known(counts) if full else []
    if different:
        return Verdict(
            "known_classes",
            False,
            f"as large as the real data set, but {different[0]}",
            {"differences": "; ".join(different)},
        )
    size = "the real data set's counts" if full else f"{len(counts)} of the 27 known classes"
    return Verdict("known_classes", True, f"{len(y_train):,} labels, {size}", {"classes": len(counts)})


def catalog_consistent(x_train: pd.DataFrame, y_train: pd.DataFrame, x_test: pd.DataFrame) -> Verdict:
    """Unique ids, splits that share no product, a label for each train row and a row for each label."""
    try:
        check_catalog(x_train, y_train, x_test)
    except CatalogError as error:
        return Verdict("catalog_consistent", False, str(error))
    return Verdict(
        "catalog_consistent",
        True,
        "ids are unique, the splits share none, every train row has one label",
        {"train rows": len(x_train), "test rows": len(x_test)},
    )


def manifest_complete(
    manifest: pd.DataFrame, x_train: pd.DataFrame, x_test: pd.DataFrame, shards: int
) -> Verdict:
    """One row an image, in CSV order, with the file's name and the shard that its ids give."""
    problems = []
    for split, table in (("train", x_train), ("test", x_test)):
        rows = manifest[manifest["split"] == split]
        if len(rows) != len(table) or not np.array_equal(rows["index"], table.index):
            problems.append(f"the {split} rows are not those of the CSV file, in its order")
    twice = int(manifest["file"].duplicated().sum())
    if twice:
        problems.append(f"{twice} file names occur twice")
    wrong = [
        file
        for split, file, image, product, shard in manifest[
            ["split", "file", "image_id", "product_id", "shard"]
        ].itertuples(index=False)
        if file != f"{IMAGE_FOLDERS[split]}/{image_file_name(image, product)}"
        or shard != shard_of(image, product, shards)
    ]
    if wrong:
        problems.append(
            f"{len(wrong)} rows have another file name or shard than their ids give, first {wrong[0]}"
        )
    return Verdict(
        "manifest_complete",
        not problems,
        "; ".join(problems) or f"{len(manifest):,} images, one row each, in CSV order",
        {"rows": len(manifest), "shards": manifest["shard"].nunique()},
    )


def encoder_is_bijection(encoder: Mapping[int, int], codes: npt.ArrayLike) -> Verdict:
    """Codes in numeric order <-> labels 0 to n-1, and no code without a row."""
    ordered = sorted(encoder)
    expected = {code: label for label, code in enumerate(ordered)}
    found = {int(code) for code in np.unique(np.asarray(codes))}
    passed = dict(encoder) == expected and found == set(ordered)
    summary = (
        f"{len(ordered)} codes in numeric order are labels 0 to {len(ordered) - 1}"
        if passed
        else "codes and labels are not one to one in numeric order; fit the encoder on these labels"
    )
    return Verdict("numeric_bijection", passed, summary, {"classes": len(ordered)})


def labels_match_rows(
    labels: npt.NDArray[np.int64], codes: npt.NDArray[np.int64], encoder: Mapping[int, int]
) -> Verdict:
    """One int64 label a train row, in CSV order, that decodes to the row's code."""
    code_of = {label: code for code, label in encoder.items()}
    if labels.dtype != np.int64 or labels.shape != codes.shape:
        summary = f"labels are {labels.dtype} {labels.shape}, expected int64 {codes.shape}"
        return Verdict("labels_match_rows", False, summary)
    decoded = np.asarray([code_of.get(int(label), -1) for label in labels], dtype=np.int64)
    wrong = np.flatnonzero(decoded != codes)
    if wrong.size:
        row = int(wrong[0])
        summary = (
            f"{wrong.size:,} labels are wrong; the first: row {row}, label {labels[row]}, code {codes[row]}"
        )
        return Verdict("labels_match_rows", False, summary)
    return Verdict("labels_match_rows", True, f"{len(labels):,} labels decode to the codes of their rows")


def weights_are_balanced(weights: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> Verdict:
    """Weights are positive, and those of all rows sum to the number of rows."""
    total = float(weights[labels].sum())
    positive = bool(np.isfinite(weights).all() and (weights > 0).all())
    passed = positive and bool(np.isclose(total, len(labels), rtol=1e-9))
    return Verdict(
        "weights_sum_to_rows",
        passed,
        f"the weights of {len(labels):,} rows sum to {total:,.6f}"
        + ("" if positive else "; some are not positive"),
        {"smallest": float(weights.min()), "largest": float(weights.max())},
    )


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.head(_ROWS_SHOWN)
