"""Resources over a storage: a new one is announced, once, with its whole path."""

from pathlib import Path

import dagster as dg
import pandas as pd
from upath import UPath

from rakuten_assets.defs.resources import build_resources
from rakuten_assets.settings import Settings


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
