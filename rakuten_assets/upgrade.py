"""Bring a storage that release 0.1.0 wrote to today's format: `python -m rakuten_assets.upgrade`.

Every table, document and record gets the digest that it is verified by from now on. The content of every file stays
what it is, and the published arrays are not touched. Features that 0.1.0 computed do not say on which kind of
processor: they stay where they are, and the next run makes them again. The layout file is written last: a run of this
command that was cut short is simply started again.

| exit status | means |
|---|---|
| 0 | the storage has today's format |
| 1 | it has, but files in it are damaged; they were named and left as they are |
| 2 | it was not upgraded: a wrong argument, no storage |
| 70 | it was not: a defect of this program |
| 130 | interrupted |
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.runtime.console import refusals_told, run_command
from rakuten_assets.settings import Settings
from rakuten_assets.storage import LAYOUT_VERSION, Storage
from rakuten_assets.storage.records import CHECKSUM, read_mapping, record_versions, write_record
from rakuten_assets.storage.tables import seal_table

# Assets of release 0.1.0 that today's release keeps by backbone.
_OF_ONE_BACKBONE = (
    "metadata",
    "test_feature_matrix",
    "test_features",
    "train_feature_matrix",
    "train_features",
)


def upgrade(storage: Storage, log: Callable[[str], None]) -> int:
    """Give a storage today's format.

    Args:
        log: told what is done, and of each damaged file; that stays as it is, and is refused when it is read.

    Returns:
        The number of damaged files.

    Raises:
        StoreError: if there is no storage, or its layout file is damaged.
    """
    try:
        layout = read_mapping(storage.layout_file)
    except FileNotFoundError:
        raise StoreError(
            f"{storage.layout_file} is missing: there is no storage of ours in {storage.root}; name its folder as "
            "STORAGE, or set RAKUTEN_STORAGE"
        ) from None
    if layout.get("version") != 1 or CHECKSUM in layout:
        storage.claim()
        log(f"{storage.root} already has format {LAYOUT_VERSION}")
        return 0
    if old := [name for name in _OF_ONE_BACKBONE if (storage.assets / name).exists()]:
        log(
            f"{', '.join(f'assets/{name}' for name in old)}: features of release 0.1.0 do not say on which kind of "
            "processor they were computed; nothing reads them any more, and the next run makes them again"
        )
    done = damaged = 0
    for path, seal in _unsealed(storage):
        try:
            seal(path)
            done += 1
        except StoreError as error:
            damaged += 1
            log(f"{error}; left as it is: materialise its asset again")
    write_record(storage.layout_file, {"version": LAYOUT_VERSION, "shards": layout.get("shards")})
    log(
        f"{storage.root} has format {LAYOUT_VERSION} now: {done:,} files have digests, {damaged:,} are damaged"
    )
    return damaged


def _unsealed(storage: Storage) -> Iterator[tuple[UPath, Callable[[UPath], None]]]:
    """Files that get a digest, each with what gives it to them."""
    for path in sorted(storage.assets.rglob("*"), key=str):
        if path.relative_to(storage.assets).parts[0] in _OF_ONE_BACKBONE:
            continue
        if path.suffix == ".parquet":
            yield path, seal_table
        elif (
            path.suffix == ".json" and path != storage.layout_file and not path.name.endswith(".record.json")
        ):
            yield path, _seal_document
    for path in sorted((storage.cache / "rows").glob("*/extractor.json"), key=str):
        yield path, _seal_record


def _seal_document(path: UPath) -> None:
    """Seal the record of an array, or give an asset's document a record."""
    content = read_mapping(path)
    if "array" in content:
        _seal_record(path)
    else:
        _write_document_record(path, path.with_name(f"{path.stem}.record.json"))


def _seal_record(path: UPath) -> None:
    content = read_mapping(path)
    if CHECKSUM not in content:
        write_record(path, content)


def _write_document_record(path: UPath, record: UPath) -> None:
    content = path.read_bytes()
    read_mapping(path)  # At least it is whole.
    record_versions(record, path, content)


def main(arguments: Sequence[str] = ()) -> int:
    """Run the command with these arguments; returns the exit status."""
    given = _parser().parse_args(arguments)
    return refusals_told(lambda: _run(given), "the storage", "start the command again")


def _run(given: argparse.Namespace) -> int:
    settings = Settings.load() if given.storage is None else Settings.load(storage=given.storage)
    return 1 if upgrade(Storage(settings.storage, settings.shards), print) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.upgrade",
        description="Bring a storage that release 0.1.0 wrote to today's format: every table, document and record "
        "gets the digest that it is verified by. No content changes; a storage of today's format stays as it is.",
    )
    parser.add_argument(
        "storage",
        metavar="STORAGE",
        nargs="?",
        help="folder or bucket address of the storage, a relative one below the project's root; default: "
        "RAKUTEN_STORAGE",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_command(partial(main, sys.argv[1:])))
