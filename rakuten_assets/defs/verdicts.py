"""Verdicts of the lower floor as Dagster's check results, by partition, and the rule on what gets stored.

A run over several partitions is one step. Dagster 1.13 records one check result and one data version for that step, not
one a partition. So this module records them by partition, as Dagster itself does in a run over one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg

from rakuten_assets.defs.check_targets import check_targets
from rakuten_assets.defs.observations import new_observations
from rakuten_assets.defs.presentation import details
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.verdicts import Verdict

Value = TypeVar("Value")
Gives = Iterator[dg.MaterializeResult[Value] | Any]
"""What an asset's function yields: a result that holds the value, and events about it."""

Verdicts = Sequence[Verdict] | Mapping[str, Sequence[Verdict]]

_VERSION, _OWN_VERSION = "dagster/data_version", "dagster/data_version_is_user_provided"
INPUT_VERSION = "dagster/input_data_version/"


def check_specs(
    asset: Sequence[str],
    descriptions: Mapping[str, str],
    partitions: dg.PartitionsDefinition | None = None,
    only_warn: Collection[str] = (),
) -> list[dg.AssetCheckSpec]:
    """Specs of checks that run in the own step of the asset with this key."""
    return [
        dg.AssetCheckSpec(
            name,
            asset=list(asset),
            description=text,
            blocking=name not in only_warn,
            partitions_def=partitions,
        )
        for name, text in descriptions.items()
    ]


def publish(
    context: dg.AssetExecutionContext,
    result: dg.MaterializeResult[Value],
    verdicts: Verdicts,
    store_failures: bool = False,
    versions: Mapping[str, str] | None = None,
    read: Mapping[str, str] | None = None,
) -> Gives[Value]:
    """Store an asset's result and report its checks.

    Where a check fails with severity error, the step fails and nothing is stored: an earlier good result stays. With
    `store_failures` the step fails too, but the result is stored: it is a finding, such as a scan, that people need
    to see.

    Args:
        result: without a data version where `versions` are given.
        verdicts: of the asset, or by partition.
        versions: data version of each partition of the run: a digest of its content. A partition that is made again
            unchanged then leaves what is built on it up to date.
        read: data versions of the external assets that the value was read from. They are recorded as observations,
            and as what this result is made of (Dagster would take what was observed before the step began).
    """
    by_partition = verdicts if isinstance(verdicts, Mapping) else {_only_partition(context): verdicts}
    stopping = [(key, verdict) for key, group in by_partition.items() for verdict in group if verdict.stops]
    if store_failures or not stopping:
        if versions is not None:
            result = result._replace(data_version=_version_of_all(versions))
        if read:
            yield from new_observations(read, context.instance)
            result = result._replace(tags={f"{INPUT_VERSION}{key}": version for key, version in read.items()})
        yield result
        if versions is not None and len(versions) > 1:
            yield from _own_versions(context, versions)
    yield from _evaluations(context, by_partition)
    if stopping:
        raise dg.Failure(_explain(context, stopping, stored=store_failures), allow_retries=False)


def refuse(context: dg.AssetExecutionContext, verdict: Verdict) -> Iterator[Any]:
    """Report a check that failed before there was anything to store, and fail the step."""
    yield dg.AssetCheckResult(
        check_name=verdict.check, passed=False, description=verdict.summary, metadata=details(verdict.details)
    )
    raise dg.Failure(_explain(context, [(None, verdict)], stored=False), allow_retries=False)


def _version_of_all(versions: Mapping[str, str]) -> dg.DataVersion:
    if len(versions) == 1:
        return dg.DataVersion(next(iter(versions.values())))
    return dg.DataVersion(sha256_of_bytes("\n".join(versions.values()).encode()))


def _own_versions(
    context: dg.AssetExecutionContext, versions: Mapping[str, str]
) -> Iterator[dg.AssetMaterialization]:
    """The run's materialisations of these partitions once more, each with its own data version."""
    for record in _newest_records(context, list(versions)):
        materialization = record.asset_materialization
        if (
            record.run_id != context.run.run_id
            or materialization is None
            or materialization.partition is None
        ):
            continue
        own = {_VERSION: versions[materialization.partition], _OWN_VERSION: "true"}
        yield dg.AssetMaterialization(
            context.asset_key,
            partition=materialization.partition,
            metadata=materialization.metadata,
            tags={**(materialization.tags or {}), **own},
        )


def _newest_records(context: dg.AssetExecutionContext, partitions: Sequence[str]) -> list[dg.EventLogRecord]:
    """The newest materialisation of each partition that has one."""
    chosen = dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=list(partitions))
    found: dict[str, dg.EventLogRecord] = {}
    cursor: str | None = None
    while len(found) < len(partitions):  # The newest come first.
        page = context.instance.fetch_materializations(chosen, limit=2 * len(partitions), cursor=cursor)
        for record in page.records:
            if record.partition_key is not None:
                found.setdefault(record.partition_key, record)
        if not page.has_more:
            break
        cursor = page.cursor
    return list(found.values())


def _evaluations(
    context: dg.AssetExecutionContext, by_partition: Mapping[Any, Sequence[Verdict]]
) -> Iterator[Any]:
    if len(by_partition) == 1:
        ((partition, verdicts),) = by_partition.items()
        for verdict in verdicts:
            yield dg.AssetCheckResult(
                check_name=verdict.check,
                passed=verdict.passed,
                severity=_severity(verdict),
                description=_described(verdict, partition),
                metadata=details(verdict.details),
            )
        return
    specs = {spec.name: spec for spec in context.assets_def.check_specs}
    for spec in specs.values():
        if spec.key in context.selected_asset_check_keys:
            yield dg.Output(None, output_name=spec.get_python_identifier())
    targets = check_targets(_newest_records(context, list(by_partition)))
    results = [(partition, verdict) for partition, verdicts in by_partition.items() for verdict in verdicts]
    for partition, verdict in results:
        yield dg.AssetCheckEvaluation(
            asset_key=context.asset_key,
            check_name=verdict.check,
            passed=verdict.passed,
            metadata=details(verdict.details),
            target_materialization_data=targets.get(partition),
            severity=_severity(verdict),
            description=_described(verdict, partition),
            blocking=specs[verdict.check].blocking,
            partition=partition,
        )


def _described(verdict: Verdict, partition: str | None) -> str:
    return verdict.summary if partition is None else f"shard {partition}: {verdict.summary}"


def _severity(verdict: Verdict) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if verdict.severity == "error" else dg.AssetCheckSeverity.WARN


def _only_partition(context: dg.AssetExecutionContext) -> str | None:
    return context.partition_key if context.has_partition_key else None


def _explain(
    context: dg.AssetExecutionContext, stopping: Sequence[tuple[str | None, Verdict]], stored: bool
) -> str:
    name = context.asset_key.to_user_string()
    lines = [
        f"{name}{f', partition {partition}' if partition else ''}: {verdict.check} failed: {verdict.summary}"
        for partition, verdict in stopping
    ]
    outcome = "the result is stored, but nothing is built on it" if stored else "nothing was stored"
    return "\n".join([*lines, f"({outcome})"])
