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

import dagster as dg

from rakuten_assets.defs.policy import EXCLUSIVE
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


def build_executor(settings: Settings) -> dg.ExecutorDefinition:
    """In the run's own process, or a forked process a step, as `RAKUTEN_EXECUTOR` says.

    Of the steps that keep every core busy, one runs at a time.
    """
    if settings.executor == "in_process":
        return dg.in_process_executor
    limits = [{"key": key, "value": value, "limit": 1} for key, value in EXCLUSIVE.items()]
    return dg.multiprocess_executor.configured(
        {
            "start_method": {"forkserver": {"preload_modules": list(PRELOADED)}},
            "tag_concurrency_limits": limits,
        }
    )
