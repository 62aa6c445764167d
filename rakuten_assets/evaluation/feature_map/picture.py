"""A feature map as a still picture."""

from __future__ import annotations

import numpy as np

from rakuten_assets.dataset.labels import class_text
from rakuten_assets.evaluation.feature_map.contents import FeatureMap
from rakuten_assets.plots import scatter_png


def map_png(found: FeatureMap) -> bytes:
    """The points by class, test rows pale behind them."""
    points, placed = found.points, found.embedding
    codes = np.unique(points["code"].dropna().to_numpy(dtype=np.int64))
    labels = points["code"].fillna(-1).to_numpy(dtype=np.int64)
    categories = np.where(labels >= 0, np.searchsorted(codes, labels), -1)
    return scatter_png(
        points[["x", "y"]].to_numpy(),
        categories,
        [class_text(code) for code in codes.tolist()],
        f"Feature map: {found.extractor}",
        f"t-SNE of {len(points):,} rows, perplexity {placed.perplexity:.0f}, seed {found.seed}; near means near, far "
        "means little",
        others="test",
    )
