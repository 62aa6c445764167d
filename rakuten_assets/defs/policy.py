"""What holds for every asset alike, said once: how many shards a run covers, checks in the asset's own step."""

import functools
import inspect
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from rakuten_assets.defs.io_managers.base import COLUMN_SCHEMA, COLUMNS
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.defs.steps.retries import retrying
from rakuten_assets.defs.steps.reuse import reusing
from rakuten_assets.defs.verdicts import check_specs
from rakuten_assets.runtime.machine import release_free_memory

EXCLUSIVE = {"rakuten/cores": "all"}
"""Tag of a step that keeps every core busy, or fills memory: the multiprocess executor runs one of them at a time."""

POOL = "cores"
"""Pool of such steps: `dagster.yaml` says how many runs that have any may be under way at a time."""

SOONER = {"dagster/priority": "1"}
"""Tag of a step that goes before others that could start at the same time, whatever the executor."""

OWNERS = ("team:catalogue",)
"""Whose assets these are, in the interface."""

FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=90), warn_window=timedelta(days=30))
"""Of what is published. The data hardly change; whoever has not looked for a month should know that."""

WHEN_INPUTS_CHANGE = (
    dg.AutomationCondition.eager()
    .replace(
        "any_deps_updated",
        dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed()),
    )
    .with_label("when an input has another data version")
)
"""Of assets that take seconds, once automation is switched on. Not of scan and features: that a stored shard is
missing or damaged, or made by another extractor, is seen in the storage and not in Dagster's records, so that the
schedule `refresh_stale_shards` looks there."""


def stage_asset(
    group: str,
    io_manager: str | None,
    kinds: set[str],
    checks: Mapping[str, str],
    *,
    prefix: str = "",
    own: Iterable[str] = (),
    reads: Mapping[str, Iterable[str]] | None = None,
    code_version: str = "1",
    shards: ShardPartitions | None = None,
    deps: Iterable[str | dg.AssetKey] = (),
    only_warn: Collection[str] = (),
    columns: Mapping[str, str] | None = None,
    exclusive: bool = False,
    sooner: bool = False,
    light: bool = False,
    fresh: bool = False,
    reused: bool = False,
) -> Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]:
    """Make an asset of a function: its name and docstring are the asset's.

    Args:
        io_manager: key of the resource that stores the value; None if the function gives none.
        checks: name -> description of the checks that the function reports.
        prefix: first part of the asset's key; "" for none.
        own: names of inputs that have the same prefix.
        reads: input -> the columns of its table that the function uses; of others it gets all.
        deps: keys of assets that the function reads by itself, external ones among them.
        only_warn: names of checks that stop nothing.
        columns: column -> what it holds, of a table.
        exclusive: whether the step keeps every core busy, or fills memory that another one could use.
        sooner: whether the step goes before others that could start at the same time.
        light: whether it takes seconds, so that automation may make it whenever its inputs change.
        fresh: whether it should not get old, as what is published should not.
        reused: whether the stored result is told again where nothing changed that it was made of. For functions whose
            results depend on their arguments alone, and which write below the storage alone.
    """
    described_columns: dict[str, Any] = {}
    if columns is not None:
        described = [dg.TableColumn(name, description=text) for name, text in columns.items()]
        described_columns[COLUMN_SCHEMA] = dg.TableSchema(described)
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
            ins={
                **{name: dg.AssetIn(key=[*parts, name]) for name in own},
                **{name: dg.AssetIn(metadata={COLUMNS: list(used)}) for name, used in (reads or {}).items()},
            }
            or None,
            group_name=group,
            io_manager_key=io_manager,
            kinds=kinds,
            code_version=code_version,
            partitions_def=shards,
            # With a single run on every asset, one command or one click runs the whole graph over all shards.
            backfill_policy=shards.backfill_policy if shards is not None else dg.BackfillPolicy.single_run(),
            check_specs=check_specs([*parts, function.__name__], checks, shards, only_warn),
            deps=list(deps) or None,
            metadata={**described_columns, **_source_of(function)},
            owners=list(OWNERS),
            tags={"rakuten/stage": group},
            automation_condition=WHEN_INPUTS_CHANGE if light else None,
            freshness_policy=FRESH if fresh else None,
            op_tags=tags or None,
            pool=POOL if exclusive else None,
        )
        step = then_release if exclusive else function
        return make(retrying(reusing(step, io_manager) if reused else step))

    return decorate


def _source_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Where a function stands, for the interface's link to it: Dagster's own way would name what is put around it."""
    file, line = inspect.getsourcefile(function), inspect.getsourcelines(function)[1]
    reference = dg.LocalFileCodeReference(file_path=os.path.abspath(str(file)), line_number=line)  # noqa: PTH100
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
