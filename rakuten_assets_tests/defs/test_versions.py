"""A shard is the unit of versioning: made again unchanged it leaves all fresh, changed it makes just its own stale."""

import shutil
from collections.abc import Collection
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from rakuten_assets_tests.defs.conftest import Project, stand_ins

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

KEYS = ["00", "01", "02"]
BY_SHARD = ("image_scan", "efficientnet_b0/train_features", "efficientnet_b0/test_features")


@pytest.fixture(scope="module")
def ran(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after a run over everything, over a catalogue of its own."""
    folder = tmp_path_factory.mktemp("versions")
    shutil.copytree(catalog, folder / "catalog")
    with pytest.MonkeyPatch.context() as patch:
        stand_ins(patch)
        project = Project(folder / "catalog", folder / "storage", dg.DagsterInstance.ephemeral())
        assert project.run_all().success
    return project


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins(monkeypatch)


def stale(project: Project, assets: Collection[str] = ()) -> set[tuple[str, str | None]]:
    """What Dagster's interface shows as "Unsynced" of these assets, or of all, by partition where there are some."""
    graph = project.defs.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(project.instance, graph, LoadingContextForTest(project.instance))
    found = set()
    chosen = {dg.AssetKey(name) for name in assets} or graph.materializable_asset_keys
    for key in chosen:
        for partition in KEYS if graph.get(key).is_partitioned else [None]:
            status = resolver.get_status(key, partition)
            assert status is not StaleStatus.MISSING, (key, partition)
            if status is StaleStatus.STALE:
                found.add((key.to_user_string(), partition))
    return found


def _materializations(project: Project, asset: str, partition: str) -> list[dg.AssetMaterialization]:
    chosen = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey.from_user_string(asset), asset_partitions=[partition]
    )
    records = project.instance.fetch_materializations(chosen, limit=10).records
    return [record.asset_materialization for record in records if record.asset_materialization is not None]


def _version(project: Project, asset: str, partition: str) -> str:
    return (_materializations(project, asset, partition)[0].tags or {})["dagster/data_version"]


def test_after_a_run_over_everything_nothing_isstale(ran: Project) -> None:
    assert stale(ran) == set()


@pytest.mark.parametrize("asset", BY_SHARD)
def test_each_shard_has_its_own_version_and_figures(ran: Project, asset: str) -> None:
    assert len({_version(ran, asset, key) for key in KEYS}) == len(KEYS)
    rows = 0
    for key in KEYS:
        newest, first = _materializations(ran, asset, key)[:2]
        assert newest.metadata == first.metadata
        given, own = dict(first.tags or {}), dict(newest.tags or {})
        assert own.pop("dagster/data_version") != given.pop("dagster/data_version")
        assert own == given
        assert "dagster/row_count" not in newest.metadata
        rows += int(str(newest.metadata["dagster/partition_row_count"].value))
    assert rows == {"image_scan": 101, "train_features": 81, "test_features": 20}[asset.rpartition("/")[2]]


def test_unchanged_shards_made_again_leave_everything_fresh(ran: Project) -> None:
    before = {(asset, key): _version(ran, asset, key) for asset in BY_SHARD for key in KEYS}
    assert ran.run("image_scan", span=("00", "01")).success
    assert stale(ran) == set()
    assert ran.run("image_scan", key="02").success
    assert ran.run("efficientnet_b0/train_features", span=("01", "02")).success
    assert ran.run("test_features", key="00").success
    assert stale(ran) == set()
    assert {place: _version(ran, *place) for place in before} == before


def test_a_changed_shard_makes_what_is_built_on_it_stale_and_nothing_else(ran: Project) -> None:
    scan = pd.read_parquet(ran.storage / "assets" / "image_scan" / "01.parquet")
    good = scan[(scan["status"] == "ok") & (scan["reason"] == "")]
    with (ran.catalog / "images" / good["file"].iloc[0]).open("ab") as file:
        file.write(b"more")
    assert ran.run("image_scan", span=("00", "02")).success
    whole = {
        ("duplicate_groups", None),
        ("integrity_report", None),
        ("train_valid", None),
        ("test_valid", None),
        ("efficientnet_b0/metadata", None),
        ("channel_sums", "01"),
        ("augmentation_gallery", None),
    }
    assert stale(ran) == {
        ("efficientnet_b0/train_features", "01"),
        ("efficientnet_b0/test_features", "01"),
        *whole,
    }
    assert ran.run(
        "efficientnet_b0/train_features", "efficientnet_b0/test_features", span=("00", "02")
    ).success
    split = str(good["split"].iloc[0])
    assert stale(ran) == {(f"efficientnet_b0/{split}_feature_matrix", None), *whole}
