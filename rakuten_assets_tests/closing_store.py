"""A file system that makes an object of whatever was sent when the file is closed, as fsspec's object stores do.

Also after an error: `with fs.open(...)` closes, hence commits, half of it.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

import fsspec
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem
from upath import UPath
from upath.registry import register_implementation


class _File(AbstractBufferedFile):
    def _initiate_upload(self) -> None:
        self.sent = b""

    def _upload_chunk(self, final: bool = False) -> bool:
        self.buffer.seek(0)
        self.sent += self.buffer.read()
        if final:
            self.fs.objects[self.path] = self.sent
        return True

    def write(self, data: Any) -> int:
        if self.fs.fails_after is not None and self.loc + len(data) > self.fs.fails_after:
            super().write(bytes(data)[: max(0, self.fs.fails_after - self.loc)])
            raise ConnectionResetError(104, "Connection reset by peer")
        return int(super().write(data))

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.objects[self.path][start:end]


class ClosingStore(AbstractFileSystem):
    """Objects in memory. `fails_after`: an upload breaks off after so many bytes."""

    protocol = "closing"
    cachable = False
    objects: ClassVar[dict[str, bytes]] = {}
    fails_after: ClassVar[int | None] = None

    def _open(self, path: str, mode: str = "rb", block_size: int = 1000, **_: Any) -> _File:
        return _File(self, path, mode, 1000)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        if path in self.objects:
            return {"name": path, "size": len(self.objects[path]), "type": "file"}
        if any(name.startswith(f"{path}/") for name in self.objects):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        path = self._strip_protocol(path)
        names = {
            f"{path}/{name[len(path) + 1 :].split('/')[0]}"
            for name in self.objects
            if name.startswith(f"{path}/")
        }
        if not names:
            raise FileNotFoundError(path)
        return [self.info(name) if detail else name for name in sorted(names)]

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """There are no folders."""

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        self.objects[self._strip_protocol(path2)] = self.objects[self._strip_protocol(path1)]

    def rm_file(self, path: str) -> None:
        del self.objects[self._strip_protocol(path)]


fsspec.register_implementation("closing", ClosingStore, clobber=True)
register_implementation("closing", "upath.core.UPath", clobber=True)


def new_bucket() -> UPath:
    """A bucket of its own in the store."""
    return UPath(f"closing://{uuid.uuid4().hex}")
