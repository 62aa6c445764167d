"""What holds for every asset alike, said once: how many shards a run covers, checks in the asset's own step."""

import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.defs.verdicts import check_specs
from rakuten_assets.machine import release_free_memory

EXCLUSIVE = {"rakuten/cores": "all"}
"""Tag of a step that keeps every core busy, or fills memory: the multiprocess executor runs one of them at a time."""

SOONER = {"dagster/priority": "1"}
"""Tag of a step that goes before others that could start at the same time, whatever the executor."""


def stage_asset(
    group: str,
    io_manager: str | None,
    kinds: set[str],
    checks: Mapping[str, str],
    *,
    prefix: str = "",
    ins: Mapping[str, dg.AssetIn] | None = None,
    code_version: str = "1",
    shards: ShardPartitions | None = None,
    deps: Sequence[dg.AssetKey] = (),
    only_warn: Collection[str] = (),
    exclusive: bool = False,
    sooner: bool = False,
) -> Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]:
    """Make an asset of a function: its name and docstring are the asset's.

    Args:
        io_manager: key of the resource that stores the value; None if the function gives none.
        checks: name -> description of the checks that the function reports.
        prefix: first part of the asset's key; "" for none.
        ins: inputs whose key is not the argument's name.
        deps: keys of assets that the function reads by itself.
        only_warn: names of checks that stop nothing.
        exclusive: whether the step keeps every core busy, or fills memory that another one could use.
        sooner: whether the step goes before others that could start at the same time.
    """
    tags = (EXCLUSIVE if exclusive else {}) | (SOONER if sooner else {})

    def decorate(function: Callable[..., Iterator[Any]]) -> dg.AssetsDefinition:
        @functools.wraps(function)
        def then_release(*inputs: Any, **named_inputs: Any) -> Iterator[Any]:
            release_free_memory()  # what loading the inputs left behind
            yield from function(*inputs, **named_inputs)
            release_free_memory()

        parts = [prefix] if prefix else []
        make = dg.asset(
            key_prefix=parts or None,
            ins=ins,
            group_name=group,
            io_manager_key=io_manager,
            kinds=kinds,
            code_version=code_version,
            partitions_def=shards,
            # With a single run on every asset, one command or one click runs the whole graph over all shards.
            backfill_policy=shards.backfill_policy if shards is not None else dg.BackfillPolicy.single_run(),
            check_specs=check_specs([*parts, function.__name__], checks, shards, only_warn),
            deps=deps or None,
            op_tags=tags or None,
        )
        return make(then_release if exclusive else function)

    return decorate
