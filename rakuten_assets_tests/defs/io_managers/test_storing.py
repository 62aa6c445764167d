"""Every IO manager, on a folder and a bucket, without partitions, over one and over several in one run."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.defs.io_managers.base import COLUMNS, FileIOManager
from rakuten_assets.defs.io_managers.head import HeadIOManager
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.errors import StoreError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.standardisation import Standardisation
from rakuten_assets.storage import Storage
from rakuten_assets.storage.records import record_file, record_versions

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

SHARDS = ShardPartitions(4)
KEYS = list(SHARDS.get_partition_keys())


def _array(number: int) -> np.ndarray:
    return np.arange(6, dtype=np.float32).reshape(2, 3) + number


def _frame(number: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"n": pd.array([1, None], dtype="Int64"), "text": ["é", None], "x": [number / 3, np.nan]},
        index=pd.Index([7, 3], name="index"),
    )


def _document(number: int) -> dict[str, Any]:
    return {"b": [number, 1.5, None], "a": {"é": True}}


def _same(left: Any, right: Any) -> None:
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right)
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    else:
        assert left == right


def test_a_head_without_its_numbers_is_told_by_their_name(tmp_path: Path) -> None:
    manager = HeadIOManager(Storage(UPath(tmp_path), 4))
    file = manager.own_file(["head"], None)
    head = Head(
        "logistic",
        Standardisation(np.zeros(2, np.float32), np.ones(2, np.float32)),
        ((np.eye(2, dtype=np.float32), np.zeros(2, np.float32)),),
        np.array([10, 40]),
        np.array([0.5, 0.5]),
    )
    manager.write(head, file)
    assert manager.read(file).codes.tolist() == [10, 40]
    file.with_name("head.safetensors").unlink()
    with pytest.raises(StoreError, match=r"head\.safetensors, are missing"):
        manager.read(file)


CASES: dict[str, tuple[type[FileIOManager], Callable[[int], Any]]] = {
    "npy": (NpyIOManager, _array),
    "parquet": (ParquetIOManager, _frame),
    "json": (JsonIOManager, _document),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[type[FileIOManager], Callable[[int], Any]]:
    return CASES[request.param]


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    root = UPath(tmp_path) if request.param == "folder" else UPath(f"memory://bucket{tmp_path}")
    return Storage(root, len(KEYS))


def _run(
    manager: FileIOManager, assets: list[dg.AssetsDefinition], span: tuple[str, str] | None = None
) -> tuple[dg.ExecuteInProcessResult, dg.DagsterInstance]:
    instance = dg.DagsterInstance.ephemeral()
    tags = {}
    if span is not None:
        tags = {"dagster/asset_partition_range_start": span[0], "dagster/asset_partition_range_end": span[1]}
    result = dg.materialize(assets, resources={"io_manager": manager}, tags=tags, instance=instance)
    return result, instance


def test_a_value_comes_back_as_it_was(
    case: tuple[type[FileIOManager], Callable[[int], Any]], storage: Storage
) -> None:
    kind, make = case
    loaded = []

    @dg.asset
    def source() -> Any:
        return make(1)

    @dg.asset
    def sink(source: Any) -> Any:
        loaded.append(source)
        return make(2)

    _run(kind(storage), [source, sink])
    _same(loaded[0], make(1))
    assert (storage.root / "assets" / "source" / f"source{kind.suffix}").exists()


@pytest.mark.parametrize("span", [("01", "01"), ("00", "03"), ("01", "02")])
def test_one_or_several_partitions_in_one_run(
    case: tuple[type[FileIOManager], Callable[[int], Any]], storage: Storage, span: tuple[str, str]
) -> None:
    kind, make = case
    manager = kind(storage)
    asked = KEYS[KEYS.index(span[0]) : KEYS.index(span[1]) + 1]
    as_dict, as_any = [], []

    @dg.asset(partitions_def=SHARDS, backfill_policy=dg.BackfillPolicy.single_run())
    def source(context: dg.AssetExecutionContext) -> Any:
        values = {key: make(int(key)) for key in reversed(context.partition_keys)}
        return values if len(values) > 1 else next(iter(values.values()))

    @dg.asset(partitions_def=SHARDS, backfill_policy=dg.BackfillPolicy.single_run())
    def sink(context: dg.AssetExecutionContext, source: dict[str, Any]) -> Any:
        as_dict.append(source)
        return {key: make(0) for key in context.partition_keys}

    @dg.asset(partitions_def=SHARDS, backfill_policy=dg.BackfillPolicy.single_run())
    def plain_sink(context: dg.AssetExecutionContext, source: Any) -> Any:
        as_any.append(source)
        return {key: make(0) for key in context.partition_keys}

    _, instance = _run(manager, [source, sink, plain_sink], span)
    assert list(as_dict[0]) == asked
    for key, value in as_dict[0].items():
        _same(value, make(int(key)))
    if len(asked) == 1:
        _same(as_any[0], make(int(asked[0])))
    else:
        assert list(as_any[0]) == asked
    for key in KEYS:
        assert (storage.root / "assets" / "source" / f"{key}{kind.suffix}").exists() == (key in asked)
    events = instance.fetch_materializations(dg.AssetKey("source"), limit=10).records
    described = {record.partition_key: record.asset_materialization.metadata for record in events}
    assert sorted(described) == asked
    for key, metadata in described.items():
        assert str(metadata["path"].value).endswith(f"{key}{kind.suffix}")


def test_all_partitions_load_into_an_unpartitioned_asset(
    case: tuple[type[FileIOManager], Callable[[int], Any]], storage: Storage
) -> None:
    kind, make = case
    loaded = []

    @dg.asset(partitions_def=SHARDS, backfill_policy=dg.BackfillPolicy.single_run())
    def source(context: dg.AssetExecutionContext) -> Any:
        return {key: make(int(key)) for key in context.partition_keys}

    @dg.asset
    def sink(source: dict[str, Any]) -> Any:
        loaded.append(source)
        return make(0)

    _run(kind(storage), [source, sink], ("00", "03"))
    assert list(loaded[0]) == KEYS
    _same(loaded[0]["02"], make(2))


def test_an_input_that_asks_for_columns_gets_no_others(storage: Storage) -> None:
    frame, seen = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]}), []

    @dg.asset
    def table() -> pd.DataFrame:
        return frame

    @dg.asset(ins={"table": dg.AssetIn(metadata={COLUMNS: ["c", "a"]})})
    def some(table: pd.DataFrame) -> pd.DataFrame:
        seen.append(table)
        return table

    assert dg.materialize([table, some], resources={"io_manager": ParquetIOManager(storage)}).success
    pd.testing.assert_frame_equal(seen[0], frame[["c", "a"]])


def test_a_document_whose_writer_was_killed_is_the_one_before(storage: Storage) -> None:
    manager = JsonIOManager(storage)
    own = manager.own_file(["metadata"], None)
    manager.write(_document(1), own)
    record_versions(record_file(own), own, b"{}")  # So far the killed one came.
    assert manager.read(own) == _document(1)
    manager.write(_document(2), own)
    assert manager.read(own) == _document(2)


def test_runs_that_write_a_document_at_the_same_time_leave_one_of_theirs(tmp_path: Path) -> None:
    manager = JsonIOManager(Storage(UPath(tmp_path), 2))
    own = manager.own_file(["metadata"], None)
    manager.write(_document(0), own)
    seen = []

    def write(number: int) -> None:
        for _ in range(10):
            manager.write(_document(number), own)
            seen.append(manager.read(own))

    threads = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 20
    assert all(document in (_document(1), _document(2)) for document in seen)
