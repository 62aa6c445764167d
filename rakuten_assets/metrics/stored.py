"""Parts of the metrics that lie in the storage: images, extractors, the published set. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from upath import UPath

from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.speed import recorded_speed
from rakuten_assets.images.reasons import REMARKS, Reason, Status
from rakuten_assets.metrics.names import (
    FEATURES_AGE,
    IMAGES_PER_SECOND,
    PUBLISHED_AGE,
    QUARANTINED_IMAGES,
    SCANNED_IMAGES,
    Values,
)
from rakuten_assets.outputs.loading import published_manifest, read_published_manifest
from rakuten_assets.readiness.stored import NotStoredError, Stored
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import read_together
from rakuten_assets.storage.tables import read_table

# Each is shown, also where there is none: a series that begins at 1 has no increase.
_UNUSABLE = [str(reason) for reason in Reason if reason not in REMARKS]


def images(root: UPath) -> Values:
    """How many images the stored scan is of, and how many it found unusable; of the shards that are scanned.

    Raises:
        StoreError: no shard is, or one is damaged.
    """
    stored = Stored.open(root)
    keys = shard_keys(stored.storage.shards) if stored.storage.shards else []
    scanned: Counter[str] = Counter(dict.fromkeys(SPLITS, 0))
    unusable: Counter[tuple[str, str]] = Counter(
        {(split, reason): 0 for split in SPLITS for reason in _UNUSABLE}
    )
    found = 0

    def read(key: str) -> pd.DataFrame:
        return read_table(stored.storage.asset_file(["image_scan"], key, ".parquet"))

    for _, table in read_together(read, keys, far=not is_local(root)):
        try:
            scan = table()
        except (FileNotFoundError, NotADirectoryError):
            continue
        found += 1
        scanned.update(map(str, scan["split"]))
        bad = scan[scan["status"] != str(Status.OK)]
        unusable.update(
            (str(split), str(reason)) for split, reason in zip(bad["split"], bad["reason"], strict=True)
        )
    if not found:
        raise StoreError(f"image_scan is not stored in {root} yet; run the graph first")
    return {
        SCANNED_IMAGES.name: [((split,), count) for split, count in scanned.items()],
        QUARANTINED_IMAGES.name: list(unusable.items()),
    }


def extractors(root: UPath, configured: Sequence[str]) -> Values:
    """Speed of each extractor, where it was measured, and when its features were put together.

    Of the configured ones and those in the published set: to look for others would be a listing for every folder.

    Args:
        configured: families of the settings' backbones.

    Raises:
        StoreError: there are no features, or what describes them is damaged.
    """
    stored, manifest = Stored.open(root), published_manifest(root)
    speeds, made = [], []
    for family in dict.fromkeys([*configured, *(manifest.names if manifest is not None else ())]):
        try:
            about = stored.document(f"{family}/metadata")
        except NotStoredError:  # a run that is under way makes the metadata last
            continue
        made.append(((family,), _moment(about.get("timestamp"), f"{family}/metadata")))
        speed = recorded_speed(root, str(about.get("fingerprint")))
        if speed is not None:
            speeds.append(((family, speed.machine), speed.images_per_second))
    if not made:
        raise StoreError(f"no features are stored in {root} yet; run the graph first")
    return {IMAGES_PER_SECOND.name: speeds, FEATURES_AGE.name: made}


def published(root: UPath) -> Values:
    """When the set was published.

    Raises:
        StoreError: nothing whole is published.
    """
    manifest = read_published_manifest(root)
    return {PUBLISHED_AGE.name: [((), _moment(manifest.published_at, "outputs/manifest.json"))]}


def _moment(text: Any, file: str) -> float:
    """Seconds since 1970 of a recorded time."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise StoreError(
            f"{file} records no time that can be read ({str(text)[:40]!r}); make it again"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
