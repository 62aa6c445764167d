"""The queue between the daemon and the workers: one set of options for both, so that they cannot differ.

Celery over Redis. Nothing is read from a `celery.yaml` or from `CELERY_` variables: options there that have the wrong
shape are ignored without a word.
"""

from __future__ import annotations

import os
from typing import Any

from rakuten_assets.errors import SettingsError

ADDRESS = "DAGSTER_BROKER_URL"
"""Variable that holds the address of Redis, for tasks and for their states."""

_WEEK = 7 * 24 * 3600


def queue_address() -> str:
    """The address of Redis.

    Raises:
        SettingsError: the variable is not set, or no address of Redis.
    """
    address = os.environ.get(ADDRESS, "")
    if not address.startswith(("redis://", "rediss://")):
        said = "is not set" if not address else "does not begin with redis:// or rediss://"
        raise SettingsError(
            f"{ADDRESS} {said}: the daemon, the webserver and every worker need the address of one Redis, "
            "as redis://:PASSWORD@HOST:6379/0"
        )
    return address


def queue_options() -> dict[str, Any]:
    """Celery's options, as its own lower-case names."""
    return {
        # A run is taken out of the queue when it starts, and never given to two workers: what a dead worker had is
        # launched again by Dagster, which knows of it.
        "task_acks_late": False,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "broker_transport_options": {"visibility_timeout": _WEEK, "socket_keepalive": True},
        # The state of a run that takes days must not be forgotten before it ends.
        "result_expires": _WEEK,
        "broker_connection_retry_on_startup": True,
        # A process a run: it has the code of now, and its memory goes back.
        "worker_max_tasks_per_child": 1,
        # Dagster records what a run says.
        "worker_hijack_root_logger": False,
    }
