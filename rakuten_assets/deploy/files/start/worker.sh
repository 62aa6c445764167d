#!/bin/sh
# Takes one run at a time from a queue. DAGSTER_QUEUES: the queues it serves ("dagster", or "gpu" for runs with the tag
# `dagster-celery/queue: gpu`). Every worker needs a name of its own; by default it is the host's.
set -eu
: "${DAGSTER_HOME:?the folder that holds dagster.yaml}"
: "${DAGSTER_POSTGRES_URL:?postgresql+psycopg2://user:password@host:5432/database}"
: "${DAGSTER_BROKER_URL:?redis://:password@host:6379/0}"
exec celery -A rakuten_assets.defs.cluster.worker worker \
    --queues "${DAGSTER_QUEUES:-dagster}" --concurrency 1 --hostname "${DAGSTER_WORKER_NAME:-worker@%h}" \
    --without-gossip --without-mingle --loglevel INFO
