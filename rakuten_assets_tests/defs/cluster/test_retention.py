"""Old records go, and what the interface shows of assets and checks stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from rakuten_assets.defs.cluster.retention import build_retention, superseded_runs
from rakuten_assets.settings import Settings

SHARDS = dg.StaticPartitionsDefinition(["00", "01"])
NOW = datetime.now(UTC) + timedelta(days=1)


@dg.asset(check_specs=[dg.AssetCheckSpec("well", asset="whole")])
def whole() -> Iterator[Any]:
    yield dg.Output(None)
    yield dg.AssetCheckResult(passed=True)


@dg.asset(partitions_def=SHARDS)
def split() -> None:
    """One partition a run."""


@dg.asset(check_specs=[dg.AssetCheckSpec("well", asset="refusing", blocking=True)])
def refusing() -> Iterator[Any]:
    yield dg.AssetCheckResult(passed=False)
    raise dg.Failure("nothing is stored")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def _run(instance: dg.DagsterInstance, asset: Any, shard: str | None = None) -> str:
    return dg.materialize([asset], instance=instance, partition_key=shard, raise_on_error=False).run_id


def test_a_run_goes_once_all_that_it_made_was_made_again(instance: dg.DagsterInstance) -> None:
    first, second = _run(instance, whole), _run(instance, whole)
    assert list(superseded_runs(instance, NOW)) == [first]
    instance.delete_run(first)
    latest = instance.get_latest_materialization_event(dg.AssetKey("whole"))
    assert latest is not None
    assert latest.run_id == second


def test_each_partition_keeps_its_newest_run(instance: dg.DagsterInstance) -> None:
    old = _run(instance, split, "00")
    _run(instance, split, "01")
    assert not list(superseded_runs(instance, NOW))
    _run(instance, split, "00")
    assert list(superseded_runs(instance, NOW)) == [old]
    instance.delete_run(old)
    assert instance.get_materialized_partitions(dg.AssetKey("split")) == {"00", "01"}


def test_a_check_that_failed_last_is_not_forgotten(instance: dg.DagsterInstance) -> None:
    _run(instance, refusing)
    assert not list(superseded_runs(instance, NOW))


def test_a_run_that_died_before_its_check_does_not_take_the_last_outcome_along(
    instance: dg.DagsterInstance,
) -> None:
    judged = _run(instance, refusing)
    job = dg.Definitions([refusing], jobs=[dg.define_asset_job("job")]).resolve_job_def("job")
    died = instance.create_run_for_job(job)  # plans the check
    instance.report_run_failed(died)
    assert list(superseded_runs(instance, NOW)) == [died.run_id]
    instance.delete_run(died.run_id)
    assert instance.get_run_by_id(judged) is not None


def test_a_young_run_stays(instance: dg.DagsterInstance) -> None:
    _run(instance, whole)
    _run(instance, whole)
    assert not list(superseded_runs(instance, datetime.now(UTC) - timedelta(hours=1)))


def test_a_run_that_is_under_way_stays(instance: dg.DagsterInstance) -> None:
    instance.add_run(dg.DagsterRun("job", run_id="under-way", status=dg.DagsterRunStatus.STARTED))
    instance.add_run(dg.DagsterRun("job", run_id="cancelled", status=dg.DagsterRunStatus.CANCELED))
    assert list(superseded_runs(instance, NOW)) == ["cancelled"]


@pytest.mark.parametrize(("days", "deleted"), [(29, False), (31, True)])
def test_the_sensor_deletes_after_so_many_days(
    instance: dg.DagsterInstance, days: int, deleted: bool
) -> None:
    first, second = _run(instance, whole), _run(instance, whole)
    (sensor,) = build_retention(Settings(keep_runs_days=30), lambda: datetime.now(UTC) + timedelta(days=days))
    sensor(dg.build_sensor_context(instance))
    assert (instance.get_run_by_id(first) is None) == deleted
    assert instance.get_run_by_id(second) is not None


def test_no_days_no_sensor() -> None:
    assert build_retention(Settings()) == []
