from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from rakuten_assets.defs.cluster.launcher import WatchedCeleryRunLauncher
from rakuten_assets.defs.cluster.queue import queue_address
from rakuten_assets.errors import SettingsError

HAS_IT = {"worker1@host": {"task": ["active", {}]}}
HAS_IT_NOT: dict[str, Any] = {"worker1@host": {}}
SILENT: dict[str, Any] = {}


class Launcher(WatchedCeleryRunLauncher):
    """Over workers that answer as they are told to."""

    state = "STARTED"
    answer: Mapping[str, Mapping[str, Any]] = HAS_IT
    asked: list[str] | None = None
    broken = False

    def task_state(self, task: str) -> tuple[str, str | None]:
        if self.broken:
            raise ConnectionError("Redis is away")
        return self.state, "worker1@host" if self.state == "STARTED" else None

    def ask_workers(self, task: str, workers: list[str] | None) -> Mapping[str, Mapping[str, Any]]:
        self.asked = workers
        return self.answer


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setenv("DAGSTER_BROKER_URL", "redis://127.0.0.1:1/0")
    return Launcher()


RUN = dg.DagsterRun(job_name="everything", run_id="run", tags={DAGSTER_CELERY_TASK_ID_TAG: "task"})


def _looks(launcher: Launcher, count: int) -> list[WorkerStatus]:
    return [launcher.check_run_worker_health(RUN).status for _ in range(count)]


@pytest.mark.parametrize("answer", [HAS_IT_NOT, SILENT], ids=["started anew", "silent"])
def test_a_run_whose_worker_has_it_no_more_fails_at_the_third_look(
    launcher: Launcher, answer: dict[str, Any]
) -> None:
    launcher.answer = answer
    assert _looks(launcher, 2) == [WorkerStatus.RUNNING] * 2
    failed = launcher.check_run_worker_health(RUN)
    assert failed.status == WorkerStatus.FAILED
    assert "worker1@host" in (failed.msg or "")
    assert launcher.asked == ["worker1@host"]


def test_a_worker_that_answers_again_is_forgiven(launcher: Launcher) -> None:
    for _ in range(4):
        launcher.answer = SILENT
        assert _looks(launcher, 2) == [WorkerStatus.RUNNING] * 2
        launcher.answer = HAS_IT
        assert _looks(launcher, 1) == [WorkerStatus.RUNNING]


def test_redis_that_is_away_says_nothing_of_a_run(launcher: Launcher) -> None:
    launcher.broken = True
    for _ in range(5):
        with pytest.raises(ConnectionError):
            launcher.check_run_worker_health(RUN)
    launcher.broken = False
    assert _looks(launcher, 1) == [WorkerStatus.RUNNING]


def test_a_run_that_ends_while_its_worker_is_looked_for_is_well(launcher: Launcher) -> None:
    class Ending(Launcher):
        def ask_workers(self, task: str, workers: list[str] | None) -> Mapping[str, Mapping[str, Any]]:
            self.state = "SUCCESS"
            return SILENT

    ending = Ending()
    for _ in range(5):
        ending.state = "STARTED"
        assert ending.check_run_worker_health(RUN).status == WorkerStatus.RUNNING
    assert ending.check_run_worker_health(RUN).status == WorkerStatus.SUCCESS


def test_a_task_whose_state_was_lost_is_looked_for_on_all_workers(launcher: Launcher) -> None:
    launcher.state = "PENDING"
    assert _looks(launcher, 5) == [WorkerStatus.RUNNING] * 5
    assert launcher.asked is None
    launcher.answer = HAS_IT_NOT
    assert _looks(launcher, 3)[-1] == WorkerStatus.FAILED


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("SUCCESS", WorkerStatus.SUCCESS),
        ("FAILURE", WorkerStatus.FAILED),
        ("REVOKED", WorkerStatus.FAILED),
    ],
)
def test_what_celery_knows_needs_no_question(launcher: Launcher, state: str, status: WorkerStatus) -> None:
    launcher.state, launcher.answer = state, SILENT
    assert _looks(launcher, 1) == [status]


def test_a_run_without_a_task_yet_is_let_alone(launcher: Launcher) -> None:
    young = dg.DagsterRun(job_name="everything", run_id="young")
    assert launcher.check_run_worker_health(young).status == WorkerStatus.RUNNING


@pytest.mark.parametrize("address", [None, "", "amqp://somewhere"])
def test_an_address_that_is_no_redis_is_refused(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.delenv("DAGSTER_BROKER_URL", raising=False)
    if address is not None:
        monkeypatch.setenv("DAGSTER_BROKER_URL", address)
    with pytest.raises(SettingsError, match="DAGSTER_BROKER_URL"):
        queue_address()
