"""Records: small JSON mappings of the project's own, each of which proves itself.

The key `checksum` holds a sha256 of the other keys and of the place that the record belongs to: one file, one commit,
plain JSON for any reader. A changed record, and one in the place of another, are refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.storage.files import (
    create_bytes,
    identity,
    is_local,
    sha256_of_bytes,
    write_bytes,
    write_errors_told,
)
from rakuten_assets.storage.leftovers import alone_in
from rakuten_assets.storage.reading import read_bytes

CHECKSUM = "checksum"
# Of one file: as many runs may write it at the same time.
_VERSIONS = 8


def write_record(path: Path | UPath, content: Mapping[str, Any], of: str | None = None) -> None:
    """Replace the record at `path` by `content`, atomically.

    Args:
        content: what JSON can express, with text keys.
        of: what the record belongs to; default: its own folder and name.

    Raises:
        WriteError: if it cannot be written.
    """
    write_bytes(path, _encoded(path, content, of))


def create_record(path: Path | UPath, content: Mapping[str, Any]) -> bool:
    """Write a record where there is none. Returns whether this call did: of several writers one wins."""
    return create_bytes(path, _encoded(path, content, None))


def read_record(path: Path | UPath, of: str | None = None) -> dict[str, Any]:
    """The content of a record, without its checksum.

    Raises:
        FileNotFoundError: if there is none.
        StoreError: if it is damaged, or belongs to something else.
    """
    content = read_mapping(path)
    checksum = content.pop(CHECKSUM, None)
    if checksum != _checksum(content, of or identity(path)):
        raise StoreError(f"{path} is damaged: it does not have the checksum that was recorded in it")
    return content


def record_file(file: UPath) -> UPath:
    """Path of the record of a stored JSON file, for `write_recorded` and `read_recorded`."""
    return file.with_name(f"{file.name.removesuffix('.json')}.record.json")


def write_recorded(target: Path | UPath, content: bytes, record: Path | UPath) -> None:
    """Replace `target` by `content`, with a record of its sha256.

    The record is written first, and knows the versions before this one: whatever is at `target` at any moment, and
    after a kill, is one of them. Of several writers on local storage one waits for the other; on a bucket, one whose
    digest another's record has lost adds it again.

    Raises:
        WriteError: if it cannot be written.
    """
    if is_local(record):
        with write_errors_told(record), alone_in(Path(record).parent):
            record_versions(record, target, content)
            write_bytes(target, content)
        return
    record_versions(record, target, content)
    write_bytes(target, content)
    if sha256_of_bytes(content) not in read_record(record)["sha256"]:
        record_versions(record, target, content)


def read_recorded(target: Path | UPath, record: Path | UPath) -> bytes:
    """The content of a file that `write_recorded` wrote, compared with its record.

    Raises:
        FileNotFoundError: if it is not there.
        StoreError: if it is not one of the versions that its record knows, or has no record.
    """
    content = read_bytes(target)
    try:
        recorded = read_record(record)
    except FileNotFoundError:
        raise StoreError(f"{target} is not whole: its record {record} is missing") from None
    if recorded.get("document") != target.name or sha256_of_bytes(content) not in recorded.get("sha256", ()):
        raise StoreError(f"{target} does not have the sha256 recorded in {record}: its content was changed")
    return content


def record_versions(record: Path | UPath, document: Path | UPath, content: bytes) -> None:
    """Write the record of a file: a mapping of `document`, the file's name, and `sha256`, of its last versions."""
    try:
        known = [str(digest) for digest in read_record(record).get("sha256", ())]
    except (
        FileNotFoundError,
        StoreError,
    ):  # The first version, or one whose record is damaged: that counts no more.
        known = []
    digest = sha256_of_bytes(content)
    versions = [digest, *(other for other in known if other != digest)][:_VERSIONS]
    write_record(record, {"document": document.name, "sha256": versions})


def read_mapping(path: Path | UPath) -> dict[str, Any]:
    """A JSON mapping as it stands in a file, its checksum not looked at.

    Raises:
        FileNotFoundError: if there is no file.
        StoreError: if it holds something else.
    """
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise StoreError(f"{path} is damaged: it holds no mapping")
    return content


def _encoded(path: Path | UPath, content: Mapping[str, Any], of: str | None) -> bytes:
    # Once through JSON: what a reader gets is what the checksum is taken of (tuples become lists).
    plain = json.loads(json.dumps(dict(content)))
    return (json.dumps({**plain, CHECKSUM: _checksum(plain, of or identity(path))}, indent=2) + "\n").encode()


def _checksum(content: Mapping[str, Any], of: str) -> str:
    return sha256_of_bytes(f"{of}\0{json.dumps(content, sort_keys=True)}".encode())
