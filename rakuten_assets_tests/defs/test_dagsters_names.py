"""Names of Dagster that are not public and that one module each needs: a release without them is told in a sentence."""

import importlib
import importlib.util

import dagster as dg
import pytest


@pytest.mark.parametrize(
    ("module", "name", "user"),
    [
        ("dagster._core.event_api", "PartitionKeyFilter", "defs/check_outcomes.py"),
        (
            "dagster._core.storage.asset_check_execution_record",
            "COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES",
            "defs/check_outcomes.py",
        ),
        ("dagster._core.launcher", "CheckRunHealthResult", "defs/cluster/launcher.py"),
        ("dagster._core.launcher", "WorkerStatus", "defs/cluster/launcher.py"),
        ("dagster._serdes", "ConfigurableClassData", "defs/cluster/launcher.py"),
        ("dagster_celery.tags", "DAGSTER_CELERY_TASK_ID_TAG", "defs/cluster/launcher.py"),
    ],
)
def test_dagster_still_has_the_name(module: str, name: str, user: str) -> None:
    found = importlib.util.find_spec(module)
    assert found is not None and hasattr(importlib.import_module(module), name), (
        f"Dagster {dg.__version__} has no {module}.{name} any more, which rakuten_assets/{user} needs: look there "
        "how it is used, and for what replaces it in Dagster's changes"
    )
