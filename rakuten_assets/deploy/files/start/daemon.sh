#!/bin/sh
# Schedules, sensors, backfills, the queue's order, and the watch over runs: one of it, no more.
set -eu
: "${DAGSTER_HOME:?the folder that holds dagster.yaml and workspace.yaml}"
: "${DAGSTER_POSTGRES_URL:?postgresql+psycopg2://user:password@host:5432/database}"
: "${DAGSTER_BROKER_URL:?redis://:password@host:6379/0}"
exec dagster-daemon run --workspace "$DAGSTER_HOME/workspace.yaml"
