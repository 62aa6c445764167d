"""Runs through a queue to workers, and what Dagster's own Celery launcher does not see: a worker that is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from dagster import DagsterRun, Field, StringSource
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from rakuten_assets.defs.cluster.queue import queue_address, queue_options

_PATIENCE = 5.0  # seconds that workers have to answer
LOOKS = 3
"""Times in a row that a run must not be found, until it has failed."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's `CeleryRunLauncher`, over the Redis of `DAGSTER_BROKER_URL`, that also notices a dead worker.

    Celery keeps calling a run "started" for ever when the worker died with it. So run monitoring asks the worker
    itself: if it does not answer, or does not have the run (it was started anew), three looks in a row, the run has
    failed, and Dagster's run retries launch it again.
    """

    def __init__(
        self, default_queue: str = "dagster", inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(
            default_queue=default_queue,
            broker=queue_address(),
            backend=queue_address(),
            config_source=queue_options(),
            inst_data=inst_data,
        )
        self._not_found: dict[str, int] = {}

    @classmethod
    def config_type(cls) -> Any:
        return {
            "default_queue": Field(
                StringSource,
                is_required=False,
                default_value="dagster",
                description="The queue of runs without the tag `dagster-celery/queue`.",
            )
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_resume_run(self) -> bool:
        return False  # `resume_run` of the launcher below ends in a TypeError

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's worker still has it.

        Raises:
            Exception: Redis does not answer. That says nothing of the run: monitoring logs it and looks again.
        """
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task is None:  # launched a moment ago: the tag comes after the task
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        state, worker = self.task_state(task)
        if state in ("SUCCESS", "FAILURE", "REVOKED"):
            self._not_found.pop(run.run_id, None)
            if state == "SUCCESS":
                return CheckRunHealthResult(WorkerStatus.SUCCESS)
            return CheckRunHealthResult(WorkerStatus.FAILED, "The process of this run died on its worker.")
        if any(self.ask_workers(task, [worker] if worker else None).values()):
            self._not_found.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        looks = self._not_found[run.run_id] = self._not_found.get(run.run_id, 0) + 1
        if looks < LOOKS or self.task_state(task)[0] != state:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        del self._not_found[run.run_id]
        who = f"The worker {worker}" if worker else "No worker"
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"{who} has this run any more, or answers: it is dead."
        )

    def task_state(self, task: str) -> tuple[str, str | None]:
        """What Celery recorded of a task: its state, and which worker started it."""
        result = self.celery.AsyncResult(task)
        info = result.info if isinstance(result.info, dict) else {}
        return str(result.state), info.get("hostname")

    def ask_workers(self, task: str, workers: list[str] | None) -> Mapping[str, Mapping[str, Any]]:
        """What each worker that answers knows of a task, by the worker's name; empty where it does not have it.

        Args:
            workers: their names; None: all.
        """
        inspect = self.celery.control.inspect(
            destination=workers, timeout=_PATIENCE, limit=len(workers) if workers else None
        )
        return inspect.query_task(task) or {}
