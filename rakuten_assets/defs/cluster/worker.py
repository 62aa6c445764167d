"""The Celery application of a worker: `celery -A rakuten_assets.defs.cluster.worker worker --queues dagster`."""

from __future__ import annotations

from typing import Any

from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task

from rakuten_assets.defs.cluster.queue import queue_address, queue_options

_ADDRESS = queue_address()

app: Any = make_app(  # type: ignore[no-untyped-call]
    {"broker": _ADDRESS, "backend": _ADDRESS, "config_source": queue_options()}
)

execute_job = create_execute_job_task(app)
