"""What Prometheus would make of an exporter's answer."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """Attributes:
    values: by a metric's name, by the values of its labels in the order of their names.
    kinds: by name, the type; helps: by name, the sentence.
    """

    values: Mapping[str, Mapping[tuple[str, ...], float]]
    kinds: Mapping[str, str]
    helps: Mapping[str, str]

    def one(self, name: str, *labels: str) -> float:
        return self.values[name][labels]

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        return dict(self.values.get(name, {}))


def parsed(text: str) -> Scrape:
    families = list(text_string_to_metric_families(text))
    return Scrape(
        {
            family.name: {
                tuple(value for _, value in sorted(sample.labels.items())): sample.value
                for sample in family.samples
            }
            for family in families
        },
        {family.name: family.type for family in families},
        {family.name: family.documentation for family in families},
    )


def scraped(address: str) -> Scrape:
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return parsed(answer.read().decode())
