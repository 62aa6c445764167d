"""Where everything that the pipeline writes lies, and the promise that one storage holds one set of shards.

<storage>/outputs/             published files, for you: features, labels, masks, metadata.json
<storage>/assets/<asset>/      each asset's own files: `03.parquet` a shard, or `<asset>.parquet`
<storage>/cache/               computed feature rows, converted models, compared pairs; safe to remove, costs time
<storage>/synthetic/           the generated catalogue, where no real data is given
<storage>/scratch/             unfinished files of running processes
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from rakuten_assets.errors import SettingsError, StoreError
from rakuten_assets.files import is_local, write_bytes

LAYOUT_VERSION = 1
_DRIVE = re.compile(r"^[A-Za-z]:")
_LONGEST_NAME = 200  # File systems allow 255 bytes; a suffix and a temporary name must fit too.


@dataclass(frozen=True)
class Storage:
    """The folders below one root.

    Attributes:
        root: a local folder or a bucket's address.
        shards: number of shards that the assets in it are split into.
    """

    root: UPath
    shards: int

    @property
    def outputs(self) -> UPath:
        return self.root / "outputs"

    @property
    def assets(self) -> UPath:
        return self.root / "assets"

    @property
    def cache(self) -> UPath:
        return self.root / "cache"

    def asset_file(self, key: Sequence[str], partition: str | None, suffix: str) -> UPath:
        """Path of an asset's own file.

        Raises:
            StoreError: for a key or a partition that is not a plain name: it could point outside the storage.
        """
        parts = [safe_name(part, "asset key") for part in key]
        if not parts:
            raise StoreError("an asset key has no part; give the asset a name")
        name = parts[-1] if partition is None else safe_name(partition, "partition key")
        return self.assets.joinpath(*parts, f"{name}{suffix}")

    def output_file(self, name: str) -> UPath:
        """Path of a published file."""
        return self.outputs / safe_name(name, "published name")

    def claim(self) -> None:
        """Make sure that this storage's assets are split into `shards` shards; a new storage becomes so.

        Raises:
            SettingsError: if it already holds another number of shards: they cannot be mixed.
            StoreError: if its layout file is damaged.
        """
        path = self.assets / "layout.json"
        layout = {"version": LAYOUT_VERSION, "shards": self.shards}
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            write_bytes(path, f"{json.dumps(layout)}\n".encode())
            return
        except ValueError as error:
            raise StoreError(f"{path} is damaged ({error}); remove {self.assets} and run again") from None
        if found == layout:
            return
        what = f"{found.get('shards')} shards" if isinstance(found, dict) else repr(found)
        if isinstance(found, dict) and found.get("version") != LAYOUT_VERSION:
            what += f" in layout {found.get('version')} (this release writes {LAYOUT_VERSION})"
        raise SettingsError(
            f"RAKUTEN_SHARDS={self.shards}, but {self.assets} holds assets in {what}; the two are never mixed. "
            f"Either set RAKUTEN_SHARDS back, or point RAKUTEN_STORAGE to another folder, or remove "
            f"{self.assets} (the computed rows in {self.cache} stay, so that making it again is cheap)"
        )


def claimed(storage: Storage) -> Storage:
    """A storage, claimed; where that fails for the disk's sake, it is said which setting names the folder.

    Raises:
        SettingsError, StoreError: as `Storage.claim`, or if the folder cannot be written.
    """
    try:
        storage.claim()
    except OSError as error:
        place = Path(storage.root).absolute() if is_local(storage.root) else storage.root
        raise StoreError(
            f"RAKUTEN_STORAGE={storage.root}: nothing can be written in {place}: {error.strerror or error}. Make it "
            "writable for this user, or set RAKUTEN_STORAGE to a folder that is"
        ) from None
    return storage


def safe_name(name: str, what: str) -> str:
    """`name`, if it can be one part of a path and nothing else.

    Raises:
        StoreError: for an empty name, `.`, `..`, a separator, a drive, a control character, or over 200 bytes.
    """
    if (
        name in ("", ".", "..")
        or any(character in "/\\" or not character.isprintable() for character in name)
        or _DRIVE.match(name)
        or len(name.encode()) > _LONGEST_NAME
    ):
        raise StoreError(
            f"{what} {name[:80]!r} cannot name a file: it must be 1 to {_LONGEST_NAME} printable characters without "
            "a slash, a backslash or a drive, and not `.` or `..`; rename it"
        )
    return name


@contextmanager
def scratch_folder(root: UPath | Path) -> Iterator[Path]:
    """Yield a private local folder for unfinished files, removed at the end.

    On local storage it lies in `<root>/scratch`, so that a finished file is moved into place, not copied. What
    a killed process left there is removed on the way.
    """
    parent = (
        Path(root) / "scratch" if is_local(root) else Path(tempfile.gettempdir()) / "rakuten_assets_scratch"
    )
    parent.mkdir(parents=True, exist_ok=True)
    host = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:40] or "host"
    for folder in parent.glob(f"{host}-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not _is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    own = parent / f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    own.mkdir()
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _is_running(pid: int) -> bool:
    import psutil  # Only where there is something to clean up.

    return bool(psutil.pid_exists(pid))
