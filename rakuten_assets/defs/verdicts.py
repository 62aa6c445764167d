"""Verdicts of the lower floor as Dagster's check results, by partition, and the rule on what gets stored.

A run over several partitions is one step, for which Dagster 1.13 records one unpartitioned check result. So
evaluations are made here, one a partition, as Dagster itself makes them in a run over one partition.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

# Not exported by `dagster`, though the public `AssetCheckEvaluation` is made of it.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from rakuten_assets.defs.presentation import details
from rakuten_assets.verdicts import Verdict

Verdicts = Sequence[Verdict] | Mapping[str, Sequence[Verdict]]


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
    result: dg.MaterializeResult[Any],
    verdicts: Verdicts,
    store_failures: bool = False,
) -> Iterator[Any]:
    """Store an asset's result and report its checks.

    Where a check fails with severity error, nothing is stored, so that an earlier good result stays, unless
    `store_failures` (the result is a finding, such as a scan, that one needs to see); either way the step fails.

    Args:
        verdicts: of the asset, or by partition.
    """
    by_partition = verdicts if isinstance(verdicts, Mapping) else {_only_partition(context): verdicts}
    stopping = [(key, verdict) for key, group in by_partition.items() for verdict in group if verdict.stops]
    if store_failures or not stopping:
        yield result
    yield from _evaluations(context, by_partition)
    if stopping:
        raise dg.Failure(_explain(context, stopping, stored=store_failures), allow_retries=False)


def refuse(context: dg.AssetExecutionContext, verdict: Verdict) -> Iterator[Any]:
    """Report a check that failed before there was anything to store, and fail the step."""
    yield dg.AssetCheckResult(
        check_name=verdict.check, passed=False, description=verdict.summary, metadata=details(verdict.details)
    )
    raise dg.Failure(_explain(context, [(None, verdict)], stored=False), allow_retries=False)


def _evaluations(
    context: dg.AssetExecutionContext, by_partition: Mapping[Any, Sequence[Verdict]]
) -> Iterator[Any]:
    if len(by_partition) == 1:
        for verdict in next(iter(by_partition.values())):
            yield dg.AssetCheckResult(
                check_name=verdict.check,
                passed=verdict.passed,
                severity=_severity(verdict),
                description=verdict.summary,
                metadata=details(verdict.details),
            )
        return
    specs = {spec.name: spec for spec in context.assets_def.check_specs}
    for spec in specs.values():
        if spec.key in context.selected_asset_check_keys:
            yield dg.Output(None, output_name=spec.get_python_identifier())
    targets = _latest_materializations(context, list(by_partition))
    for partition, verdicts in by_partition.items():
        for verdict in verdicts:
            yield dg.AssetCheckEvaluation(
                asset_key=context.asset_key,
                check_name=verdict.check,
                passed=verdict.passed,
                metadata=details(verdict.details),
                target_materialization_data=targets.get(partition),
                severity=_severity(verdict),
                description=verdict.summary,
                blocking=specs[verdict.check].blocking,
                partition=partition,
            )


def _latest_materializations(
    context: dg.AssetExecutionContext, partitions: list[str]
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    chosen = dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=partitions)
    targets: dict[str, AssetCheckEvaluationTargetMaterializationData] = {}
    for record in context.instance.fetch_materializations(chosen, limit=4 * len(partitions)).records:
        if (
            record.partition_key is not None and record.partition_key not in targets
        ):  # The newest comes first.
            targets[record.partition_key] = AssetCheckEvaluationTargetMaterializationData(
                run_id=record.run_id, storage_id=record.storage_id, timestamp=record.timestamp
            )
    return targets


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
