#!/bin/sh
# Figures for Prometheus.
set -eu
: "${DAGSTER_HOME:?the folder that holds dagster.yaml}"
exec python -m rakuten_assets.metrics --host "${DAGSTER_METRICS_HOST:-127.0.0.1}" --port "${DAGSTER_METRICS_PORT:-9464}"
