#!/bin/sh
# The definitions, for the webserver and the daemon, which import none of this project. Restart it after a change of
# code or settings, and the workers with it.
set -eu
: "${DAGSTER_HOME:?the folder that holds dagster.yaml and workspace.yaml}"
exec dagster api grpc --module-name rakuten_assets.definitions \
    --host "${DAGSTER_CODE_HOST:-127.0.0.1}" --port "${DAGSTER_CODE_PORT:-4000}"
