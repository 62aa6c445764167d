"""A job a natural slice of the graph, for the UI's launchpad, schedules and `dagster job launch`."""

from typing import Any

import dagster as dg


def build_jobs() -> dict[str, Any]:
    """Jobs by name: `catalog`, `labels`, `features`, `everything`."""
    raw = dg.AssetSelection.groups("raw")
    selections = {
        "catalog": (raw | dg.AssetSelection.groups("catalog"), "Read the tables and scan every image."),
        "labels": (raw | dg.AssetSelection.groups("labels"), "Encode the labels and weigh the classes."),
        "features": (
            dg.AssetSelection.groups("features", "outputs"),
            "Extract features of scanned images and publish them.",
        ),
        "everything": (dg.AssetSelection.all(), "From the files to the published outputs."),
    }
    return {
        name: dg.define_asset_job(name, selection=selection, description=description)
        for name, (selection, description) in selections.items()
    }
