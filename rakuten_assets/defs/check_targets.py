"""Which materialisation a partition's check result is about: the one place that needs a class Dagster does not export.

`dg.AssetCheckEvaluation` is public and made of it. Without it, Dagster's interface takes a result for one of an older
materialisation. A test says so if a release of Dagster moves or changes it.
"""

from collections.abc import Iterable

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as CheckTarget,
)

__all__ = ["CheckTarget", "check_targets"]


def check_targets(records: Iterable[dg.EventLogRecord]) -> dict[str, CheckTarget]:
    """By partition, the newest of materialisation records, which come newest first."""
    targets: dict[str, CheckTarget] = {}
    for record in records:
        if record.partition_key is not None and record.partition_key not in targets:
            targets[record.partition_key] = CheckTarget(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
    return targets
