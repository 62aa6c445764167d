"""Runs and checks as Dagster's own event log has them."""

from __future__ import annotations

import dagster as dg
import pytest

from rakuten_assets.metrics.history import Check, asset_checks, checks_of, runs
from rakuten_assets_tests.metrics.conftest import SHARDS, graph, run

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


@pytest.fixture
def checks() -> list[Check]:
    return checks_of(dg.Definitions(assets=list(graph().values())))


class Found:
    """What the log says of the checks now."""

    def __init__(self, instance: dg.DagsterInstance, checks: list[Check]) -> None:
        values = asset_checks(instance, checks, len(SHARDS))
        ((_, self.evaluated),) = values["rakuten_evaluated_asset_checks"]
        self.counts = {labels[0]: count for labels, count in values["rakuten_failing_asset_checks"]}
        assert all(value == 1 for _, value in values["rakuten_failing_asset_check_info"])
        self.failing = {":".join(labels) for labels, _ in values["rakuten_failing_asset_check_info"]}


def test_checks_of_the_graph_know_whether_they_have_shards(checks: list[Check]) -> None:
    assert {check.key.to_user_string(): check.by_shard for check in checks} == {
        "table:finite": False,
        "table:complete": False,
        "scan:finite": True,
    }


def test_an_empty_history_has_no_runs_and_no_evaluations(
    instance: dg.DagsterInstance, checks: list[Check]
) -> None:
    found = Found(instance, checks)
    assert (found.evaluated, found.counts, found.failing) == (0, {"error": 0, "warn": 0}, set())
    values = dict(runs(instance)["rakuten_runs"])
    assert values[("queued",)] == values[("started",)] == values[("failure",)] == 0


def test_the_latest_evaluation_of_each_check_counts(
    instance: dg.DagsterInstance, checks: list[Check]
) -> None:
    run(instance, "table", finite="error", complete="warn")
    assert Found(instance, checks).failing == {"table:finite::error", "table:complete::warn"}
    run(instance, "table", complete="error")
    found = Found(instance, checks)
    assert (found.evaluated, found.counts) == (2, {"error": 1, "warn": 0})
    assert found.failing == {"table:complete::error"}
    run(instance, "table")
    found = Found(instance, checks)
    assert (found.counts, found.failing) == ({"error": 0, "warn": 0}, set())


def test_a_check_by_shard_counts_once_by_its_worst_shard(
    instance: dg.DagsterInstance, checks: list[Check]
) -> None:
    run(instance, "scan", "00", finite="error")
    run(instance, "scan", "01", finite="warn")
    found = Found(instance, checks)
    assert found.failing == {"scan:finite:00:error", "scan:finite:01:warn"}
    assert (found.evaluated, found.counts) == (1, {"error": 1, "warn": 0})
    run(instance, "scan", "00")
    found = Found(instance, checks)
    assert (found.failing, found.counts) == ({"scan:finite:01:warn"}, {"error": 0, "warn": 1})


def test_a_run_under_way_leaves_the_outcome_before_it(
    instance: dg.DagsterInstance, checks: list[Check]
) -> None:
    run(instance, "table", finite="error")
    seen = []

    def look() -> None:
        key = dg.AssetCheckKey(dg.AssetKey("table"), "finite")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        seen.append(
            (record.status.value, Found(instance, checks).failing, dict(runs(instance)["rakuten_runs"]))
        )

    run(instance, "table", during=look)
    ((status, failing, counts),) = seen
    assert (status, failing) == ("PLANNED", {"table:finite::error"})
    assert (counts[("started",)], counts[("success",)]) == (1, 1)
    assert Found(instance, checks).failing == set()


def test_a_check_that_the_graph_no_longer_has_is_nobodys_concern(
    instance: dg.DagsterInstance, checks: list[Check]
) -> None:
    """Not even where another asset has one of the same name."""
    run(instance, "table", complete="error")
    run(instance, "scan", "00", finite="error")
    left = [check for check in checks if check.key.to_user_string() != "table:complete"]
    renamed = Check(dg.AssetCheckKey(dg.AssetKey("other"), "complete"), by_shard=False)
    found = Found(instance, [*left, renamed])
    assert found.failing == {"scan:finite:00:error"}
    assert found.evaluated == 2


def test_runs_are_counted_by_status(instance: dg.DagsterInstance) -> None:
    run(instance, "table")
    run(instance, "table")
    run(instance, "table", error="no disk")
    values = dict(runs(instance)["rakuten_runs"])
    assert (values[("success",)], values[("failure",)], sum(values.values())) == (2, 1, 3)
