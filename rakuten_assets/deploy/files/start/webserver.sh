#!/bin/sh
# Dagster's interface. It has no login of its own: keep it on loopback, or behind the proxy of compose.yaml.
# DAGSTER_READ_ONLY=1: look, launch nothing.
set -eu
: "${DAGSTER_HOME:?the folder that holds dagster.yaml and workspace.yaml}"
: "${DAGSTER_POSTGRES_URL:?postgresql+psycopg2://user:password@host:5432/database}"
case "${DAGSTER_READ_ONLY:-}" in
    "" | 0 | false | no) read_only="" ;;
    *) read_only="--read-only" ;;
esac
exec dagster-webserver $read_only \
    --host "${DAGSTER_WEBSERVER_HOST:-127.0.0.1}" --port "${DAGSTER_WEBSERVER_PORT:-3000}" \
    --workspace "$DAGSTER_HOME/workspace.yaml"
