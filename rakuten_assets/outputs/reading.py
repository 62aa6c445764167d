"""Reads single files of a published set.

Each is opened once: the same open file is compared with the manifest, hashed, and mapped.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.index import read_index
from rakuten_assets.outputs.manifest import Manifest, PublishedFile
from rakuten_assets.outputs.names import make_command
from rakuten_assets.outputs.places import Places
from rakuten_assets.storage.files import is_local, is_settled
from rakuten_assets.storage.leftovers import temporary_parent

WAY_OUT = f"Publish the set again: {make_command('outputs')}"
"""How every refusal of a set's file ends."""

_PIECE = 1 << 20

_verified: set[tuple[int, int, int, int, str]] = set()
"""Files (device, inode, times) and the sha256 that this process found in them: read once, not at each load."""


@dataclass(frozen=True)
class SetReader:
    """Reads files of one set."""

    places: Places
    manifest: Manifest
    committed: bool
    verify: bool

    def array(self, name: str) -> npt.NDArray[Any]:
        with self._opened(name) as opened:
            return opened.array()

    def table(self, name: str) -> Any:
        with self._opened(name) as opened:
            return read_index(opened.file, opened.name)

    def mapping(self, name: str) -> Mapping[str, Any]:
        with self._opened(name) as opened:
            try:
                content = json.loads(opened.file.read())
            except (ValueError, RecursionError) as error:
                raise StoreError(f"{opened.name} is not a JSON document: {error}. {WAY_OUT}") from None
        if not isinstance(content, dict):
            raise StoreError(f"{opened.name} is not a metadata document: it holds no mapping. {WAY_OUT}")
        return content

    def _opened(self, name: str) -> OpenedFile:
        opened = OpenedFile(self.places, name, self.manifest, self.committed)
        if self.verify:
            opened.verify()
        return opened


class OpenedFile:
    """A published file, open and of the recorded size; of a bucket, a copy of it that has no name."""

    def __init__(self, places: Places, name: str, manifest: Manifest, committed: bool) -> None:
        self.name = str(places.outputs / name)
        self.wanted: PublishedFile = manifest.files[name]
        self.file: IO[bytes] = self._open(places, name, committed)
        self.is_local = is_local(places.outputs)
        if not self.is_local:
            self.file = _copied(self.file)
        self.size = os.fstat(self.file.fileno()).st_size
        if self.size != self.wanted.bytes:
            self.file.close()
            raise StoreError(
                f"{self.name} has {self.size:,} bytes; the manifest of the set says {self.wanted.bytes:,}: it is "
                f"damaged, or of another set. {WAY_OUT}"
            )

    def __enter__(self) -> OpenedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def verify(self) -> None:
        """Raises: StoreError if the content does not have the recorded sha256."""
        known, settled = None, False
        if self.is_local:
            found = os.fstat(self.file.fileno())
            known = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, self.wanted.sha256)
            settled = is_settled(found)
            if known in _verified:
                return
        digest = hashlib.sha256()
        while piece := self.file.read(_PIECE):
            digest.update(piece)
        self.file.seek(0)
        if digest.hexdigest() != self.wanted.sha256:
            self.file.close()
            raise StoreError(
                f"{self.name} does not have the sha256 that the manifest of the set says: it is damaged, or of another "
                f"set. {WAY_OUT}"
            )
        if known is not None and settled:
            _verified.add(known)

    def array(self) -> npt.NDArray[Any]:
        """The array, read-only, memory-mapped.

        Raises:
            StoreError: if its header is not as recorded.
        """
        dtype, shape, fortran = self._header()
        whole = self.file.tell() + dtype.itemsize * math.prod(shape) == self.size
        if (dtype.str, shape, fortran, whole) != (self.wanted.dtype, self.wanted.shape, False, True):
            raise StoreError(
                f"{self.name} holds {dtype.str} {shape}; the manifest of the set says {self.wanted.dtype} "
                f"{self.wanted.shape}. {WAY_OUT}"
            )
        array: npt.NDArray[Any]
        if not math.prod(shape):
            array = np.empty(shape, dtype)
        else:
            # Of the open file, not by its name, which may be another file's by now.
            return np.memmap(self.file, dtype, "r", self.file.tell(), shape)
        array.flags.writeable = False
        return array

    def _header(self) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
        try:
            if np.lib.format.read_magic(self.file) != (1, 0):
                raise ValueError("it is a .npy file of another version than 1.0")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(self.file)
        except Exception as error:  # Python's syntax: a damaged header fails in any of its ways.
            raise StoreError(f"{self.name} is not an array of a set: {error}. {WAY_OUT}") from None
        return dtype, shape, fortran

    def _open(self, places: Places, name: str, committed: bool) -> IO[bytes]:
        try:
            return places.open(name, committed)
        except FileNotFoundError:
            raise StoreError(f"{self.name} is missing. {WAY_OUT}") from None
        except OSError as error:
            raise StoreError(f"{self.name} cannot be read: {error}. {WAY_OUT}") from error


def _copied(stream: IO[bytes]) -> IO[bytes]:
    parent = temporary_parent()
    parent.mkdir(parents=True, exist_ok=True)
    copy: IO[bytes] = tempfile.TemporaryFile(dir=parent)  # noqa: SIM115 - the caller closes it
    with stream:
        shutil.copyfileobj(stream, copy, _PIECE)
    copy.seek(0)
    return copy
