"""Which materialisation a partition's check result is about.

The one place that uses a class which Dagster does not export. `dg.AssetCheckEvaluation`, which is public, holds an
instance of it; without that, Dagster's interface shows the result as one of an older materialisation. A test fails
with a sentence if a release of Dagster moves or changes the class.
"""

from collections.abc import Iterable

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as CheckTarget,
)

__all__ = ["CheckTarget", "check_targets"]


def check_targets(records: Iterable[dg.EventLogRecord]) -> dict[str, CheckTarget]:
    """The newest materialisation of each partition, from records in order of time, newest first."""
    targets: dict[str, CheckTarget] = {}
    for record in records:
        if record.partition_key is not None and record.partition_key not in targets:
            targets[record.partition_key] = CheckTarget(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
    return targets
