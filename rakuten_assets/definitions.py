"""The project as Dagster sees it: `defs`, built from the environment; `build_defs` builds any other variant."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

# Dagster marks much of what stable releases consist of (backfill policies, partitioned checks, its own CLI) as
# beta, preview or superseded, a warning each. Exactly these categories are silenced, here and nowhere else.
for _category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
    warnings.filterwarnings("ignore", category=_category)

from rakuten_assets.defs.catalog.assets import build_image_scan, image_manifest  # noqa: E402
from rakuten_assets.defs.catalog.masks import test_valid, train_valid  # noqa: E402
from rakuten_assets.defs.catalog.report import duplicate_groups, integrity_report  # noqa: E402
from rakuten_assets.defs.executor import build_executor  # noqa: E402
from rakuten_assets.defs.features.assets import build_features  # noqa: E402
from rakuten_assets.defs.features.schedules import build_schedule  # noqa: E402
from rakuten_assets.defs.jobs import build_jobs  # noqa: E402
from rakuten_assets.defs.labels.assets import class_weights, label_encoder, train_labels  # noqa: E402
from rakuten_assets.defs.outputs.assets import build_outputs  # noqa: E402
from rakuten_assets.defs.raw.assets import x_test, x_train, y_train  # noqa: E402
from rakuten_assets.defs.raw.sensors import build_sensor  # noqa: E402
from rakuten_assets.defs.resources import build_resources  # noqa: E402
from rakuten_assets.defs.shards import ShardPartitions  # noqa: E402
from rakuten_assets.defs.terminal import speak_plainly  # noqa: E402
from rakuten_assets.settings import Settings  # noqa: E402


def build_defs(
    settings: Settings | None = None, resources: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Everything, for one set of settings; two results share no state.

    Args:
        settings: default: from the environment and `.env`.
        resources: replace those of the same name.

    Raises:
        SettingsError: naming the variable, its value and what is allowed.

    >>> defs = build_defs(Settings(shards=2, storage="/tmp/elsewhere"))
    >>> sorted(job.name for job in defs.jobs)
    ['catalog', 'everything', 'features', 'labels']
    """
    speak_plainly()  # also of settings that are refused
    chosen = settings or Settings.load()
    shards = ShardPartitions(chosen.shards, chosen.shards_per_run)
    jobs = build_jobs()
    return dg.Definitions(
        assets=[
            x_train,
            y_train,
            x_test,
            image_manifest,
            build_image_scan(shards),
            train_valid,
            test_valid,
            duplicate_groups,
            integrity_report,
            label_encoder,
            train_labels,
            class_weights,
            *build_features(chosen, shards),
            build_outputs(chosen),
        ],
        jobs=list(jobs.values()),
        schedules=[build_schedule(chosen, jobs["everything"])],
        sensors=[build_sensor(chosen, jobs["everything"])],
        resources={**build_resources(chosen), **(resources or {})},
        executor=build_executor(chosen),
    )


defs = build_defs()
