"""How a run executes its steps."""

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
    """In the run's own process, or a forked process a step, as `RAKUTEN_EXECUTOR` says."""
    if settings.executor == "in_process":
        return dg.in_process_executor
    limits = [{"key": key, "value": value, "limit": 1} for key, value in EXCLUSIVE.items()]
    return dg.multiprocess_executor.configured(
        {
            "start_method": {"forkserver": {"preload_modules": list(PRELOADED)}},
            "tag_concurrency_limits": limits,
        }
    )
