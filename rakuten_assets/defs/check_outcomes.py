"""The newest outcome of asset checks, as Dagster's event log has it.

The one place that uses two names which Dagster does not export: they are arguments of public methods of its event log.
A test fails with a sentence if a release of Dagster moves or changes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES


def newest_outcomes(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], partition: str | None
) -> Iterator[tuple[dg.AssetCheckKey, Any]]:
    """The record of the newest outcome of each check that has one: one query, and one more for each that waits for its
    run. What a run will say that is under way, or died, is not known: the outcome before counts.

    Args:
        partition: None: of an asset that has none.
    """
    log = instance.event_log_storage
    wanted = PartitionKeyFilter(key=partition)
    latest = log.get_latest_asset_check_execution_by_key(checks, wanted)
    for key in checks:
        record = latest.get(key)
        if record is not None and record.status not in COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES:
            before = log.get_asset_check_execution_history(
                key, limit=1, status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES, partition_filter=wanted
            )
            record = before[0] if before else None
        if record is not None and record.evaluation is not None:
            yield key, record
