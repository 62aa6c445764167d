"""The assembly: what the graph consists of, what may import what, and what importing it costs."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.config import dagster_instance_config
from syrupy.assertion import SnapshotAssertion
from upath import UPath

import rakuten_assets
from rakuten_assets.definitions import build_defs
from rakuten_assets.defs.executor import PRELOADED
from rakuten_assets.defs.policy import EXCLUSIVE, POOL
from rakuten_assets.errors import SettingsError
from rakuten_assets.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

PACKAGE = Path(rakuten_assets.__file__).parent
HEAVY = ("torch", "torchvision", "openvino", "sklearn", "matplotlib", "numba", "scipy")


@pytest.fixture(autouse=True)
def _defaults(no_settings_of_the_user: None) -> None:
    """Every test here starts from the defaults."""


def _names(keys: Any) -> list[str]:
    return sorted(key.to_user_string() for key in keys)


def test_the_graph_is_the_one_on_record(snapshot: SnapshotAssertion) -> None:
    """Every change of an asset, a dependency, a check, a job, a schedule or a sensor shows here."""
    defs = build_defs(Settings())
    graph = defs.resolve_asset_graph()
    assets = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        columns = node.metadata.get("dagster/column_schema")
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "deps": _names(node.parent_keys),
            "kinds": sorted(node.kinds),
            "partitioned": node.is_partitioned,
            "code_version": node.code_version,
            "metadata": sorted(
                f"{name}={value}" for name, value in node.metadata.items() if not name.startswith("dagster/")
            ),
            "code": [
                reference.file_path.rpartition("/defs/")[2]
                for reference in getattr(node.metadata.get("dagster/code_references"), "code_references", [])
            ],
            "columns": [column.name for column in columns.columns] if columns is not None else [],
            "external": node.is_external,
            "owners": list(node.owners),
            "tags": dict(sorted(node.tags.items())),
            "automation": node.automation_condition.get_label() if node.automation_condition else None,
            "should stay fresh": node.freshness_policy_or_from_metadata is not None,
            "checks": sorted(
                f"{check.name}{' (blocking)' if graph.get(check).blocking else ''}"
                for check in graph.asset_check_keys
                if check.asset_key == key
            ),
        }
    repository = defs.get_repository_def()
    jobs = {
        job.name: _names(job.asset_layer.selected_asset_keys)
        for job in repository.get_all_jobs()
        if not job.name.startswith("__")
    }
    assert snapshot == {
        "assets": dict(sorted(assets.items())),
        "jobs": dict(sorted(jobs.items())),
        "schedules": {
            schedule.name: [schedule.job_name, schedule.cron_schedule, schedule.default_status.value]
            for schedule in repository.schedule_defs
        },
        "sensors": {
            sensor.name: [
                [target.job_name for target in sensor.targets if target.job_name in jobs],
                sensor.minimum_interval_seconds,
                sensor.default_status.value,
            ]
            for sensor in repository.sensor_defs
        },
        "resources": sorted(repository.get_top_level_resources()),
    }


def test_every_asset_is_described_and_runs_over_any_number_of_shards_at_once() -> None:
    graph = build_defs(Settings()).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description and len(node.description) > 40, key
        if node.is_external:
            continue
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), key
        for check in node.assets_def.check_specs:
            assert check.description, check.key
            assert (check.partitions_def is not None) == node.is_partitioned, check.key


def test_a_setting_splits_a_backfill_of_shards_into_runs() -> None:
    graph = build_defs(Settings(shards_per_run=4)).resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        expected = dg.BackfillPolicy.multi_run(4) if node.is_partitioned else dg.BackfillPolicy.single_run()
        assert node.backfill_policy == expected, key


@pytest.mark.parametrize("normalisation", ["weights", "dataset"])
def test_features_wait_for_the_statistics_that_they_are_normalised_by(normalisation: str) -> None:
    settings = Settings(normalisation=normalisation, backbone=("resnet18",), finetune=("resnet18",))
    graph = build_defs(settings).resolve_asset_graph()
    for name in ("train_features", "test_features", "fine_tuned_weights"):
        parents = graph.get(dg.AssetKey(["resnet18", name])).parent_keys
        assert (dg.AssetKey("dataset_statistics") in parents) == (normalisation == "dataset")


def test_two_variants_share_nothing(tmp_path: Path) -> None:
    small = build_defs(Settings(shards=2, storage=UPath(tmp_path), backbone="resnet18"))
    large = build_defs(Settings(shards=20))
    for defs, count, families in (
        (small, 2, {"resnet18"}),
        (large, 20, {"efficientnet_b0", "efficientnet_lite0"}),
    ):
        graph = defs.resolve_asset_graph()
        keys = graph.get_all_asset_keys()
        assert {key.path[0] for key in keys if key.path[-1] == "train_features"} == families
        for family in families:
            shards = graph.get(dg.AssetKey([family, "train_features"])).partitions_def
            assert shards is not None
            assert len(shards.get_partition_keys()) == count
            published = graph.get(dg.AssetKey("outputs")).parent_keys
            assert dg.AssetKey([family, "train_feature_matrix"]) in published
    assert not list(tmp_path.iterdir()), "building definitions writes nothing"


def test_resources_can_be_replaced() -> None:
    marker = object()
    defs = build_defs(Settings(), resources={"settings": marker})
    assert defs.get_repository_def().get_top_level_resources()["settings"].resource_fn(None) is marker


def test_heavy_steps_share_a_pool_of_one_run() -> None:
    graph = build_defs(Settings(backbone="resnet18")).resolve_implicit_global_asset_job_def()
    steps = {node.name: node.definition for node in graph.nodes}
    heavy = {name for name, step in steps.items() if EXCLUSIVE.items() <= step.tags.items()}
    assert {"image_scan", "resnet18__train_features", "duplicate_groups"} <= heavy
    assert "x_train" in steps.keys() - heavy
    assert {name: step.pools for name, step in steps.items()} == {
        name: {POOL} if name in heavy else set() for name in steps
    }
    content, _ = dagster_instance_config(str(PACKAGE.parent / ".dagster"))
    assert content["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}


def test_a_wrong_setting_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAKUTEN_SHARDS", "0")
    with pytest.raises(SettingsError, match=r"RAKUTEN_SHARDS='0' is not allowed"):
        build_defs()


@pytest.mark.parametrize("executor", ["in_process", "multiprocess"])
def test_the_executor_is_the_one_of_the_settings(executor: Any) -> None:
    defs = build_defs(Settings(executor=executor))
    job = defs.resolve_implicit_global_asset_job_def()
    assert job.executor_def.name == {"in_process": "in_process", "multiprocess": "multiprocess"}[executor]


def _imports(path: Path) -> set[str]:
    """Modules that a file imports, at any level."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_nothing_below_the_upper_floor_imports_it_or_dagster() -> None:
    # Of the metrics, what asks Dagster and what puts all together; the rest is plain. A refresh asks for its records.
    upper = {PACKAGE / name for name in ("metrics/exporter.py", "metrics/history.py", "refresh.py")}
    lower = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("defs", "definitions.py") and path not in upper
    ]
    assert upper < set(PACKAGE.rglob("*.py"))
    assert len(lower) > 40
    for path in lower:
        bad = {
            name
            for name in _imports(path)
            if name.split(".")[0].startswith("dagster")
            or name.startswith(("rakuten_assets.defs", "rakuten_assets.definitions"))
        }
        assert not bad, f"{path.relative_to(PACKAGE)} imports {bad}: the lower floor knows nothing of Dagster"


def test_stages_import_no_other_stage_but_what_it_shows() -> None:
    """Imports run one way: definitions -> defs -> lower floor; the upper floor never imports `definitions`."""
    for path in (PACKAGE / "defs").rglob("*.py"):
        assert not {name for name in _imports(path) if name.startswith("rakuten_assets.definitions")}, path


_COST = """
import sys
import dagster
before = len(sys.modules)
import rakuten_assets.definitions
print(before, len(sys.modules) - before)
print(*sorted(set(name.split(".")[0] for name in sys.modules)))
"""


@pytest.fixture(scope="module")
def cost() -> tuple[int, int, set[str]]:
    """Number of modules that Dagster imports, of those that the definitions add, and the packages that are loaded."""
    done = subprocess.run([sys.executable, "-c", _COST], capture_output=True, text=True, check=True)
    counts, packages = done.stdout.splitlines()
    dagster, ours = map(int, counts.split())
    return dagster, ours, set(packages.split())


def test_importing_the_definitions_loads_nothing_heavy(cost: tuple[int, int, set[str]]) -> None:
    assert not cost[2] & set(HEAVY)


def test_importing_the_definitions_takes_no_more_than_importing_dagster(
    cost: tuple[int, int, set[str]],
) -> None:
    """In modules, for seconds depend on the machine: 660 beside Dagster's 880; scikit-learn alone would add 500."""
    dagster, ours, _ = cost
    assert ours <= dagster


def test_every_preloaded_module_imports() -> None:
    """The forkserver says nothing of a module that it cannot preload: every step would import it anew."""
    code = f"import importlib\nfor name in {PRELOADED!r}: importlib.import_module(name)"
    subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", code], check=True)


def test_the_noise_of_beta_features_is_silenced_and_nothing_else() -> None:
    code = (
        "import warnings, rakuten_assets.definitions, dagster as dg\n"
        "for category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning, UserWarning):\n"
        "    warnings.warn(category.__name__, category)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "UserWarning: UserWarning" in done.stderr
    assert "Beta" not in done.stderr
    assert "Preview" not in done.stderr
    assert "Supersession" not in done.stderr
