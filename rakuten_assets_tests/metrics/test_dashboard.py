"""The dashboard shows what is exported: all of it, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from rakuten_assets.metrics.dashboard import dashboard_text
from rakuten_assets.metrics.names import METRICS

DASHBOARD: dict[str, Any] = json.loads(dashboard_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
BY_NAME = {metric.name: metric for metric in METRICS}


def expressions(panels: list[dict[str, Any]]) -> Iterator[str]:
    for panel in panels:
        for target in panel["targets"]:
            yield target["expr"]


def test_every_metric_is_shown_and_every_shown_one_exported() -> None:
    shown = {name for expression in expressions(PANELS) for name in re.findall(r"rakuten_\w+", expression)}
    assert shown == BY_NAME.keys()


def test_expressions_use_labels_that_there_are() -> None:
    for expression in expressions(PANELS):
        for name, selector in re.findall(r"(rakuten_\w+)\{([^}]*)\}", expression):
            used = set(re.findall(r"(\w+)\s*(?:=~|!=|=|!~)", selector)) - {"instance"}
            assert used <= set(BY_NAME[name].labels), expression
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            names = re.findall(r"rakuten_\w+", expression)
            wanted = {label.strip() for label in labels.split(",")}
            assert all(wanted <= set(BY_NAME[name].labels) for name in names), expression


def test_legends_use_labels_that_are_left() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            left = re.search(r"by \(([^)]*)\)", target["expr"])
            (name, *_) = re.findall(r"rakuten_\w+", target["expr"])
            labels = left[1].split(", ") if left else BY_NAME[name].labels
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set(labels)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_a_title_a_unit_and_the_source_that_is_chosen(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    for part in (panel, *panel["targets"]):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for target in panel["targets"]:
        seconds = any(name.endswith("_seconds") for name in re.findall(r"rakuten_\w+", target["expr"]))
        assert seconds == (panel["fieldConfig"]["defaults"]["unit"] == "s")


def test_the_source_is_a_variable_and_panels_do_not_overlap() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert "uid" in DASHBOARD and "id" not in DASHBOARD, "an `id` belongs to one Grafana"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells


def test_what_is_not_well_comes_first() -> None:
    first = min(PANELS, key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]))
    second = min(
        (panel for panel in PANELS if panel is not first),
        key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]),
    )
    assert (first["title"], second["title"]) == ("Stale shards", "Failing asset checks")
