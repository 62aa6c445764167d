"""A step that was done before, on the same inputs, by the same code, tells its stored result again.

Every computation here gives the same bits for the same inputs, so that computing anew could only give what is there.
What a step gave is kept in `cache/steps/<asset>.json` of the storage: what it was made of, the files that it wrote with
their digests, and what Dagster was told. Where any of it is not as it was, the step computes.
"""

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager, Stored
from rakuten_assets.defs.steps.inputs import made_of
from rakuten_assets.errors import StoreError, WriteError
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import is_local, sha256_of_bytes, sha256_of_file
from rakuten_assets.storage.reading import read_bytes, read_together
from rakuten_assets.storage.records import read_record, write_record
from rakuten_assets.storage.written import writes_recorded

TOLD_AGAIN = "nothing changed since"
"""Key in the metadata of a result that was told again: when it was computed, and in which run."""

Step = Callable[..., Iterator[Any]]


def reusing(function: Step, io_manager: str | None) -> Step:
    """The function of an asset without partitions, which computes only where its stored result is of something else.

    Args:
        function: gives one `dg.MaterializeResult`, and `dg.AssetCheckResult`s.
        io_manager: key of the resource that stores its value; None where there is none, and the function has an
            argument `storage`.
    """

    @functools.wraps(function)
    def step(context: dg.AssetExecutionContext, **inputs: Any) -> Iterator[Any]:
        manager: FileIOManager | None = getattr(context.resources, io_manager) if io_manager else None
        storage: Storage = manager.storage if manager else inputs["storage"]
        record, wanted = _record(storage, context.asset_key), made_of(inputs, storage)
        kept = _kept(context, record)
        if kept is not None and kept["made_of"] == wanted and _all_as_written(kept["files"], storage):
            yield from _told_again(context, kept, manager, record)
            return
        told: list[Any] = []
        with writes_recorded() as written:
            for event in function(context, **inputs):
                told.append(event)
                yield event  # The IO manager stores the value before it goes on here.
        _keep(context, storage, wanted, told, written)

    return step


def _record(storage: Storage, key: dg.AssetKey) -> UPath:
    return storage.cache / "steps" / f"{'.'.join(key.path)}.json"


def _kept(context: dg.AssetExecutionContext, record: UPath) -> dict[str, Any] | None:
    try:
        return read_record(record)
    except FileNotFoundError:
        return None
    except (StoreError, OSError) as error:
        context.log.warning(f"{error}. It is not used: the step computes")
        return None


def _all_as_written(files: Mapping[str, str], storage: Storage) -> bool:
    """Whether every file is there, with the content that the step wrote."""
    far = not is_local(storage.root)
    digest_of = _digest_of_object if far else sha256_of_file
    try:
        digests = read_together(lambda name: digest_of(storage.root / name), list(files), far)
        return all(digest() == files[name] for name, digest in digests)
    except FileNotFoundError:
        return False


def _digest_of_object(path: UPath) -> str:
    return sha256_of_bytes(read_bytes(path))  # one request


def _told_again(
    context: dg.AssetExecutionContext, kept: Mapping[str, Any], manager: FileIOManager | None, record: UPath
) -> Iterator[Any]:
    context.log.info(f"unchanged: the result of {kept['computed']} stands (computed anew without {record})")
    metadata = {**_metadata(kept["metadata"]), TOLD_AGAIN: f"{kept['computed']}, run {kept['run']}"}
    version = dg.DataVersion(kept["data_version"])
    if manager is None:
        yield dg.MaterializeResult(metadata=metadata, data_version=version)
    else:
        yield dg.MaterializeResult(value=Stored({}), metadata=metadata, data_version=version)
    for check in kept["checks"]:
        yield dg.AssetCheckResult(
            check_name=check["name"],
            passed=check["passed"],
            severity=dg.AssetCheckSeverity(check["severity"]),
            description=check["description"],
            metadata=_metadata(check["metadata"]),
        )


def _keep(
    context: dg.AssetExecutionContext,
    storage: Storage,
    wanted: Mapping[str, str],
    told: list[Any],
    written: Mapping[str, str],
) -> None:
    """Keep what the step gave; where that cannot be, it computes the next time."""
    (result,) = (one for one in told if isinstance(one, dg.MaterializeResult))
    event = context.instance.get_latest_materialization_event(context.asset_key)
    materialization = event.asset_materialization if event is not None else None
    if (
        event is None
        or materialization is None
        or event.run_id != context.run.run_id
        or not result.data_version
    ):
        return  # Another run has told something newer meanwhile.
    content = {
        "made_of": dict(wanted),
        "run": context.run.run_id,
        "computed": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "data_version": result.data_version.value,
        "files": _below_root(storage, written),
        "metadata": _plain(materialization.metadata),
        "checks": [
            {
                "name": one.check_name,
                "passed": bool(one.passed),
                "severity": one.severity.value,
                "description": one.description,
                "metadata": _plain(one.metadata or {}),
            }
            for one in told
            if isinstance(one, dg.AssetCheckResult)
        ],
    }
    try:
        write_record(_record(storage, context.asset_key), content)
    except WriteError as error:
        context.log.warning(f"{error}. The result is stored; the next run computes it again")


def _below_root(storage: Storage, written: Mapping[str, str]) -> dict[str, str]:
    """Digests by path below the storage's root, of those that the step left there.

    Raises:
        ValueError: for a file that is not below it.
    """
    root = f"{storage.root}{os.sep if is_local(storage.root) else '/'}"
    outside = [path for path in written if not path.startswith(root)]
    if outside:
        raise ValueError(f"a step that is told again writes below the storage alone, not {outside[0]}")
    names = {path.removeprefix(root): digest for path, digest in written.items()}
    return {name: digest for name, digest in names.items() if (storage.root / name).exists()}


def _plain(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {name: dg.serialize_value(value) for name, value in metadata.items()}


def _metadata(plain: Mapping[str, str]) -> dict[str, Any]:
    return {name: dg.deserialize_value(text) for name, text in plain.items()}
