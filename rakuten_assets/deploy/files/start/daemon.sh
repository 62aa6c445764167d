#!/bin/sh
# Schedules, sensors, backfills, the queue's order, and the watch over runs: one of it, no more.
set -eu
: "${DAGSTER_HOME:?the folder that holds dagster.yaml and workspace.yaml}"
exec dagster-daemon run --workspace "$DAGSTER_HOME/workspace.yaml"
