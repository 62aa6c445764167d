"""A storage as the assets leave it, and a history in which one check warned and one run failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from rakuten_assets.extraction.storing.speed import Speed
from rakuten_assets.extraction.storing.store import ABOUT_FILE
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.storage.records import write_record
from rakuten_assets.storage.tables import read_table
from rakuten_assets_tests.readiness.conftest import EXTRACTOR, ReadyStorage, metadata
from rakuten_assets_tests.readiness.conftest import ready as ready

SPEED = Speed(400, 2.0, 2, "a processor")
SHARDS = ("00", "01")
"""Of `ready`."""


@pytest.fixture(autouse=True)
def _defaults(no_settings_of_the_user: None) -> None:
    """Every test here starts from the defaults."""


@pytest.fixture
def storage(ready: ReadyStorage) -> ReadyStorage:
    """Features an hour old, of measured speed; three images of train are unusable."""
    about = {
        **metadata(),
        "timestamp": (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds"),
    }
    ready.put(f"{EXTRACTOR}/metadata", about)
    write_record(ready.storage.cache / "rows" / about["fingerprint"] / ABOUT_FILE, {"speed": SPEED.as_dict()})
    for shard in SHARDS:
        spoil(ready, shard, {"00": ["truncated", "truncated"], "01": ["missing"]}[shard])
    return ready


def spoil(ready: ReadyStorage, shard: str, reasons: list[str]) -> None:
    """Make the first images of a shard unusable, in the stored scan."""
    scan = read_table(ready.storage.asset_file(["image_scan"], shard, ".parquet"))
    scan["sha256"] = [sha256_of_bytes(name.encode()) for name in scan["file"]]
    for row, reason in enumerate(reasons):
        scan.loc[row, ["status", "reason"]] = ["missing" if reason == "missing" else "unreadable", reason]
    ready.put("image_scan", scan, shard)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for `DAGSTER_HOME`."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "dagster.yaml").touch()
    return folder


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """With SQLite on disk, as Dagster is out of the box."""
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        yield instance


PARTITIONS = dg.StaticPartitionsDefinition(list(SHARDS))


def graph(
    outcomes: dict[str, str] | None = None, error: str = "", during: Callable[[], None] | None = None
) -> Any:
    """An asset of one piece and one of shards with a check of the same name, and a second one of the first; each
    gives the outcome that is said of it: `error`, `warn`, "" for well."""
    said = outcomes or {}

    def results(*names: str) -> list[dg.AssetCheckResult]:
        return [
            dg.AssetCheckResult(
                check_name=name.partition(":")[2],
                passed=not said.get(name),
                severity=dg.AssetCheckSeverity(said.get(name, "error").upper() or "ERROR"),
            )
            for name in names
        ]

    @dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="table") for name in ("finite", "complete")])
    def table() -> Any:
        if error:
            raise ValueError(error)
        if during is not None:
            during()
        yield dg.MaterializeResult(check_results=results("table:finite", "table:complete"))

    @dg.asset(
        partitions_def=PARTITIONS,
        check_specs=[dg.AssetCheckSpec("finite", asset="scan", partitions_def=PARTITIONS)],
    )
    def scan() -> Any:
        yield dg.MaterializeResult(check_results=results("scan:finite"))

    return {"table": table, "scan": scan}


def run(
    instance: dg.DagsterInstance,
    asset: str,
    shard: str | None = None,
    error: str = "",
    during: Callable[[], None] | None = None,
    **outcomes: str,
) -> dg.ExecuteInProcessResult:
    """Run one asset of `graph`; outcomes by the names of its checks; `during` is called by the asset `table`."""
    said = {f"{asset}:{name}": outcome for name, outcome in outcomes.items()}
    return dg.materialize(
        [graph(said, error, during)[asset]], instance=instance, partition_key=shard, raise_on_error=False
    )
