"""Several files as one, written whole and verified when read: one commit point, on a folder and on a bucket alike.

An uncompressed zip archive. One of its files is JSON: the sha256 of each other file, and what else is known of them.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.storage.files import TEMPORARY_SUFFIX, is_local, sha256_of_bytes, write_bytes
from rakuten_assets.storage.reading import read_bytes

_ABOUT = "about.json"


@dataclass(frozen=True)
class Packed:
    """What an archive holds: files by name, and what is known of them."""

    parts: Mapping[str, bytes]
    about: Mapping[str, Any]


def pack(parts: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """An archive of `parts`; `about` is JSON-able."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        digests = {name: sha256_of_bytes(content) for name, content in parts.items()}
        archive.writestr(_ABOUT, json.dumps({**about, "sha256": digests}, indent=1))
    return packed.getvalue()


def read_packed(file: UPath) -> Packed:
    """Read an archive whole and verify it.

    Raises:
        FileNotFoundError: it is not there.
        StoreError: it is not what `pack` made.
    """
    content = read_bytes(file)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            about = json.loads(archive.read(_ABOUT))
            parts = {name: archive.read(name) for name in dict(about["sha256"])}
    except Exception as error:  # zipfile raises a dozen types, struct.error among them.
        raise StoreError(f"{type(error).__name__}: {error}") from error
    if about["sha256"] != {name: sha256_of_bytes(part) for name, part in parts.items()}:
        raise StoreError("its content does not match its own sha256")
    return Packed(parts, about)


def read_about(file: UPath) -> dict[str, Any]:
    """What an archive says of its files, without reading them.

    Raises:
        FileNotFoundError: it is not there.
        StoreError: it is not what `pack` made.
    """
    with file.open("rb") as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                about = json.loads(archive.read(_ABOUT))
            if not all(isinstance(digest, str) for digest in dict(about["sha256"]).values()):
                raise ValueError("its digests are no text")
        except Exception as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error
    return dict(about)


def write_first(file: UPath, content: bytes) -> None:
    """Write a file unless there is one by now: of several writers at once, the first wins.

    An object store has no such operation: there, the last of several writers in the same moment wins. A caller reads
    what is there afterwards, whoever wrote it.
    """
    if not is_local(file):
        if not file.exists():
            write_bytes(file, content)
        return
    own = Path(file).with_name(f".{file.name}.{os.getpid()}.first{TEMPORARY_SUFFIX}")
    write_bytes(own, content)
    try:
        os.link(own, file)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not file.exists():
            write_bytes(file, content)
    finally:
        own.unlink(missing_ok=True)
