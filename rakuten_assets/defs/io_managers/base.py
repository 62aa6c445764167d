"""What the IO managers share: where an asset's file lies, one or many partitions, and how a bad file is told."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, get_origin

import dagster as dg
from upath import UPath

from rakuten_assets.defs.shards import ShardPartitions, rebuild_commands
from rakuten_assets.defs.steps.retries import tried_again
from rakuten_assets.errors import StoreError
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import read_together

COLUMN_SCHEMA = "dagster/column_schema"
"""Metadata of a table's columns: of the definition, what they hold; of what was stored, their types, too."""

COLUMNS = "columns"
"""Metadata of an input: the columns of a table that the asset reads."""

_ROWS, _ROWS_OF_A_PARTITION = "dagster/row_count", "dagster/partition_row_count"


@dataclass(frozen=True)
class Stored:
    """In place of a partition's value: `FileIOManager.store` has written it already, before its step ends.

    Attributes:
        metadata: what is to be said of the stored file.
    """

    metadata: Mapping[str, Any]


class FileIOManager(dg.IOManager):
    """Stores an asset as one file, or as one file a partition.

    In a run over several partitions, a value is a mapping partition key -> value, in the order of the keys. In a run
    over one partition it is the value itself; an input that is annotated as a `dict` gets a mapping of one.
    """

    suffix: ClassVar[str]

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    @abstractmethod
    def write(self, value: Any, file: UPath) -> dict[str, Any]:
        """Store `value` at `file`, atomically; return metadata."""

    @abstractmethod
    def read(self, file: UPath) -> Any:
        """Load what `write` stored.

        Raises:
            FileNotFoundError: if it is not there.
            StoreError: if it is damaged.
        """

    def reader(self, context: dg.InputContext) -> Callable[[UPath], Any]:
        """What loads a file of this input: `read`, unless the input asks for a part of it."""
        return self.read

    def commit_file(self, file: UPath) -> UPath:
        """The file that `write` writes last. If it exists, the value was stored whole."""
        return file

    def present(self, file: UPath) -> bool:
        """Whether something is stored, damaged or not."""
        commit = self.commit_file(file)
        return commit.exists() and (commit == file or file.exists())

    def own_file(self, key: Sequence[str], partition: str | None) -> UPath:
        """Path of the asset's own file; its folder is the asset's name."""
        return self.storage.asset_file(key, partition, self.suffix)

    def find(self, asset: str | Sequence[str], partition: str | None = None) -> Any | None:
        """What is stored under an asset's key; None if there is nothing. Damage is told in the log, and counts as
        nothing from there on.

        Raises:
            StoreError: if it is there and cannot be read.
        """
        key = [asset] if isinstance(asset, str) else list(asset)
        file = self.own_file(key, partition)
        name = "/".join(key) + (f", partition {partition}" if partition else "")
        try:
            return self.read(file)
        except FileNotFoundError:
            left = [path for path in (self.commit_file(file), file) if path.exists()]
            if left:
                self._tell(f"{name}: {left[0]} is there, and what belongs to it is missing")
            return None
        except StoreError as error:
            self._tell(f"{name}: {error}")
            return None
        except OSError as error:
            raise StoreError(f"{name}: {file} cannot be read: {error}") from error

    def _tell(self, damage: str) -> None:
        dg.get_dagster_logger().warning(f"{damage}. It is not used, and is to be made again")

    def store(self, asset: str, partition: str, value: Any) -> Stored:
        """Store a partition's value now: what is killed later keeps it. The step hands over what this returns.

        Raises:
            StoreError: if it cannot be written; what was stored before is intact.
        """
        return Stored(
            self._write(f"{asset}, partition {partition}", value, self.own_file([asset], partition))
        )

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        with tried_again(_tries(context), context.log):
            self._store_output(context, obj)

    def _store_output(self, context: dg.OutputContext, obj: Any) -> None:
        partitions = sorted(context.asset_partition_keys) if context.has_asset_partitions else None
        values = _values_by_partition(context, partitions, obj)
        # Every name is looked at before the first file is written.
        targets = {partition: self._file(context, partition) for partition in values}
        described = {
            partition: dict(value.metadata)
            if isinstance(value, Stored)
            else self._write(_name(context, partition), value, targets[partition])
            for partition, value in values.items()
        }
        for partition, metadata in described.items():
            if COLUMN_SCHEMA in metadata:
                metadata[COLUMN_SCHEMA] = _described(context, metadata[COLUMN_SCHEMA])
            if partition is not None and _ROWS in metadata:
                metadata[_ROWS_OF_A_PARTITION] = metadata.pop(_ROWS)
        if len(described) == 1:
            context.add_output_metadata(next(iter(described.values())))
            return
        for partition, metadata in described.items():
            context.step_context.add_asset_metadata(
                metadata, asset_key=context.asset_key, partition_key=partition
            )

    def _write(self, name: str, value: Any, file: UPath) -> dict[str, Any]:
        try:
            return self.write(value, file)
        except OSError as error:
            raise StoreError(
                f"{name}: {file} cannot be written: {error}. What was stored before is intact; mend that "
                "and run again"
            ) from error

    def load_input(self, context: dg.InputContext) -> Any:
        with tried_again(_tries(context), context.log):
            return self._load(context)

    def _load(self, context: dg.InputContext) -> Any:
        keys, read = _partitions(context), self.reader(context)
        if keys is None:
            with self._told_clearly(context, None):
                return read(self._file(context, None))
        files = {key: self._file(context, key) for key in keys}
        far = not is_local(self.storage.root)
        if not far:  # All that is missing is told before anything is read; a bucket would be asked twice.
            self._refuse_missing(
                context, [key for key, file in files.items() if not self.present(file)], keys
            )
        values, missing = {}, []
        for key, value in read_together(lambda key: read(files[key]), keys, far):
            with self._told_clearly(context, key):
                try:
                    values[key] = value()
                except FileNotFoundError:
                    if not far:
                        raise
                    missing.append(key)
        self._refuse_missing(context, missing, keys)
        if len(keys) == 1 and get_origin(context.dagster_type.typing_type) is not dict:
            return values[keys[0]]
        return values

    def _file(self, context: dg.InputContext | dg.OutputContext, partition: str | None) -> UPath:
        return self.own_file(context.asset_key.path, partition)

    def _refuse_missing(self, context: dg.InputContext, missing: Sequence[str], keys: Sequence[str]) -> None:
        if missing:
            name = context.asset_key.to_user_string()
            folder = self._file(context, missing[0]).parent
            raise StoreError(
                f"{name}: {len(missing)} of {len(keys)} partitions are missing in {folder}: "
                f"{', '.join(missing)}. {_way_out(context, missing)}"
            )

    @contextmanager
    def _told_clearly(self, context: dg.InputContext, partition: str | None) -> Iterator[None]:
        name = _name(context, partition)
        file = self._file(context, partition)
        way_out = _way_out(context, [partition] if partition else [])
        try:
            yield
        except FileNotFoundError:
            raise StoreError(f"{name}: {file} is missing. {way_out}") from None
        except StoreError as error:
            raise StoreError(f"{name}: {error}. {way_out}") from error
        except OSError as error:
            raise StoreError(f"{name}: {file} cannot be read: {error}. {way_out}") from error


def _tries(context: dg.InputContext | dg.OutputContext) -> int | None:
    """How often the step was tried before; None outside of one, as in a notebook."""
    try:
        return int(context.step_context.previous_attempt_count)
    except dg.DagsterInvariantViolationError:
        return None


def _name(context: dg.InputContext | dg.OutputContext, partition: str | None) -> str:
    return context.asset_key.to_user_string() + (f", partition {partition}" if partition else "")


def _partitions(context: dg.InputContext) -> list[str] | None:
    """The partitions to load, None for an asset without; all of them where none is named, as by `load_asset_value`."""
    if context.has_asset_partitions:
        return sorted(context.asset_partition_keys)
    try:
        return list(context.asset_partitions_def.get_partition_keys())
    except dg.DagsterInvariantViolationError:
        return None


def _values_by_partition(
    context: dg.OutputContext, partitions: Sequence[str] | None, obj: Any
) -> Mapping[Any, Any]:
    name = context.asset_key.to_user_string()
    if obj is None:
        raise StoreError(f"{name}: there is no value to store (None)")
    if partitions is None:
        return {None: obj}
    if isinstance(obj, Mapping) and sorted(map(str, obj)) == list(partitions):
        return {partition: obj[partition] for partition in partitions}
    if len(partitions) == 1:
        return {partitions[0]: obj}
    if not isinstance(obj, Mapping):
        raise StoreError(
            f"{name}: a run over {len(partitions)} partitions must give a mapping partition key -> value, not a "
            f"{type(obj).__name__}"
        )
    given = {str(key) for key in obj}
    raise StoreError(
        f"{name}: the values do not match the run's partitions; missing: "
        f"{', '.join(sorted(set(partitions) - given)) or 'none'}; not asked for: "
        f"{', '.join(sorted(given - set(partitions))) or 'none'}"
    )


def _described(context: dg.OutputContext, stored: dg.TableSchema) -> dg.TableSchema:
    """A stored table's columns with the descriptions of the asset's definition."""
    defined: dg.TableSchema | None = (context.definition_metadata or {}).get(COLUMN_SCHEMA)
    texts = {column.name: column.description for column in defined.columns} if defined is not None else {}
    return dg.TableSchema(
        [dg.TableColumn(column.name, column.type, texts.get(column.name)) for column in stored.columns]
    )


def _way_out(context: dg.InputContext, partitions: Sequence[str]) -> str:
    shards = context.asset_partitions_def if partitions else None
    keys = list(shards.get_partition_keys()) if shards is not None else []
    ranges = not (isinstance(shards, ShardPartitions) and shards.per_run)
    commands = rebuild_commands(context.asset_key.to_user_string(), partitions, keys, ranges)
    return f"Make {'it' if len(commands) < 2 else 'them'} with: {' && '.join(commands)}"
