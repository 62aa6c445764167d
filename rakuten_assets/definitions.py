"""The project as Dagster sees it: `defs`, built from the environment; `build_defs` builds any other variant."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

# Dagster marks much of what stable releases consist of (backfill policies, partitioned checks, its own CLI) as
# beta, preview or superseded, a warning each. Exactly these categories are silenced, here and nowhere else.
for _category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
    warnings.filterwarnings("ignore", category=_category)

from rakuten_assets.defs.alerts import build_alerts  # noqa: E402
from rakuten_assets.defs.augmentation import stage as augmentation  # noqa: E402
from rakuten_assets.defs.catalog import stage as catalog  # noqa: E402
from rakuten_assets.defs.cluster.retention import build_retention  # noqa: E402
from rakuten_assets.defs.evaluation import stage as evaluation  # noqa: E402
from rakuten_assets.defs.executor import build_executor  # noqa: E402
from rakuten_assets.defs.features import stage as features  # noqa: E402
from rakuten_assets.defs.finetuning import stage as finetuning  # noqa: E402
from rakuten_assets.defs.jobs import build_automation, build_jobs  # noqa: E402
from rakuten_assets.defs.labels import stage as labels  # noqa: E402
from rakuten_assets.defs.outputs import stage as outputs  # noqa: E402
from rakuten_assets.defs.raw import stage as raw  # noqa: E402
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
    ['augmentation', 'catalog', 'evaluation', 'everything', 'features', 'labels']
    """
    speak_plainly()  # also of settings that are refused
    chosen = settings or Settings.load()
    shards = ShardPartitions(chosen.shards, chosen.shards_per_run)
    jobs = build_jobs()
    stages = [
        raw.build(chosen),
        catalog.build(shards),
        labels.build(),
        augmentation.build(shards),
        features.build(chosen, shards, jobs["everything"]),
        outputs.build(chosen),
        evaluation.build(chosen),
    ]
    around = dg.Definitions(
        jobs=list(jobs.values()),
        sensors=[build_automation(), *build_alerts(chosen), *build_retention(chosen)],
        resources={**build_resources(chosen), **(resources or {})},
        executor=build_executor(chosen, everything=_steps(stages)),
    )
    return dg.Definitions.merge(*stages, finetuning.build(chosen), around)


def _steps(stages: Iterable[dg.Definitions]) -> list[str]:
    """Keys of the steps that make what these stages hold."""
    assets = [
        asset for stage in stages for asset in stage.assets or () if isinstance(asset, dg.AssetsDefinition)
    ]
    return [asset.op.name for asset in assets if asset.is_materializable]


defs = build_defs()
