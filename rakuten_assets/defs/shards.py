"""The one partitions definition, shared by train and test, and the commands that rebuild shards."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import ManifestError

LOCATION = "rakuten_assets.definitions"

# Tags of a run.
_ONE = "dagster/partition"
_FIRST, _LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


class UnknownShardError(ManifestError, dg.DagsterUnknownPartitionError):
    """A partition key that is not a shard; also Dagster's own error, which its commands expect."""


class ShardPartitions(dg.StaticPartitionsDefinition):
    """Shards "00", "01", ...

    A key that is no shard is refused, with the right spelling. So is a reversed range: Dagster would quietly select no
    shard at all.

    Args:
        count: how many there are.
        per_run: how many of them one run of a backfill covers; 0: all.
    """

    def __init__(self, count: int, per_run: int = 0) -> None:
        super().__init__(shard_keys(count))
        self.per_run = per_run

    @property
    def backfill_policy(self) -> dg.BackfillPolicy:
        """Of the assets that are split into these shards."""
        return dg.BackfillPolicy.multi_run(self.per_run) if self.per_run else dg.BackfillPolicy.single_run()

    def validate_partition_key(self, partition_key: str, context: Any) -> None:
        keys = list(self.get_partition_keys())
        if partition_key not in keys:
            raise UnknownShardError(
                f"{partition_key!r} is not one of the {len(keys)} shards, {keys[0]} to {keys[-1]}: "
                f"{_right_spelling(partition_key, keys)}"
            )

    def get_partition_keys_in_range(self, partition_key_range: dg.PartitionKeyRange) -> Sequence[str]:
        start, end = partition_key_range.start, partition_key_range.end
        keys = list(self.get_partition_keys())
        if start in keys and end in keys and keys.index(start) > keys.index(end):
            raise ManifestError(
                f"the partition range {start}...{end} is reversed and would select no shard; write {end}...{start}"
            )
        return super().get_partition_keys_in_range(partition_key_range)


def whole_range_request(keys: Sequence[str], run_key: str) -> dg.RunRequest:
    """One run over all shards."""
    return dg.RunRequest(run_key=run_key, tags={_FIRST: keys[0], _LAST: keys[-1]})


def span_of_run(tags: Mapping[str, str]) -> tuple[str, ...]:
    """What a run's tags say of its shards: the first and the last one, the only one, or nothing.

    >>> span_of_run({"dagster/partition": "03"}), span_of_run({})
    (('03',), ())
    """
    if one := tags.get(_ONE):
        return (one,)
    first, last = tags.get(_FIRST), tags.get(_LAST)
    return tuple(filter(None, (first, last))) if first else ()


def rebuild_commands(
    asset: str, partitions: Iterable[str], all_partitions: Sequence[str], ranges: bool = True
) -> list[str]:
    """Commands that materialise an asset, or just some of its shards: one command for each range of neighbours.

    Args:
        ranges: whether one run may cover several shards; else there is a command a shard.

    >>> for line in rebuild_commands("image_scan", ["00", "01", "03"], ["00", "01", "02", "03"]): print(line)
    dagster asset materialize -m rakuten_assets.definitions --select image_scan --partition-range 00...01
    dagster asset materialize -m rakuten_assets.definitions --select image_scan --partition 03
    """
    command = f"dagster asset materialize -m {LOCATION} --select {asset}"
    if not all_partitions:
        return [command]
    chosen = sorted(partitions)
    spans = _neighbours(chosen, all_partitions) if ranges else [(key, key) for key in chosen]
    return [
        f"{command} --partition {first}" if first == last else f"{command} --partition-range {first}...{last}"
        for first, last in spans
    ]


def _right_spelling(given: str, keys: Sequence[str]) -> str:
    """
    >>> _right_spelling("3", ["00", "01", "02", "03"])
    'write 03'
    """
    number = given.strip()
    if number.isdecimal() and int(number) < len(keys):
        return f"write {keys[int(number)]}"
    whole = f"all of them are --partition-range {keys[0]}...{keys[-1]}"
    if "." in given or "-" in given or "," in given:
        return f"a range is written --partition-range FIRST...LAST; {whole}"
    return f"{whole}, one is --partition {keys[0]}"


def _neighbours(chosen: Sequence[str], keys: Sequence[str]) -> list[tuple[str, str]]:
    position = {key: number for number, key in enumerate(keys)}
    spans: list[tuple[str, str]] = []
    for key in chosen:
        if spans and key in position and position[key] == position[spans[-1][1]] + 1:
            spans[-1] = (spans[-1][0], key)
        else:
            spans.append((key, key))
    return spans
