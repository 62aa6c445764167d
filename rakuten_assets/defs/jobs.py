"""Jobs and automation.

Each job is one natural slice of the graph, for the UI's launchpad, schedules and `dagster job launch`.
"""

from typing import Any

import dagster as dg


def build_jobs() -> dict[str, Any]:
    """Jobs by name: `catalog`, `labels`, `augmentation`, `features`, `evaluation`, `everything`."""
    selections = {
        "catalog": (_with_inputs("catalog"), "Read the tables, scan every image, find duplicates, report."),
        "labels": (_with_inputs("labels"), "Read the train tables, encode the labels and weigh the classes."),
        "augmentation": (
            dg.AssetSelection.groups("augmentation"),
            "Channel statistics of scanned images, and a gallery of the augmentations.",
        ),
        "features": (
            dg.AssetSelection.groups("features", "outputs"),
            "Extract features of scanned images and publish them.",
        ),
        "evaluation": (
            dg.AssetSelection.groups("evaluation"),
            "Split, fit heads on extracted features, score them and predict the test rows.",
        ),
        # Fine-tuning takes hours and changes no other asset: it has a job of its own, where it is asked for at all.
        "everything": (
            dg.AssetSelection.all() - dg.AssetSelection.groups("finetuning"),
            "From the files to the published outputs.",
        ),
    }
    return {
        name: dg.define_asset_job(name, selection=selection, description=description)
        for name, (selection, description) in selections.items()
    }


def build_automation() -> dg.AutomationConditionSensorDefinition:
    """What launches assets by their automation conditions; off until it is switched on."""
    return dg.AutomationConditionSensorDefinition(
        "inputs_changed",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Makes the tables, the manifest and the labels again when an input has another data version. "
        "Off until it is switched on.",
    )


def _with_inputs(group: str) -> dg.AssetSelection:
    return dg.AssetSelection.groups(group).upstream().materializable()
