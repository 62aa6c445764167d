"""The metrics: name, meaning, labels, and the part that each belongs to.

Named as Prometheus asks for it: base units at the end of the name, `_info` where the labels are what is said. All are
gauges: each may fall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["shards", "checks", "runs", "images", "extractors", "published"]

PARTS: tuple[Part, ...] = ("shards", "checks", "runs", "images", "extractors", "published")
"""What is read together, and is absent together where it cannot be read."""

Values = Mapping[str, Sequence[tuple[tuple[str, ...], float]]]
"""By a metric's name: values of its labels, in their order, and the figure."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as Prometheus shows it.
        help: what it is, in a sentence.
        part: what it is read with; None: about the reading itself.
        labels: names of its labels.
        is_age: what is read is a moment (seconds since 1970), what is shown is the time since.
    """

    name: str
    help: str
    part: Part | None
    labels: tuple[str, ...] = ()
    is_age: bool = False


SHARDS = Metric("rakuten_shards", "Shards that the images are split into.", "shards")
STALE_SHARDS = Metric(
    "rakuten_stale_shards", "Shards whose scan or features are missing or out of date.", "shards"
)
STALE_SET = Metric(
    "rakuten_published_set_stale",
    "1: the published set is not what the present images, settings and extractors give; 0: it is.",
    "shards",
)
EVALUATED_CHECKS = Metric(
    "rakuten_evaluated_asset_checks", "Asset checks that were evaluated at least once.", "checks"
)
FAILING_CHECKS = Metric(
    "rakuten_failing_asset_checks",
    "Asset checks whose latest evaluation is not well, each counted once, by the worst of its shards.",
    "checks",
    ("severity",),
)
FAILING_CHECK_INFO = Metric(
    "rakuten_failing_asset_check_info",
    "1 for each asset check, and each shard of it, whose latest evaluation is not well.",
    "checks",
    ("asset", "check", "shard", "severity"),
)
RUNS = Metric("rakuten_runs", "Runs in Dagster's history by their present status.", "runs", ("status",))
SCANNED_IMAGES = Metric("rakuten_scanned_images", "Images in the stored scan.", "images", ("split",))
QUARANTINED_IMAGES = Metric(
    "rakuten_quarantined_images",
    "Images that the stored scan found unusable, by the reason.",
    "images",
    ("split", "reason"),
)
IMAGES_PER_SECOND = Metric(
    "rakuten_extractor_images_per_second",
    "Images per second of an extractor, from files to stored rows, as last measured, and the machine of that.",
    "extractors",
    ("extractor", "machine"),
)
FEATURES_AGE = Metric(
    "rakuten_extractor_features_age_seconds",
    "Time since an extractor's features were last put together (its metadata were made).",
    "extractors",
    ("extractor",),
    is_age=True,
)
PUBLISHED_AGE = Metric(
    "rakuten_published_set_age_seconds", "Time since the set was published.", "published", is_age=True
)
SCRAPE_ERROR = Metric(
    "rakuten_scrape_error",
    "1: this part could not be read when it was last tried, and its metrics are absent; 0: it could, or nobody tried.",
    None,
    ("part",),
)
SCRAPE_AGE = Metric(
    "rakuten_scrape_age_seconds",
    "Time since this part was last read; since the start, where it never was.",
    None,
    ("part",),
)
SCRAPE_DURATION = Metric(
    "rakuten_scrape_duration_seconds", "Time that the last reading of this part took.", None, ("part",)
)

METRICS = (
    SHARDS,
    STALE_SHARDS,
    STALE_SET,
    EVALUATED_CHECKS,
    FAILING_CHECKS,
    FAILING_CHECK_INFO,
    RUNS,
    SCANNED_IMAGES,
    QUARANTINED_IMAGES,
    IMAGES_PER_SECOND,
    FEATURES_AGE,
    PUBLISHED_AGE,
    SCRAPE_ERROR,
    SCRAPE_AGE,
    SCRAPE_DURATION,
)
"""All of them, in the order of their showing."""
