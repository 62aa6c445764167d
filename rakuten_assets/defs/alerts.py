"""Sensors that tell a webhook of failed runs, checks that are not well, stale shards; each once, until it changes."""

import json
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from rakuten_assets.defs.features.schedules import WHY, refresh_requests
from rakuten_assets.defs.shards import span_of_run
from rakuten_assets.runtime.webhook import post_message
from rakuten_assets.settings import Settings

_SECONDS_BETWEEN_LOOKS = 60
_SECONDS_BETWEEN_LOOKS_AT_THE_STORAGE = 3600
_AT_ONCE = 200  # events a look takes; what is left waits for the next one
_MOST_LINES = 20
_LONGEST_REASON = 300

_WELL = "well"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass
class Seen:
    """Up to where the event log was read, and what was told of each check that is not well.

    Attributes:
        run, check: places in the log; None before the first look.
        told: "asset:check:partition" to "failed" or "warned".
    """

    run: int | None = None
    check: int | None = None
    told: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: str | None) -> "Seen":
        """What the sensor's cursor says; one that cannot be read is a first look."""
        try:
            content = json.loads(cursor or "")
            return cls(int(content["run"]), int(content["check"]), dict(content["told"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def cursor(self) -> str:
        return json.dumps({"run": self.run, "check": self.check, "told": self.told}, sort_keys=True)


def build_alerts(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors `alerts` and `stale_shards`; none where the settings name no webhook."""
    if settings.webhook is None:
        return []
    address, interface = settings.webhook.get_secret_value(), settings.interface

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Every minute: posts runs that failed (also those whose process died, once run monitoring has "
        "noticed), and checks that failed or warned, to RAKUTEN_WEBHOOK. A check is told again when its outcome "
        "changes. What the webhook does not take is posted again.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        seen = Seen.of(context.cursor)
        told = tell_news(context.instance, seen, interface, lambda text: post_message(address, text))
        context.update_cursor(seen.cursor())
        return dg.SkipReason(f"{told} told" if told else "nothing new")

    @dg.sensor(
        name="stale_shards",
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS_AT_THE_STORAGE,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Every hour, unless a run is under way: posts what the schedule `refresh_stale_shards` would make "
        "again (shards whose features are missing or out of date, matrices, published files) to RAKUTEN_WEBHOOK, each "
        "once until it changes.",
    )
    def stale_shards(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if context.instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY)):
            return dg.SkipReason("a run is under way")
        stale = refresh_requests(settings, context.instance)
        told = tell_stale(
            stale, _told_before(context.cursor), interface, lambda text: post_message(address, text)
        )
        context.update_cursor(json.dumps([request.run_key for request in stale]))
        return dg.SkipReason(f"{told} told" if told else "nothing new")

    return [alerts, stale_shards]


def tell_stale(
    stale: Sequence[dg.RunRequest], before: Collection[str], interface: str, post: Callable[[str], None]
) -> int:
    """Post what is to be made again and was not told before, in one message; how many runs that would be.

    Args:
        stale: as `refresh_requests` gives them. One that says no reason is a storage that nothing was made in yet.
        before: keys of those that were told.

    Raises:
        DeliveryError: the message was not taken.
    """
    new = [request for request in stale if request.run_key not in before and request.tags.get(WHY)]
    if new:
        lines = [
            f"Out of date{f', shard {one.partition_key}' if one.partition_key else ''}: {_shortened(one.tags[WHY])}"
            for one in new[:_MOST_LINES]
        ]
        more = [f"and {len(new) - len(lines)} more"] if len(new) > len(lines) else []
        post(
            "\n".join(
                [*lines, *more, f"The schedule refresh_stale_shards makes it again: {interface}/automation"]
            )
        )
    return len(new)


def _told_before(cursor: str | None) -> set[str]:
    try:
        return set(json.loads(cursor or "[]"))
    except (ValueError, TypeError):
        return set()


def tell_news(instance: dg.DagsterInstance, seen: Seen, interface: str, post: Callable[[str], None]) -> int:
    """Post what has happened since the last look, in one message; how many pieces of news that were.

    Args:
        seen: brought up to date once the message has been taken. On a first look nothing is told: what is in the log
            is old.
        interface: address of Dagster's interface, for links.

    Raises:
        DeliveryError: the message was not taken; `seen` is as it was.
    """
    if seen.run is None or seen.check is None:
        last = _run_failures(instance, None, 1, ascending=False)
        seen.run = last[0].storage_id if last else 0
        seen.check = instance.event_log_storage.get_maximum_record_id() or 0
        return 0
    runs = _run_failures(instance, seen.run, _AT_ONCE, ascending=True)
    checks = _evaluations(instance, seen.check)
    told = dict(seen.told)
    changed = list(_changed_checks(checks.values(), told, interface))
    news = len(runs) + len(changed)
    if news:
        lines = [_failed_run(instance, record, interface) for record in runs[:_MOST_LINES]]
        lines += changed[: _MOST_LINES - len(lines)]
        more = [f"and {news - len(lines)} more: {interface}/runs"] if news > len(lines) else []
        post("\n".join([*lines, *more]))
    seen.run = runs[-1].storage_id if runs else seen.run
    seen.check = max(checks, default=seen.check)
    seen.told = told
    return news


def _failed_run(instance: dg.DagsterInstance, record: Any, interface: str) -> str:
    run_id = record.event_log_entry.run_id
    run = instance.get_run_by_id(run_id)
    shards = "...".join(span_of_run(run.tags if run is not None else {}))
    of = f", shards {shards}" if shards else ""
    return f"Run failed{of}: {_reason(instance, record)} {interface}/runs/{run_id}"


def _reason(instance: dg.DagsterInstance, record: Any) -> str:
    """Why a run failed: the innermost error of its first failed step, else what the event says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failures = instance.all_logs(record.event_log_entry.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    for entry in failures:
        event = entry.dagster_event
        error = getattr(event.event_specific_data, "error", None) if event is not None else None
        while error is not None and error.cause is not None:
            error = error.cause
        if event is not None and error is not None:
            return _shortened(f"{event.step_key}: {error.message}")
    event = record.event_log_entry.dagster_event
    return _shortened((event.message if event is not None else "") or "no reason is recorded")


def _changed_checks(events: Iterable[Any], told: dict[str, str], interface: str) -> Iterator[str]:
    """A line for each check whose outcome is another one than was told; `told` follows."""
    for event in events:
        evaluation = event.dagster_event.event_specific_data
        outcome = _WELL
        if not evaluation.passed:
            outcome = "warned" if evaluation.severity == dg.AssetCheckSeverity.WARN else "failed"
        name = evaluation.asset_key.to_user_string()
        key = f"{name}:{evaluation.check_name}:{evaluation.partition or ''}"
        if outcome == told.get(key, _WELL):
            continue
        of = f", shard {evaluation.partition}" if evaluation.partition else ""
        about = f"{name}{of}, check {evaluation.check_name}"
        link = f"{interface}/assets/{name}?view=checks"
        if outcome == _WELL:
            del told[key]
            yield f"Well again: {about} {link}"
        else:
            told[key] = outcome
            yield f"Check {outcome}: {about}: {_shortened(evaluation.description or 'no reason is given')} {link}"


def _run_failures(
    instance: dg.DagsterInstance, after: int | None, limit: int, ascending: bool
) -> Sequence[Any]:
    wanted = dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=after)
    return instance.fetch_run_status_changes(wanted, limit=limit, ascending=ascending).records


def _evaluations(instance: dg.DagsterInstance, after: int) -> Mapping[int, Any]:
    """Events of checks by their place in the log, the oldest first.

    Of the storage: the instance's own way, `get_event_records`, is refused by the SQLite that Dagster comes with.
    """
    return instance.event_log_storage.get_logs_for_all_runs_by_log_id(
        after_cursor=after, dagster_event_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION, limit=_AT_ONCE
    )


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."
