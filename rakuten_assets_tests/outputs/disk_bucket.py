"""A bucket that outlives the process that works on it: objects are files, under the rules of object stores.

An object is there, whole, once the file that wrote it is closed. There are no links, no renames and no locks.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem
from upath import UPath

PROTOCOL = "diskbucket"
_UPLOAD = ".upload"


class _Upload(io.FileIO):
    """The file of an object on its way."""

    def __init__(self, path: str) -> None:
        self._target = Path(path)
        self._target.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path + _UPLOAD, "wb")

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._target.with_name(self._target.name + _UPLOAD).replace(self._target)


class DiskBucket(LocalFileSystem):
    """See above. `diskbucket:///folder/name` is kept in the file `/folder/name`."""

    protocol = PROTOCOL
    local_file = False

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        plain = self._strip_protocol(path)
        return Path(plain).open("rb") if mode == "rb" else _Upload(plain)

    def ls(self, path: str, detail: bool = False, **options: Any) -> list[Any]:
        found = super().ls(path, detail, **options)
        return [one for one in found if not str(one["name"] if detail else one).endswith(_UPLOAD)]

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        with self._open(path1) as source, self._open(path2, "wb") as target:
            target.write(source.read())

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        AbstractFileSystem.mv(self, path1, path2, **options)

    def mkdir(self, path: str, create_parents: bool = True, **options: Any) -> None:
        """There are no folders."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """There are no folders."""


def disk_bucket(folder: Path) -> UPath:
    """The bucket that is kept in a folder."""
    fsspec.register_implementation(PROTOCOL, DiskBucket, clobber=True)
    return UPath(f"{PROTOCOL}://{folder}")
