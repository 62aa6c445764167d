#!/bin/sh
# Dagster's interface. It has no login of its own: keep it on loopback, or behind the proxy of compose.yaml.
# DAGSTER_READ_ONLY=1: look, launch nothing.
set -eu
: "${DAGSTER_HOME:?the folder that holds dagster.yaml and workspace.yaml}"
exec dagster-webserver ${DAGSTER_READ_ONLY:+--read-only} \
    --host "${DAGSTER_WEBSERVER_HOST:-127.0.0.1}" --port "${DAGSTER_WEBSERVER_PORT:-3000}" \
    --workspace "$DAGSTER_HOME/workspace.yaml"
