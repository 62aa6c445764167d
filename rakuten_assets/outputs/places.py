"""Where a set lies, on its way and published, and how a file gets there on a folder or a bucket."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.manifest import Manifest
from rakuten_assets.outputs.names import MANIFEST_FILE, OUTPUTS, PUBLISHING
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import at_address, read_bytes

_LINKED_BYTES = 1 << 20


@dataclass(frozen=True)
class Places:
    """The folder of the published set, and the folder beside it in which one is staged."""

    outputs: Path | UPath
    publishing: Path | UPath

    @classmethod
    def of(cls, root: Path | UPath) -> Places:
        """Of a storage."""
        base: Path | UPath = Path(root) if is_local(root) else root
        return cls(base / OUTPUTS, base / PUBLISHING)

    def read_manifest(self, folder: Path | UPath, damaged_is_none: bool = False) -> Manifest | None:
        """The manifest in one of the two folders, None if there is none.

        Raises:
            StoreError: if it is damaged, unless that is to count as none.
        """
        path = folder / MANIFEST_FILE
        try:
            return Manifest.from_bytes(read_bytes(path), str(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except StoreError:
            if damaged_is_none:
                return None
            raise

    def open(self, name: str, committed: bool) -> IO[bytes]:
        """Open a file of the set. While a committed set is being moved, the file may lie in either folder.

        Raises:
            FileNotFoundError: if it is in neither.
        """
        if committed:
            try:
                return _opened(self.publishing / name)
            except FileNotFoundError:
                pass  # Moved already.
        return _opened(self.outputs / name)


def as_place(given: str | Path | UPath) -> Path | UPath:
    """A path or an address as an object: a plain `Path` where it is local.

    Raises:
        StoreError: for an address that cannot be opened here.
    """
    try:
        place = at_address(given) if isinstance(given, str) else UPath(given)
    except ValueError as error:
        raise StoreError(str(error)) from None
    return Path(place) if is_local(place) else place


def _opened(path: Path | UPath) -> IO[bytes]:
    file: IO[bytes] = path.open("rb")
    return file


def copy_file(source: Path | UPath, target: Path | UPath) -> None:
    """Make `target` a file with the content of `source`.

    A large one, on one local file system, gets a second name (a hard link), which costs neither time nor space. A small
    one is copied, so that an edit in place of a published `metadata.json` does not reach the stored one. Within a
    bucket the copy is made there. The bytes are on the disk when this returns.

    Raises:
        OSError: if it cannot be made.
    """
    if is_local(source) and is_local(target):
        if Path(source).stat().st_size >= _LINKED_BYTES:
            with contextlib.suppress(OSError):  # Another file system, or one without links.
                os.link(source, target)
                return
        shutil.copyfile(source, target)
        with Path(target).open("rb+") as file:
            os.fsync(file.fileno())
    elif isinstance(source, UPath) and isinstance(target, UPath) and source.protocol == target.protocol:
        target.fs.copy(source.path, target.path)
    else:
        with source.open("rb") as stream, target.open("wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)


def move_file(source: Path | UPath, target: Path | UPath) -> None:
    """Replace `target` by `source`; nothing happens where there is no `source`: it was moved before."""
    if is_local(source) and is_local(target):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        try:
            Path(source).replace(target)
            # Two names of the same file: the rename leaves both.
            Path(source).unlink(missing_ok=True)
        except FileNotFoundError:
            return
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        copy_file(source, target)
        source.unlink()


def forget_listings(folder: Path | UPath) -> None:
    """Make a bucket's client ask again: another process may have written since."""
    if isinstance(folder, UPath) and not is_local(folder):
        folder.fs.invalidate_cache()
