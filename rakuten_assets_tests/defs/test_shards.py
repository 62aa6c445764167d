"""The partitions definition, and the commands that rebuild shards."""

import dagster as dg
import pytest

from rakuten_assets.defs.shards import ShardPartitions, rebuild_commands, whole_range_request
from rakuten_assets.errors import ManifestError

COMMAND = "dagster asset materialize -m rakuten_assets.definitions --select a"


def test_ranges_give_their_shards_reversed_ones_are_refused() -> None:
    shards = ShardPartitions(12)
    assert list(shards.get_partition_keys_in_range(dg.PartitionKeyRange("09", "11"))) == ["09", "10", "11"]
    assert list(shards.get_partition_keys_in_range(dg.PartitionKeyRange("03", "03"))) == ["03"]
    with pytest.raises(ManifestError, match=r"write 03\.\.\.10"):
        shards.get_partition_keys_in_range(dg.PartitionKeyRange("10", "03"))
    with pytest.raises(dg.DagsterInvalidInvocationError):
        shards.get_partition_keys_in_range(dg.PartitionKeyRange("00", "12"))


def test_equal_counts_are_equal_definitions() -> None:
    assert ShardPartitions(3) == ShardPartitions(3)
    assert ShardPartitions(3) != ShardPartitions(4)


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        ([], []),
        (["02"], [f"{COMMAND} --partition 02"]),
        (["01", "00", "02"], [f"{COMMAND} --partition-range 00...02"]),
        (["00", "02", "03"], [f"{COMMAND} --partition 00", f"{COMMAND} --partition-range 02...03"]),
        (["gone"], [f"{COMMAND} --partition gone"]),
    ],
)
def test_neighbouring_shards_share_a_command(partitions: list[str], expected: list[str]) -> None:
    assert rebuild_commands("a", partitions, ["00", "01", "02", "03"]) == expected


def test_where_a_run_may_not_cover_a_range_each_shard_has_a_command() -> None:
    assert rebuild_commands("a", ["01", "00"], ["00", "01"], ranges=False) == [
        f"{COMMAND} --partition 00",
        f"{COMMAND} --partition 01",
    ]


def test_a_run_of_a_backfill_covers_all_shards_or_as_many_as_is_said() -> None:
    assert ShardPartitions(12).backfill_policy == dg.BackfillPolicy.single_run()
    assert ShardPartitions(12, per_run=4).backfill_policy == dg.BackfillPolicy.multi_run(4)


def test_an_unpartitioned_asset_has_one_command() -> None:
    assert rebuild_commands("a", [], []) == [COMMAND]


def test_a_whole_range_is_one_run() -> None:
    request = whole_range_request(["00", "01", "02"], "key")
    assert request.partition_key is None
    assert request.tags["dagster/asset_partition_range_end"] == "02"
