from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from upath import UPath

from rakuten_assets.defs.cluster.same_settings import refuse_other_settings
from rakuten_assets.defs.executor import build_executor
from rakuten_assets.defs.resources import settings_resource, shown_settings
from rakuten_assets.errors import SettingsError
from rakuten_assets.settings import Settings


@dg.asset
def something(settings: dg.ResourceParam[Settings]) -> None:
    """Needs the settings."""


@dg.asset
def anything() -> None:
    """Needs no settings."""


def _launched(
    storage: Path, asset: Any = something, config: Any = None, **settings: Any
) -> tuple[dg.DagsterRun, dg.DagsterInstance]:
    """A run that another process launched, under these settings."""
    instance = dg.DagsterInstance.ephemeral()
    resource = settings_resource(Settings(storage=UPath(storage), **settings))
    done = dg.materialize([asset], instance=instance, resources={"settings": resource}, run_config=config)
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    return run, instance


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    run, instance = _launched(tmp_path, precision="bf16", shards=4)
    own = shown_settings(Settings(storage=UPath(tmp_path), shards=4))
    with pytest.raises(SettingsError, match="RAKUTEN_PRECISION is 'f32' here and 'bf16' where") as refused:
        refuse_other_settings(own, run, instance)
    assert "RAKUTEN_SHARDS" not in str(refused.value)


def test_a_threshold_is_a_setting_too(tmp_path: Path) -> None:
    run, instance = _launched(tmp_path, unreadable_fail=0.2)
    with pytest.raises(SettingsError, match="RAKUTEN_UNREADABLE_FAIL"):
        refuse_other_settings(shown_settings(Settings(storage=UPath(tmp_path))), run, instance)


def test_what_belongs_to_a_machine_may_differ(tmp_path: Path) -> None:
    run, instance = _launched(tmp_path, threads=3, batch_size=2, device="cpu", webhook="https://a.example/1")
    refuse_other_settings(shown_settings(Settings(storage=UPath(tmp_path), threads=1)), run, instance)


def test_what_was_chosen_at_launch_is_no_difference(tmp_path: Path) -> None:
    chosen = {"resources": {"settings": {"config": {"unreadable_fail": 0.5}}}}
    run, instance = _launched(tmp_path, config=chosen)
    refuse_other_settings(shown_settings(Settings(storage=UPath(tmp_path))), run, instance)


def test_a_run_that_needs_no_settings_is_let_alone(tmp_path: Path) -> None:
    instance = dg.DagsterInstance.ephemeral()
    run = instance.get_run_by_id(dg.materialize([anything], instance=instance).run_id)
    assert run is not None
    refuse_other_settings(shown_settings(Settings(storage=UPath(tmp_path))), run, instance)


def job_of_a_launcher() -> dg.JobDefinition:
    """The job as a launcher has it, and an executor of a worker with other settings."""
    launcher, worker = Settings(precision="bf16"), Settings()
    defs = dg.Definitions(
        [something],
        jobs=[dg.define_asset_job("job")],
        resources={"settings": settings_resource(launcher)},
        executor=build_executor(worker),
    )
    return defs.resolve_job_def("job")


def test_a_worker_with_other_settings_runs_no_step(tmp_path: Path) -> None:
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.execute_job(dg.reconstructable(job_of_a_launcher), instance) as done,
    ):
        assert not done.success
        events = instance.all_logs(done.run_id)
        assert not any(entry.dagster_event and entry.dagster_event.is_step_start for entry in events)
        told = [
            entry.dagster_event.job_failure_data
            for entry in events
            if entry.dagster_event and entry.dagster_event.is_job_failure
        ]
        assert "RAKUTEN_PRECISION" in str(told)
