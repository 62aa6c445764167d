"""The one class of Dagster that is not public: if a release changes it, this says so before anything else fails."""

import importlib
import inspect

import dagster as dg
import pytest

MODULE = "dagster._core.definitions.asset_checks.asset_check_evaluation"
NAME = "AssetCheckEvaluationTargetMaterializationData"
WAY_OUT = (
    f"Dagster {dg.__version__} has changed {MODULE}.{NAME}, which rakuten_assets/defs/check_targets.py needs: look "
    "there how it is used, and for what replaces it in Dagster's changes"
)


def test_dagster_still_has_the_class_that_check_results_point_with() -> None:
    target = getattr(importlib.import_module(MODULE), NAME, None)
    assert target is not None, WAY_OUT
    wanted = {"storage_id": 1, "run_id": "a run", "timestamp": 2.0}
    try:
        made = target(**wanted)  # also, Dagster gives a record its signature with the first instance
    except TypeError as error:
        pytest.fail(f"{WAY_OUT} ({error})")
    assert {name: getattr(made, name) for name in wanted} == wanted, WAY_OUT
    assert set(inspect.signature(target).parameters) == set(wanted), WAY_OUT
    assert "target_materialization_data" in inspect.signature(dg.AssetCheckEvaluation.__new__).parameters, (
        WAY_OUT
    )
