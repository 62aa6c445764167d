"""The exporter put together: parts of one storage and one history, behind one port."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import dagster as dg

from rakuten_assets.definitions import build_defs
from rakuten_assets.errors import MetricsError, in_a_line
from rakuten_assets.extraction.specification import extractor_specs
from rakuten_assets.metrics import history, stored
from rakuten_assets.metrics.collector import PartsCollector, registry_of
from rakuten_assets.metrics.names import Part, Values
from rakuten_assets.metrics.parts import CachedPart
from rakuten_assets.metrics.server import MetricsServer, open_server
from rakuten_assets.settings import Settings


def open_exporter(
    settings: Settings,
    host: str,
    port: int,
    *,
    refresh: float,
    refresh_shards: float,
    say: Callable[[str], None],
) -> MetricsServer:
    """A server of the metrics of `settings.storage` and of the history in `DAGSTER_HOME`.

    Args:
        refresh, refresh_shards: seconds for which figures, and stale shards, are shown without reading again.
        say: told what cannot be read.

    Raises:
        MetricsError: there is no history, or nothing can listen there.
        SettingsError: the graph cannot be built of these settings.
    """
    instance = open_history()
    collector = PartsCollector(parts_of(settings, instance, refresh, refresh_shards, say))
    return open_server(registry_of(collector), host, port)


def parts_of(
    settings: Settings,
    instance: dg.DagsterInstance,
    refresh: float,
    refresh_shards: float,
    say: Callable[[str], None],
) -> list[CachedPart]:
    """All parts, none of them read yet."""
    checks = history.checks_of(build_defs(settings))
    families = [spec.backbone.family for spec in extractor_specs(settings)]
    read: dict[Part, Callable[[], Values]] = {
        "shards": lambda: history.shards(settings, instance),
        "checks": lambda: history.asset_checks(instance, checks, settings.shards),
        "runs": lambda: history.runs(instance),
        "images": lambda: stored.images(settings.storage),
        "extractors": lambda: stored.extractors(settings.storage, families),
        "published": lambda: stored.published(settings.storage),
    }
    dg.get_dagster_logger().addFilter(_ONCE)
    return [
        CachedPart(name, look, refresh_shards if name == "shards" else refresh, say)
        for name, look in read.items()
    ]


def open_history() -> dg.DagsterInstance:
    """Dagster's instance of `DAGSTER_HOME`.

    Raises:
        MetricsError: there is none, with the way out.
    """
    home = os.environ.get("DAGSTER_HOME", "")
    if not home:
        raise MetricsError(
            "DAGSTER_HOME is not set, so that no runs and checks are known; set it to the folder that the runs use: "
            'export DAGSTER_HOME="$PWD/.dagster"'
        )
    try:
        return dg.DagsterInstance.get()
    except Exception as error:  # of Dagster, or of the database that its configuration names
        raise MetricsError(
            f"the history in DAGSTER_HOME={home} cannot be opened: {in_a_line(error)}"
        ) from error


class _Once(logging.Filter):
    """Lets a message pass once: damage that is found at each reading was told."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        new = text not in self._told
        self._told.add(text)
        return new


_ONCE = _Once()
