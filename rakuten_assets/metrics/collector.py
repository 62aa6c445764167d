"""From parts to what the library `prometheus-client` writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rakuten_assets.metrics.names import METRICS, SCRAPE_AGE, SCRAPE_DURATION, SCRAPE_ERROR, Metric, Part
from rakuten_assets.metrics.parts import CachedPart, Shown

PATIENCE = 5.0
"""Seconds that a scrape waits for parts; Prometheus gives up after ten, unless it is told otherwise."""


class PartsCollector(Collector):
    """Gives the metrics of parts; of one that could not be read, only that it could not.

    Args:
        parts: each of another name.
        patience: seconds that a scrape waits for parts that are being read.
        now: seconds since 1970.
    """

    def __init__(
        self,
        parts: Sequence[CachedPart],
        patience: float = PATIENCE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._parts, self._patience, self._now = parts, patience, now

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Names, without reading anything: for requests of some metrics by name."""
        return [_family(metric) for metric in METRICS]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        end = time.monotonic() + self._patience
        for part in self._parts:
            part.begin()
        for part in self._parts:
            part.wait(end - time.monotonic())
        shown = {part.name: part.shown() for part in self._parts}
        now = self._now()
        for metric in METRICS:
            if metric.part is None:
                yield _about_the_reading(metric, shown)
            elif metric.part in shown and (values := shown[metric.part].values) is not None:
                family = _family(metric)
                for labels, value in values[metric.name]:
                    family.add_metric(labels, max(0.0, now - value) if metric.is_age else value)
                yield family


def registry_of(collector: PartsCollector) -> CollectorRegistry:
    """A registry of nothing else."""
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def _family(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _about_the_reading(metric: Metric, shown: Mapping[Part, Shown]) -> GaugeMetricFamily:
    figures: dict[str, Callable[[Shown], float | None]] = {
        SCRAPE_ERROR.name: lambda one: float(bool(one.error)),
        SCRAPE_AGE.name: lambda one: one.age,
        SCRAPE_DURATION.name: lambda one: one.seconds,
    }
    family = _family(metric)
    for name, one in shown.items():
        if (figure := figures[metric.name](one)) is not None:
            family.add_metric((name,), figure)
    return family
