"""A step that was done before, on the same inputs, by the same code, tells its stored result again.

Every computation here gives the same bits for the same inputs, so that computing anew could only give what is there.
What a step gave is kept in `cache/steps/<asset>.json` of the storage: what it was made of, the files that it wrote with
their digests, and what Dagster was told. Where any of it is not as it was, the step computes.
"""

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import dagster as dg
from upath import UPath

from rakuten_assets.defs.io_managers.base import FileIOManager, Stored
from rakuten_assets.defs.steps.inputs import made_of
from rakuten_assets.errors import StoreError, WriteError
from rakuten_assets.images.thumbnails import NOT_SHOWN
from rakuten_assets.runtime.code_identity import code_identity
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import is_local, sha256_of_bytes, sha256_of_file
from rakuten_assets.storage.reading import read_bytes, read_together
from rakuten_assets.storage.records import read_record, write_record
from rakuten_assets.storage.transient import is_transient
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
        again = _again(context, kept, manager, record) if kept and kept.get("made_of") == wanted else []
        if kept and again and _all_as_written(kept["files"], storage):
            context.log.info(
                f"unchanged: the result of {kept['computed']} stands (computed anew without {record})"
            )
            yield from again
            return
        told: list[Any] = []
        not_shown = NOT_SHOWN.count
        with writes_recorded() as written:
            for event in function(context, **inputs):
                told.append(event)
                yield event  # The IO manager stores the value before it goes on here.
        # Pictures are no inputs: one that could not be shown may be there the next time.
        if NOT_SHOWN.count == not_shown:
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
        if is_transient(error):
            raise
        context.log.warning(f"{error}. It is not used: the step computes")
        return None


def _all_as_written(files: Mapping[str, str], storage: Storage) -> bool:
    """Whether every file is there, with the content that the step wrote."""
    far = not is_local(storage.root)
    digest_of = _digest_of_object if far else sha256_of_file
    try:
        digests = read_together(lambda name: digest_of(storage.root / name), list(files), far)
        return all(digest() == files[name] for name, digest in digests)
    except OSError as error:
        if is_transient(error):
            raise
        return False  # Missing, or not to be read: the step writes it anew, or says what is wrong with it.


def _digest_of_object(path: UPath) -> str:
    return sha256_of_bytes(read_bytes(path))  # one request


def _again(
    context: dg.AssetExecutionContext, kept: Mapping[str, Any], manager: FileIOManager | None, record: UPath
) -> list[Any]:
    """What is to be told again; nothing where the record is not what this release keeps."""
    try:
        if not all(_is_below(name) and isinstance(digest, str) for name, digest in kept["files"].items()):
            raise ValueError("it names files outside the storage")
        metadata = {**_metadata(kept["metadata"]), TOLD_AGAIN: f"{kept['computed']}, run {kept['run']}"}
        version = dg.DataVersion(kept["data_version"])
        if manager is None:
            result: Any = dg.MaterializeResult(metadata=metadata, data_version=version)
        else:
            result = dg.MaterializeResult(value=Stored({}), metadata=metadata, data_version=version)
        checks = [
            dg.AssetCheckResult(
                check_name=check["name"],
                passed=check["passed"],
                severity=dg.AssetCheckSeverity(check["severity"]),
                description=check["description"],
                metadata=_metadata(check["metadata"]),
            )
            for check in kept["checks"]
        ]
        names = {spec.name for spec in context.assets_def.check_specs}
        if {check.check_name for check in checks} != names:
            raise ValueError("it tells of other checks")
    except Exception as error:  # of any kind: whoever wrote it knew its checksum
        context.log.warning(
            f"{record} is not what is kept there ({type(error).__name__}: {error}): the step computes"
        )
        return []
    return [result, *checks]


def _is_below(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return bool(name) and not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]


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
    files = _below_root(storage, written)
    if files is None or not wanted["code"] or code_identity() != wanted["code"]:
        return  # Sources were edited while this process ran: which of them it ran is not known.
    content = {
        "made_of": dict(wanted),
        "run": context.run.run_id,
        "computed": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "data_version": result.data_version.value,
        "files": files,
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


def _below_root(storage: Storage, written: Mapping[str, str]) -> dict[str, str] | None:
    """Digests by path below the storage's root; None where the step wrote elsewhere."""
    separator = os.sep if is_local(storage.root) else "/"
    root = str(storage.root).rstrip(separator) + separator
    if not all(path.startswith(root) for path in written):
        return None
    return {path.removeprefix(root).replace(os.sep, "/"): digest for path, digest in written.items()}


def _plain(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {name: dg.serialize_value(value) for name, value in metadata.items()}


def _metadata(plain: Mapping[str, str]) -> dict[str, Any]:
    return {name: dg.deserialize_value(text) for name, text in plain.items()}
