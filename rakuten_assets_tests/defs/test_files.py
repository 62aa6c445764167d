"""The challenge's files as external assets: observed on reading and by the sensor; a change makes its table stale."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.defs.raw.files import file_versions
from rakuten_assets.defs.raw.sensors import observations
from rakuten_assets_tests.defs.conftest import Project
from rakuten_assets_tests.defs.test_versions import stale

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

LIGHT = ("x_train", "y_train", "x_test", "image_manifest", "label_encoder", "train_labels", "class_weights")
FILES = {"x_train_csv", "y_train_csv", "x_test_csv", "train_images", "test_images"}


@pytest.fixture
def mine(project: Project, tmp_path: Path) -> Project:
    """Tables, manifest and labels, made from a catalogue of its own."""
    shutil.copytree(project.catalog, tmp_path / "catalog")
    own = Project(tmp_path / "catalog", project.storage, project.instance)
    assert own.run(*LIGHT).success
    return own


def _observed(project: Project, key: str) -> list[str]:
    records = project.instance.fetch_observations(dg.AssetKey(key), limit=10).records
    return [(record.asset_observation.tags or {})["dagster/data_version"] for record in records]


def test_reading_is_observing_and_leaves_everything_fresh(mine: Project) -> None:
    for key in FILES:
        assert len(_observed(mine, key)) == 1
    assert stale(mine, LIGHT) == set()
    assert observations(mine.settings, mine.instance) == []
    assert mine.run(*LIGHT).success
    for key in FILES:
        assert len(_observed(mine, key)) == 1, "what has not changed is not recorded again"
    assert stale(mine, LIGHT) == set()


def test_a_changed_table_makes_what_is_read_from_it_stale_until_it_is_read_again(mine: Project) -> None:
    table = mine.catalog / "X_test_update.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    (seen,) = observations(mine.settings, mine.instance)
    assert seen.asset_key == dg.AssetKey("x_test_csv")
    mine.instance.report_runless_asset_event(seen)
    assert stale(mine, LIGHT) == {("x_test", None)}
    assert mine.run("x_test").success
    assert stale(mine, LIGHT) == set(), "other line ends are the same table"


def test_a_changed_image_makes_the_manifest_stale(mine: Project) -> None:
    next((mine.catalog / "images" / "image_test").iterdir()).write_bytes(b"other")
    seen = observations(mine.settings, mine.instance)
    assert [observation.asset_key.to_user_string() for observation in seen] == ["test_images"]
    mine.instance.report_runless_asset_event(seen[0])
    assert stale(mine, LIGHT) == {("image_manifest", None)}


def test_the_sensor_records_what_it_sees(mine: Project, tmp_path: Path) -> None:
    repository = mine.defs.get_repository_def()
    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
            tick = repository.get_sensor_def("catalog_changed").evaluate_tick(context)
        assert {event.asset_key.to_user_string() for event in tick.asset_events} == FILES
        assert tick.run_requests
    lost = Project(tmp_path / "nowhere", mine.storage, mine.instance)
    assert observations(lost.settings, lost.instance) == []


def test_they_can_be_observed_by_themselves(mine: Project) -> None:
    assert mine.run(*FILES).success
    for key in FILES:
        assert len(_observed(mine, key)) == 2
        assert len(set(_observed(mine, key))) == 1
    assert stale(mine, LIGHT) == set()


def test_a_version_is_one_of_content_for_tables(mine: Project) -> None:
    folder = find_catalog(mine.catalog)
    before = file_versions(folder)
    (mine.catalog / "X_train_update.csv").touch()
    assert file_versions(folder) == before


def test_automation_makes_what_an_input_has_changed_for(mine: Project) -> None:
    first = dg.evaluate_automation_conditions(mine.defs, mine.instance)
    table = mine.catalog / "Y_train_CVw08PX.csv"
    lines = table.read_text().splitlines(keepends=True)
    head, last = lines[:-1], lines[-1]
    code = "10" if not last.rstrip().endswith(",10") else "40"
    table.write_text("".join(head) + last.split(",")[0] + f",{code}\n")
    for seen in observations(mine.settings, mine.instance):
        mine.instance.report_runless_asset_event(seen)
    second = dg.evaluate_automation_conditions(mine.defs, mine.instance, cursor=first.cursor)
    wanted = {name for name in LIGHT if second.get_num_requested(dg.AssetKey(name))}
    assert "y_train" in wanted
    assert not {"x_train", "x_test"} & wanted
