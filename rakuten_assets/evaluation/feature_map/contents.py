"""What a feature map holds: a table of points, and how it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.feature_map.embedding import Embedding, embed
from rakuten_assets.evaluation.feature_map.points import (
    COLUMNS,
    POINTS,
    group_columns,
    test_points,
    train_points,
)
from rakuten_assets.evaluation.feature_map.sampling import sample_rows
from rakuten_assets.evaluation.held_out import HeldOut
from rakuten_assets.evaluation.inputs import Floats, Ints, checked_features
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.storage.arrays import array_version
from rakuten_assets.storage.files import sha256_of_bytes


@dataclass(frozen=True)
class SplitFeatures:
    """Features of a split, and what its rows are.

    Attributes:
        features: float32 (n, d).
        rows: the sidecar, in CSV order: image_id, product_id, file, sha256, valid.
        labels: int64 (n,); None where there are none.
    """

    features: Floats
    rows: pd.DataFrame
    labels: Ints | None = None


@dataclass(frozen=True)
class FeatureMap:
    """A map of a catalogue's features.

    Attributes:
        points: a row a point, train before test: `COLUMNS`.
        files: name in the table and sha256 of each point's image.
        embedding: where the points are, and how they were placed.
        extractor: its name.
        weights_note: what its weights are worth.
        valid_rows: rows with features, of which the points are a sample.
        seed: of sample and embedding.
    """

    points: pd.DataFrame
    files: pd.DataFrame
    embedding: Embedding
    extractor: str
    weights_note: str
    valid_rows: int
    seed: int


def build_map(
    train: SplitFeatures,
    test: SplitFeatures,
    predictions: HeldOut,
    codes: Ints,
    duplicate_groups: pd.DataFrame,
    *,
    extractor: str,
    weights_note: str,
    points: int = POINTS,
    seed: int = SEED,
    workers: int = 1,
    log: Callable[[str], None] | None = None,
) -> FeatureMap:
    """Sample rows of both splits and place them. Quarantined rows take no part.

    Args:
        train: with labels.
        predictions: of every train row, out of grouped folds.
        codes: int64 (C,): class code of each label.
        duplicate_groups: a row an image: split, row, code, near_group, near_size.
        points: rows on the map, at most.
        workers: threads; their number changes no bit of the result.

    Raises:
        CatalogError: if no row has features, or arrays do not fit together.
    """
    if train.labels is None:
        raise CatalogError("the train rows of a feature map need labels")
    if len(predictions.rows) != len(train.rows):
        raise CatalogError(
            f"there are held-out predictions of {len(predictions.rows):,} rows, and {len(train.rows):,} train rows; "
            "make the predictions again"
        )
    parts = []
    for part in (train, test):
        _, valid = checked_features(part.features, part.rows["valid"].to_numpy(dtype=bool))
        parts.append(valid)
    ids = np.concatenate([part.rows["image_id"].to_numpy(dtype=np.int64) for part in (train, test)])
    without = np.full(len(test.rows), len(codes), dtype=np.int64)
    chosen = sample_rows(ids, np.concatenate([train.labels, without]), np.concatenate(parts), points, seed)
    of_train, of_test = chosen[chosen < len(train.rows)], chosen[chosen >= len(train.rows)] - len(train.rows)
    features = np.concatenate([train.features[of_train], test.features[of_test]]).astype(np.float32)
    embedding = embed(features, np.arange(len(features)), seed=seed, workers=workers, log=log)
    table = pd.concat(
        [
            train_points(train.rows, of_train, codes[train.labels], predictions, codes),
            test_points(test.rows, of_test),
        ],
        ignore_index=True,
    )
    grouped = group_columns(duplicate_groups, table)
    places = pd.DataFrame(embedding.coordinates, columns=["x", "y"])
    shown = pd.concat([table.drop(columns=["file", "sha256"]), grouped, places], axis=1)
    return FeatureMap(
        shown[list(COLUMNS)],
        table[["file", "sha256"]],
        embedding,
        extractor,
        weights_note,
        int(sum(int(valid.sum()) for valid in parts)),
        seed,
    )


def headline(found: FeatureMap) -> str:
    """The map in two sentences."""
    counts = found.points["split"].value_counts()
    train, test = int(counts.get("train", 0)), int(counts.get("test", 0))
    right = (found.points["predicted"] == found.points["code"]).sum()
    placed = found.embedding
    return (
        f"{train:,} train and {test:,} test rows of {found.valid_rows:,} with features, placed by t-SNE (perplexity "
        f"{placed.perplexity:.0f}) on {placed.components} principal components, which hold {placed.variance:.0%} of "
        f"the variance. Of a row's ten nearest rows {placed.neighbours_kept:.0%} are among its ten nearest here. A "
        f"head that had not seen them gave {right / max(train, 1):.0%} of the train rows the class of their label."
    )


def points_version(found: FeatureMap) -> str:
    """Hexadecimal digest of the points and of the images that they show."""
    numbers = ["probability", "x", "y"]
    texts = pd.concat([found.points.drop(columns=numbers), found.files], axis=1)
    parts = [content_version(texts), *(array_version(found.points[name].to_numpy()) for name in numbers)]
    return sha256_of_bytes("\n".join(parts).encode())
