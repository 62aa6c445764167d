"""The schedule and the sensor: off by default, precise about what they launch, and quiet when nothing has changed."""

import os
import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from rakuten_assets.defs.features.schedules import refresh_requests
from rakuten_assets.defs.raw.sensors import change_request
from rakuten_assets_tests.defs.conftest import Project

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

RANGE = {"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "02"}
BY_SHARD = ["image_scan", "efficientnet_b0/train_features", "efficientnet_b0/test_features"]
MERGED = (
    ["train_valid", "test_valid"]
    + [f"efficientnet_b0/{name}" for name in ("train_feature_matrix", "test_feature_matrix", "metadata")]
    + ["outputs"]
)


def _requests(project: Project) -> list[dg.RunRequest]:
    return refresh_requests(project.settings, project.instance)


def _launch(project: Project, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    names = [key.to_user_string() for key in request.asset_selection or []]
    return project.run(*names, key=request.partition_key)


def _assets(request: dg.RunRequest) -> list[str]:
    return [key.to_user_string() for key in request.asset_selection or []]


def test_both_are_off_until_switched_on(project: Project) -> None:
    repository = project.defs.get_repository_def()
    assert (
        repository.get_schedule_def("refresh_stale_shards").default_status is dg.DefaultScheduleStatus.STOPPED
    )
    assert repository.get_sensor_def("catalog_changed").default_status is dg.DefaultSensorStatus.STOPPED


def test_an_empty_storage_asks_for_one_run_of_everything(project: Project) -> None:
    (request,) = _requests(project)
    assert request.tags.items() >= RANGE.items()
    assert request.asset_selection is None


def test_nothing_is_launched_where_all_is_up_to_date(done: Project) -> None:
    assert _requests(done) == []


def test_a_missing_shard_is_launched_alone_and_then_all_is_up_to_date(done: Project) -> None:
    (done.storage / "assets" / "efficientnet_b0" / "test_features" / "01.json").unlink()
    (request,) = _requests(done)
    assert (request.partition_key, _assets(request)) == ("01", BY_SHARD)
    assert request.tags["rakuten/why"] == "test features missing"
    assert _launch(done, request).success
    assert _requests(done) == []


def test_the_same_finding_has_the_same_run_key_until_the_shard_is_made(done: Project) -> None:
    path = done.storage / "assets" / "efficientnet_b0" / "test_features" / "01.npy"
    path.unlink()
    (first,), (again,) = _requests(done), _requests(done)
    assert first.run_key == again.run_key
    assert _launch(done, first).success
    path.unlink()
    (later,) = _requests(done)
    assert later.run_key != first.run_key


def test_another_extractor_launches_every_shard_and_then_the_merge(done: Project) -> None:
    other = Project(done.catalog, done.storage, done.instance, precision="bf16")
    requests = _requests(other)
    assert [request.partition_key for request in requests] == ["00", "01", "02"]
    assert len({request.run_key for request in requests}) == 3
    assert "another extractor" in requests[0].tags["rakuten/why"]
    for request in requests:
        assert _launch(other, request).success
    (merge,) = _requests(other)
    assert _assets(merge) == MERGED
    assert merge.partition_key is None
    assert _launch(other, merge).success
    assert _requests(other) == []


def test_a_rescanned_image_launches_its_shard(done: Project, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(done.catalog, catalog)
    mine = Project(catalog, done.storage, done.instance)
    scan = pd.read_parquet(done.storage / "assets" / "image_scan" / "02.parquet")
    good = scan[(scan["status"] == "ok") & (scan["split"] == "train")]
    with (catalog / "images" / good["file"].iloc[0]).open("ab") as file:
        file.write(b"more")
    assert mine.run("image_scan", key="02").success
    (request,) = _requests(mine)
    assert request.partition_key == "02"
    assert request.tags["rakuten/why"] == "train images changed"


def test_schedule_and_sensor_tick(done: Project, tmp_path: Path) -> None:
    repository = done.defs.get_repository_def()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        schedule = repository.get_schedule_def("refresh_stale_shards")
        with dg.build_schedule_context(instance=instance, repository_def=repository) as context:
            assert schedule.evaluate_tick(context).skip_message == "everything is up to date"
            (done.storage / "assets" / "efficientnet_b0" / "train_features" / "00.json").unlink()
            (request,) = schedule.evaluate_tick(context).run_requests or []
        assert request.tags["dagster/partition"] == "00"
        sensor = repository.get_sensor_def("catalog_changed")
        with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
            (request,) = sensor.evaluate_tick(context).run_requests or []
        assert request.tags.items() >= RANGE.items()


def test_the_sensor_asks_for_a_run_until_a_manifest_was_made_of_the_present_files(
    done: Project, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(done.catalog, catalog)
    mine = Project(catalog, done.storage, done.instance)

    def look() -> dg.RunRequest | dg.SkipReason:
        return change_request(mine.settings, mine.instance)

    first = look()
    assert isinstance(first, dg.RunRequest)
    assert first.tags.items() >= RANGE.items()
    assert look() == first
    assert mine.run("x_train", "y_train", "x_test", "image_manifest").success
    assert isinstance(look(), dg.SkipReason)
    image = next((catalog / "images" / "image_test").iterdir())
    os.utime(image, ns=(0, 0))
    changed = look()
    assert isinstance(changed, dg.RunRequest)
    assert changed.run_key != first.run_key
    with (catalog / "Y_train_CVw08PX.csv").open("a") as file:
        file.write("\n")
    again = look()
    assert isinstance(again, dg.RunRequest)
    assert again.run_key not in (first.run_key, changed.run_key)


def test_the_sensor_waits_where_there_is_no_catalog(project: Project, tmp_path: Path) -> None:
    lost = Project(tmp_path / "nowhere", project.storage, project.instance)
    answer = change_request(lost.settings, lost.instance)
    assert isinstance(answer, dg.SkipReason)
    assert "does not exist" in (answer.skip_message or "")
