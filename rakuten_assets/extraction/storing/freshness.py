"""Which shards' features are missing or out of date: a pure comparison of what is stored with what should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.dataset.manifest import shard_rows
from rakuten_assets.extraction.storing.features import FeatureArray, content_digest, rows_digest, shard_table


@dataclass(frozen=True)
class ShardState:
    """Why a shard must be made again, if it must.

    Attributes:
        shard: its key.
        reasons: why it must be made again, a few words each; none if it is up to date.
        content: digest of the images that it should hold, as far as they are known.
    """

    shard: str
    reasons: tuple[str, ...]
    content: str

    @property
    def is_stale(self) -> bool:
        return bool(self.reasons)


def shard_state(
    shard: str,
    manifest: pd.DataFrame,
    scan: pd.DataFrame | None,
    features: Mapping[Split, FeatureArray | None],
    fingerprint: Mapping[str, Any],
) -> ShardState:
    """Compare one shard's stored scan and features with the manifest and the present extractor.

    Args:
        manifest: rows of all shards.
        scan: the shard's stored scan, None if there is none.
        features: by split, what is stored, None if there is nothing whole.
        fingerprint: of the extractor that the settings describe, as its `as_dict()`.
    """
    expected = shard_rows(manifest, shard)
    ids = content_digest(*expected["file"])
    if scan is None:
        return ShardState(shard, ("not scanned",), ids)
    if not np.array_equal(scan["file"].to_numpy(), expected["file"].to_numpy()):
        return ShardState(shard, ("rows changed since the scan",), ids)
    reasons, digests = [], []
    for split in SPLITS:
        digests.append(rows_digest(shard_table(scan[scan["split"] == split])))
        stored = features.get(split)
        if stored is None:
            reasons.append(f"{split} features missing")
        elif dict(stored.fingerprint) != dict(fingerprint):
            reasons.append(f"{split} features of another extractor")
        elif rows_digest(stored.rows) != digests[-1]:
            reasons.append(f"{split} images changed")
    return ShardState(shard, tuple(reasons), content_digest(ids, *digests))
