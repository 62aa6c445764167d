"""A sensor that deletes Dagster's records of old runs, so that its event log does not grow for ever.

What the interface shows of assets stays: a run is kept while any of its materialisations, observations or check
outcomes is the newest of its asset and partition. Files of the storage are not Dagster's, and are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from rakuten_assets.defs.check_outcomes import newest_outcomes
from rakuten_assets.settings import Settings

_SECONDS_BETWEEN_LOOKS = 24 * 3600
_AT_ONCE = 200  # runs a look deletes; what is left waits for the next one
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_SHOWN = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}


def _now() -> datetime:
    return datetime.now(UTC)


def build_retention(settings: Settings, now: Callable[[], datetime] = _now) -> list[dg.SensorDefinition]:
    """The sensor `old_runs`; none where the settings keep all runs."""
    if not settings.keep_runs_days:
        return []

    @dg.sensor(
        name="old_runs",
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Every day: deletes the records of runs that ended more than RAKUTEN_KEEP_RUNS_DAYS days ago and "
        "whose results were all made again since.",
    )
    def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        before = now() - timedelta(days=settings.keep_runs_days)
        deleted = 0
        for run_id in superseded_runs(context.instance, before):
            context.instance.delete_run(run_id)
            deleted += 1
            if deleted == _AT_ONCE:
                break
        return dg.SkipReason(f"{deleted} runs deleted" if deleted else "no run is both old and superseded")

    return [old_runs]


def superseded_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    """Ids of runs that ended before a time, and of which nothing is the newest of its kind; the oldest first."""
    newest = _Newest(instance)
    old = dg.RunsFilter(statuses=_ENDED, updated_before=before)
    for record in instance.get_run_records(old, ascending=True):
        run_id = record.dagster_run.run_id
        if not any(newest.has(event) for event in _shown_events(instance, run_id)):
            yield run_id


def _shown_events(instance: dg.DagsterInstance, run_id: str) -> Iterator[dg.EventLogRecord]:
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(run_id, cursor, of_type=_SHOWN)
        yield from page.records
        if not page.has_more:
            return
        cursor = page.cursor


class _Newest:
    """Which events are the newest of their asset, partition and kind; each is asked for once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._known: dict[tuple[Any, ...], str | None] = {}

    def has(self, record: dg.EventLogRecord) -> bool:
        """Whether the newest event of this one's kind belongs to the same run."""
        event = record.event_log_entry.get_dagster_event()
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            outcome = event.asset_check_evaluation_data
            kind: tuple[Any, ...] = (outcome.asset_check_key, outcome.partition)
            ask: Callable[..., str | None] = self._check
        else:
            kind = (event.asset_key, event.partition, event.event_type)
            ask = self._event
        if kind not in self._known:
            self._known[kind] = ask(*kind)
        return self._known[kind] == record.run_id

    def _event(self, asset: dg.AssetKey, partition: str | None, kind: dg.DagsterEventType) -> str | None:
        wanted = dg.AssetRecordsFilter(asset, asset_partitions=[partition] if partition else None)
        materialized = kind == dg.DagsterEventType.ASSET_MATERIALIZATION
        fetch = self._instance.fetch_materializations if materialized else self._instance.fetch_observations
        records = fetch(wanted, limit=1).records
        return records[0].run_id if records else None

    def _check(self, check: dg.AssetCheckKey, partition: str | None) -> str | None:
        found = dict(newest_outcomes(self._instance, [check], partition))
        return str(found[check].run_id) if check in found else None
