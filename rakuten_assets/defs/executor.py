"""How a run executes its steps: in its own process by default, and why.

Seconds that a step costs beside its own work; medians of three interleaved rounds of seven light steps on a busy
2-core machine (the ratios count):

| executor | seconds a step | ratio |
|---|---|---|
| in process | 0.09 | 1 |
| multiprocess, forkserver that preloads `PRELOADED` | 0.87 | 10 |
| multiprocess, forkserver as it comes | 2.5 | 29 |
| multiprocess, spawn | 4.7 | 55 |

The heavy steps use all cores by themselves, so that steps beside each other gain nothing, and one process holds one
set of libraries: less memory. A process a step is worth its price where a step may be killed alone; then the
forkserver with preloading is the one to take.
"""

import time
from collections.abc import Collection, Iterator
from typing import Any, cast

import dagster as dg

from rakuten_assets.defs.cluster.same_settings import refuse_other_settings
from rakuten_assets.defs.outputs.whole import WholeRunWatch, is_whole
from rakuten_assets.defs.policy import EXCLUSIVE
from rakuten_assets.defs.preflight import check_run
from rakuten_assets.defs.resources import shown_settings
from rakuten_assets.defs.steps.retries import asked_again
from rakuten_assets.defs.summary import RunSummary
from rakuten_assets.outputs.whole_run import REFRESH
from rakuten_assets.settings import Settings

PRELOADED = (
    "rakuten_assets.definitions",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.workspace.load",
    "dagster._daemon.controller",
    "pyarrow.pandas_compat",
    "structlog",
)
"""What a step's process would else import anew: the definitions, and what Dagster loads with an instance."""


def build_executor(settings: Settings, everything: Collection[str] = ()) -> dg.ExecutorDefinition:
    """In the run's own process, or a forked process a step, as `RAKUTEN_EXECUTOR` says.

    Of the steps that keep every core busy, one runs at a time.

    Args:
        everything: keys of the steps of a run that makes everything; () if there is none.
    """
    if settings.executor == "in_process":
        return _told(dg.in_process_executor, settings, everything)
    limits = [{"key": key, "value": value, "limit": 1} for key, value in EXCLUSIVE.items()]
    return _told(dg.multiprocess_executor, settings, everything).configured(
        {
            "start_method": {"forkserver": {"preload_modules": list(PRELOADED)}},
            "tag_concurrency_limits": limits,
        }
    )


class ToldExecutor(dg.Executor):
    """Wraps an executor: first the run's settings and needs are checked, at the end its summary is logged, and a run
    of everything is recorded."""

    def __init__(self, inner: dg.Executor, settings: Settings, everything: Collection[str]) -> None:
        self._inner, self._settings, self._everything = inner, settings, everything

    @property
    def retries(self) -> Any:
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        return self._inner.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        started = time.monotonic()
        run = plan_context.dagster_run
        refuse_other_settings(shown_settings(self._settings), run, plan_context.instance)
        steps = execution_plan.step_keys_to_execute
        # It may fetch weights, and asks the store.
        asked_again(lambda: check_run(self._settings, steps, run.tags), plan_context.log)
        summary, watch = RunSummary(), None
        if is_whole(run, steps, self._everything, self._settings.shards):
            watch = WholeRunWatch(self._settings)
        for event in self._inner.execute(plan_context, execution_plan):
            summary.add(event)
            if watch is not None:
                watch.add(event)
            yield event
        if summary.failed:
            return
        lines = summary.lines(self._settings, time.monotonic() - started)
        if watch is not None:
            try:
                why_not = watch.keep(run.run_id, summary.read, lines[1:], plan_context.instance)
            except Exception as error:  # What is told at the end fails no run.
                why_not = f"{type(error).__name__}: {error}"
            if why_not:
                plan_context.log.warning(f"{REFRESH} will start another run: {why_not}")
        plan_context.log.info("\n".join(lines))


def _told(
    inner: dg.ExecutorDefinition, settings: Settings, everything: Collection[str]
) -> dg.ExecutorDefinition:
    make = inner.executor_creation_fn
    assert make is not None  # only an executor of Dagster's own agents has none

    return dg.ExecutorDefinition(
        name=inner.name,
        config_schema=cast(Any, inner.config_schema),
        requirements=inner.get_requirements,
        executor_creation_fn=lambda context: ToldExecutor(make(context), settings, everything),
        description=inner.description,
    )
