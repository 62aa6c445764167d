"""The dashboard for Grafana, as its import takes it."""

from __future__ import annotations

from importlib.resources import files


def dashboard_text() -> str:
    """The JSON of the dashboard; which Prometheus it asks, is chosen in Grafana."""
    return files(__package__).joinpath("dashboard.json").read_text(encoding="utf-8")
