"""Settings and storage as resources: shown, some to be changed at launch, and replaced instead of patched."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.definitions import build_defs
from rakuten_assets.defs.resources import AT_LAUNCH, build_resources, settings_resource
from rakuten_assets.errors import SettingsError
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets_tests.defs.conftest import FakeExtractors, Project

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


def _launched(settings: Settings, **config: Any) -> Settings:
    """The settings that an asset of a run with this configuration gets."""
    seen: list[Settings] = []

    @dg.asset
    def reader(settings: dg.ResourceParam[Settings]) -> None:
        seen.append(settings)

    dg.materialize(
        [reader],
        resources={"settings": settings_resource(settings)},
        run_config={"resources": {"settings": {"config": config}}} if config else None,
        instance=dg.DagsterInstance.ephemeral(),
    )
    return seen[0]


def _refusal(**config: Any) -> str:
    """What a run with this configuration is refused with."""
    with pytest.raises(dg.DagsterError) as caught:
        _launched(Settings(), **config)
    assert isinstance(caught.value.__cause__, SettingsError)
    return str(caught.value.__cause__)


def test_without_a_configuration_a_run_gets_the_settings_themselves() -> None:
    settings = Settings(shards=3, threads=5)
    assert _launched(settings) is settings


def test_a_run_may_change_what_is_safe_and_keeps_the_rest() -> None:
    settings = Settings(shards=3, threads=5, storage=UPath("/elsewhere"))
    changed = _launched(settings, threads=2, unreadable_fail=0.5, allow_download=True)
    assert (changed.threads, changed.unreadable_fail, changed.allow_download) == (2, 0.5, True)
    assert dict(changed) == dict(settings) | {"threads": 2, "unreadable_fail": 0.5, "allow_download": True}


@pytest.mark.parametrize("name", ["storage", "shards", "backbone", "data_dir", "precision", "shards_per_run"])
def test_what_the_graph_is_cannot_be_changed_at_launch(name: str) -> None:
    said = _refusal(**{name: "7"})
    assert f"{name}='7' cannot be chosen at launch" in said
    assert f"RAKUTEN_{name.upper()}" in said


def test_a_wrong_value_at_launch_is_refused_like_one_in_the_environment() -> None:
    assert "RAKUTEN_THREADS=-1 is not allowed" in _refusal(threads=-1)
    assert "allowed: warn <= fail" in _refusal(unreadable_warn=0.9)


def test_the_interface_shows_every_setting_with_its_description_and_value() -> None:
    defs = build_defs(Settings(shards=3, threads=5))
    resource = defs.get_repository_def().get_top_level_resources()["settings"]
    fields = resource.config_schema.config_type.fields
    assert set(fields) == set(Settings.model_fields)
    for name, field in fields.items():
        assert (Settings.model_fields[name].description or "-") in (field.description or "")
        assert ("Not at launch" in (field.description or "")) == (name not in AT_LAUNCH)
        assert not field.is_required
    assert (fields["threads"].default_value, fields["shards"].default_value) == (5, "3")


def test_a_threshold_of_one_run_decides_on_its_checks(done: Project) -> None:
    strict = {"resources": {"settings": {"config": {"unreadable_warn": 0.0, "unreadable_fail": 0.0}}}}
    result = done.job.execute_in_process(
        asset_selection=[dg.AssetKey("image_scan")],
        instance=done.instance,
        partition_key="01",
        run_config=strict,
        raise_on_error=False,
    )
    assert not result.success
    assert done.run("image_scan", key="01").success


def test_a_replaced_storage_takes_all_that_is_written(project: Project, tmp_path: Path) -> None:
    other = Storage(UPath(tmp_path / "other"), project.settings.shards)
    stand_ins = {"storage": other, "extractors": FakeExtractors(project.settings)}
    project.job = build_defs(project.settings, stand_ins).resolve_implicit_global_asset_job_def()
    assert project.run_all().success
    assert (tmp_path / "other" / "assets" / "train_labels" / "train_labels.npy").exists()
    assert (tmp_path / "other" / "outputs" / "manifest.json").exists()
    assert not project.storage.exists()


def test_a_new_storage_is_announced_once(tmp_path: Path) -> None:
    @dg.asset(io_manager_key="parquet")
    def table() -> pd.DataFrame:
        return pd.DataFrame({"a": [1]})

    @dg.asset(io_manager_key="json")
    def document() -> dict[str, int]:
        return {"a": 1}

    resources = build_resources(Settings(storage=UPath(tmp_path / "storage"), shards=2))
    announced = []
    for _ in range(2):
        instance = dg.DagsterInstance.ephemeral()
        result = dg.materialize([table, document], resources=resources, instance=instance)
        messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
        announced.append([message for message in messages if "new storage" in message])
    assert announced == [[f"new storage at {tmp_path / 'storage'}"], []]
