"""What the IO managers refuse: missing and damaged files, other shapes, objects, names that leave the storage."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.errors import StoreError
from rakuten_assets.storage import Storage
from rakuten_assets.storage.arrays import write_array

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

SHARDS = ShardPartitions(4)
COMMAND = "dagster asset materialize -m rakuten_assets.definitions --select source"

VALUES: dict[str, tuple[type[FileIOManager], Any]] = {
    "npy": (NpyIOManager, np.arange(4000, dtype=np.float32).reshape(1000, 4)),
    "parquet": (ParquetIOManager, pd.DataFrame({"text": [f"value {n}" for n in range(1000)]})),
    "json": (JsonIOManager, {str(n): n for n in range(1000)}),
}


def _source(value: Any, partitioned: bool = True, **options: Any) -> dg.AssetsDefinition:
    if not partitioned:

        @dg.asset(**options)
        def source() -> Any:
            return value

    else:

        @dg.asset(partitions_def=SHARDS, **options)
        def source() -> Any:
            return value

    return source


def _make(manager: FileIOManager, value: Any, key: str | None, **options: Any) -> None:
    source = _source(value, key is not None, **options)
    result = dg.materialize(
        [source], resources={"io_manager": manager}, partition_key=key, raise_on_error=False
    )
    _raise_as_it_was_raised(result, "source")


def _raise_as_it_was_raised(result: dg.ExecuteInProcessResult, asset: str) -> None:
    if result.success:
        return
    failure = result.failure_data_for_node(asset)
    assert failure is not None and failure.error is not None
    cause = failure.error.cause
    assert cause is not None, failure.error
    assert cause.cls_name == "StoreError", cause
    raise StoreError(cause.message)


def _load(manager: FileIOManager, key: str | None, all_keys: bool = False, **options: Any) -> Any:
    """Load what `_make` stored, in a run of its own; a refusal comes out as it was raised."""
    loaded = []
    source = _source(None, key is not None, **options)
    sink_partitions = SHARDS if key is not None and not all_keys else None

    @dg.asset(partitions_def=sink_partitions)
    def sink(source: Any) -> None:
        loaded.append(source)

    result = dg.materialize(
        [source, sink],
        selection=["sink"],
        resources={"io_manager": manager},
        partition_key=key if sink_partitions else None,
        raise_on_error=False,
    )
    _raise_as_it_was_raised(result, "sink")
    return loaded[0]


@pytest.fixture(params=VALUES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def _manager(kind: str, folder: Path) -> FileIOManager:
    return VALUES[kind][0](Storage(UPath(folder), 4))


def test_a_missing_partition_is_named_with_the_command_that_makes_it(kind: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"source: 1 of 1 partitions are missing in .*: 02\. ") as caught:
        _load(_manager(kind, tmp_path), "02")
    assert f"{COMMAND} --partition 02" in str(caught.value)


def test_all_missing_partitions_are_named_neighbours_as_a_range(kind: str, tmp_path: Path) -> None:
    manager = _manager(kind, tmp_path)
    _make(manager, VALUES[kind][1], "02")
    with pytest.raises(StoreError, match="3 of 4 partitions are missing") as caught:
        _load(manager, "00", all_keys=True)
    assert f"{COMMAND} --partition-range 00...01 && {COMMAND} --partition 03" in str(caught.value)


def test_a_missing_file_without_partitions_is_named_with_its_command(kind: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"source: .* is missing") as caught:
        _load(_manager(kind, tmp_path), None)
    assert str(caught.value).rstrip().endswith(COMMAND)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:4] = content[-4:] = b"\xff\xfe\x00\x01"
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [_truncate, _empty, _garble])
def test_a_damaged_file_is_named_with_partition_and_command(
    kind: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    manager = _manager(kind, tmp_path)
    _make(manager, VALUES[kind][1], "02")
    path = tmp_path / "assets" / "source" / f"02{manager.suffix}"
    damage(path)
    with pytest.raises(StoreError, match="source, partition 02: ") as caught:
        _load(manager, "02")
    assert str(path) in str(caught.value)
    assert f"{COMMAND} --partition 02" in str(caught.value)


def test_a_flipped_bit_in_a_table_is_noticed(tmp_path: Path) -> None:
    manager = _manager("parquet", tmp_path)
    _make(manager, VALUES["parquet"][1], "02")
    path = tmp_path / "assets" / "source" / "02.parquet"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match="partition 02"):
        _load(manager, "02")


@pytest.mark.parametrize(
    "other",
    [
        np.zeros((1000, 4), dtype=np.int32),
        np.zeros((4, 1000), dtype=np.float32),
        np.zeros((999, 4), dtype=np.float32),
        np.zeros((1000, 4), dtype=np.float64),
    ],
)
def test_an_array_of_another_dtype_or_shape_than_recorded_is_refused(
    other: np.ndarray, tmp_path: Path
) -> None:
    manager = _manager("npy", tmp_path)
    _make(manager, VALUES["npy"][1], None)
    path = tmp_path / "assets" / "source" / "source.npy"
    write_array(path, other)
    with pytest.raises(StoreError, match=r"recorded is <f4 \(1000, 4\)"):
        _load(manager, None)


def test_an_array_of_objects_is_neither_written_nor_read(tmp_path: Path) -> None:
    manager = _manager("npy", tmp_path)
    with pytest.raises(StoreError, match="Python objects"):
        _make(manager, np.array([object()]), None)
    path = tmp_path / "assets" / "source" / "source.npy"
    assert not path.exists()
    _make(manager, np.zeros(3), None)
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(StoreError, match="Python objects"):
        _load(manager, None)


def test_an_array_without_its_record_counts_as_missing(tmp_path: Path) -> None:
    manager = _manager("npy", tmp_path)
    _make(manager, VALUES["npy"][1], "02")
    (tmp_path / "assets" / "source" / "02.json").unlink()
    with pytest.raises(StoreError, match="missing"):
        _load(manager, "02")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"array": {"dtype": "<f4"}}', "\x00"])
def test_a_damaged_record_is_told(content: str, tmp_path: Path) -> None:
    manager = _manager("npy", tmp_path)
    _make(manager, VALUES["npy"][1], "02")
    (tmp_path / "assets" / "source" / "02.json").write_text(content)
    with pytest.raises(StoreError, match="source, partition 02: "):
        _load(manager, "02")


def test_arrays_are_memory_mapped_and_read_only(tmp_path: Path) -> None:
    manager = _manager("npy", tmp_path)
    _make(manager, VALUES["npy"][1], "02")
    loaded = _load(manager, "02")
    assert isinstance(loaded, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded[0, 0] = 1


def test_a_failed_write_leaves_the_old_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = _manager(kind, tmp_path)
    _make(manager, VALUES[kind][1], "02")
    folder = tmp_path / "assets" / "source"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    other = {"npy": np.ones(3), "parquet": pd.DataFrame({"a": [1]}), "json": {}}[kind]
    with pytest.raises(
        StoreError, match=r"source, partition 02: .* cannot be written: .*No space left on device"
    ):
        _make(manager, other, "02")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        (["..", "x"], None),
        (["a/b"], None),
        (["/etc"], None),
        (["a\\b"], None),
        (["a\0b"], None),
        ([""], None),
        (["."], None),
        (["C:"], None),
        ([], None),
        (["a"], ".."),
        (["a"], "../../x"),
        (["a"], "/etc/passwd"),
        (["a"], "x\ny"),
        (["a"], ""),
        (["a"], "x" * 300),
    ],
)
def test_a_name_that_could_leave_the_storage_is_refused(
    key: list[str], partition: str | None, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="name"):
        Storage(UPath(tmp_path), 1).asset_file(key, partition, ".npy")


@pytest.mark.parametrize("partition", ["..", "../x", "/x"])
def test_a_run_over_a_partition_with_such_a_name_writes_nothing(
    kind: str, partition: str, tmp_path: Path
) -> None:
    manager, value = _manager(kind, tmp_path / "storage"), VALUES[kind][1]

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition([partition]))
    def source() -> Any:
        return value

    result = dg.materialize(
        [source], resources={"io_manager": manager}, partition_key=partition, raise_on_error=False
    )
    assert not result.success
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_values_that_do_not_match_the_partitions_are_refused(kind: str, tmp_path: Path) -> None:
    value = VALUES[kind][1]

    @dg.asset(partitions_def=SHARDS, backfill_policy=dg.BackfillPolicy.single_run())
    def source() -> Any:
        return {"00": value, "03": value}

    tags = {"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "01"}
    result = dg.materialize(
        [source], resources={"io_manager": _manager(kind, tmp_path)}, tags=tags, raise_on_error=False
    )
    failure = result.failure_data_for_node("source")
    assert "missing: 01; not asked for: 03" in str(failure)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "value", [np.zeros(3), pd.DataFrame({"a": [1]}), {"a": float("nan")}, {"a": object()}]
)
def test_a_value_of_the_wrong_kind_is_refused(value: Any, tmp_path: Path) -> None:
    for name, (manager_kind, right) in VALUES.items():
        if type(value) is type(right) and name != "json":
            continue
        with pytest.raises(StoreError, match=r"stored here|cannot be written as JSON"):
            _make(manager_kind(Storage(UPath(tmp_path), 4)), value, None)


def test_records_are_plain_json(tmp_path: Path) -> None:
    _make(_manager("npy", tmp_path), VALUES["npy"][1], "02")
    record = json.loads((tmp_path / "assets" / "source" / "02.json").read_text())
    assert record["array"]["dtype"] == "<f4"
    assert record["array"]["shape"] == [1000, 4]


@pytest.mark.parametrize("damage", [_truncate, _empty, _garble])
def test_what_is_looked_for_and_damaged_is_told_and_counts_as_nothing(
    kind: str, damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = _manager(kind, tmp_path)
    assert manager.find("source", "02") is None
    assert not caplog.records
    _make(manager, VALUES[kind][1], "02")
    caplog.clear()
    assert manager.find("source", "02") is not None
    assert not caplog.records
    path = tmp_path / "assets" / "source" / f"02{manager.suffix}"
    damage(path)
    assert manager.find("source", "02") is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "source, partition 02: " in record.getMessage()
    assert str(path) in record.getMessage()


@pytest.mark.parametrize("name", ["npy", "json"])
@pytest.mark.parametrize("lost", ["value", "record"])
def test_half_of_what_was_stored_is_told(
    name: str, lost: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = _manager(name, tmp_path)
    _make(manager, VALUES[name][1], "02")
    own = manager.own_file(["source"], "02")
    (manager.commit_file(own) if lost == "record" else own).unlink()
    caplog.clear()
    assert manager.find("source", "02") is None
    (record,) = caplog.records
    assert "source, partition 02: " in record.getMessage()
    assert "missing" in record.getMessage()


def test_damage_that_a_step_finds_is_in_the_runs_log(tmp_path: Path) -> None:
    manager = _manager("parquet", tmp_path)
    _make(manager, VALUES["parquet"][1], "02")
    _truncate(tmp_path / "assets" / "source" / "02.parquet")

    @dg.asset
    def sink() -> None:
        assert manager.find("source", "02") is None

    instance = dg.DagsterInstance.ephemeral()
    result = dg.materialize([sink], instance=instance)
    messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any("source, partition 02: " in message and "02.parquet" in message for message in messages)
