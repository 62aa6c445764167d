"""The storage's folder: its parts, its claim, its scratch space."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.errors import SettingsError, StoreError, WriteError
from rakuten_assets.storage.files import is_local, write_errors_told
from rakuten_assets.storage.leftovers import (
    TEMPORARY_SUFFIX,
    lease_folder,
    remove_temporary_files_below,
    temporary_parent,
)
from rakuten_assets.storage.records import CHECKSUM, create_record, read_mapping, read_record

LAYOUT_VERSION = 2
"""The storage's format. 1: release 0.1.0, whose tables, documents and records carried no digests."""
UPGRADE_COMMAND = "python -m rakuten_assets.upgrade"
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

    @property
    def layout_file(self) -> UPath:
        return self.assets / "layout.json"

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

    def claim(self) -> bool:
        """Make sure that this storage's assets are split into `shards` shards; a new storage becomes so.

        Of two first runs at once one wins, and the other is held to what it wrote. Unfinished files that killed
        processes left anywhere in the storage are removed.

        Returns:
            Whether the storage is new.

        Raises:
            SettingsError: if it already holds another number of shards: they cannot be mixed.
            StoreError: if its layout file is damaged, or of another format.
            WriteError: if a new storage cannot be written.
        """
        is_new = False
        try:
            found = self._read_layout()
        except (FileNotFoundError, NotADirectoryError):
            self._refuse_assets_without_layout()
            is_new = create_record(self.layout_file, {"version": LAYOUT_VERSION, "shards": self.shards})
            found = self._read_layout()
        if found["shards"] != self.shards:
            raise SettingsError(
                f"RAKUTEN_SHARDS={self.shards}, but {self.assets} holds assets in {found['shards']} shards; the two "
                "are never mixed. Either set RAKUTEN_SHARDS back, or point RAKUTEN_STORAGE to another folder, or "
                f"remove {self.assets} (the computed rows in {self.cache} stay, so that making it again is cheap)"
            )
        for folder in (self.assets, self.outputs, self.cache):
            if is_local(folder):
                remove_temporary_files_below(Path(folder))
        return is_new

    def _read_layout(self) -> dict[str, Any]:
        path = self.layout_file
        again = f"remove {self.assets} and run again (the computed rows in {self.cache} stay)"
        restore = f"restore it from a backup, or {again}"
        try:
            found = read_mapping(path)
            version = found.get("version")
            if CHECKSUM in found or version == LAYOUT_VERSION:
                found = read_record(path)
        except PermissionError as error:
            raise StoreError(
                f"{path} cannot be read: {error.strerror}; give this user permission, or choose another folder with "
                "RAKUTEN_STORAGE"
            ) from error
        except StoreError as error:
            raise StoreError(f"{error}; {restore}") from None
        if version == 1:
            raise StoreError(
                f"{self.root} was written by release 0.1.0 (format 1), whose files carry no digests; give it format "
                f"{LAYOUT_VERSION} with: {UPGRADE_COMMAND} (nothing is computed again), or {again}"
            )
        if isinstance(version, int) and version > LAYOUT_VERSION:
            raise StoreError(
                f"{self.root} was written in format {version} by a newer release; this one reads {LAYOUT_VERSION}. "
                f"Install that release, or point RAKUTEN_STORAGE to another folder, or {again}"
            )
        if version != LAYOUT_VERSION or not isinstance(found.get("shards"), int):
            raise StoreError(f"{path} is damaged: it names no format and number of shards; {restore}")
        return found

    def _refuse_assets_without_layout(self) -> None:
        try:
            names = [path.name for path in self.assets.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return
        assets = [name for name in names if not name.endswith(TEMPORARY_SUFFIX)]
        # Another first run may have written it since it was looked for.
        if assets and not self.layout_file.exists():
            raise StoreError(
                f"{self.layout_file} is missing, though {self.assets} holds {', '.join(sorted(assets)[:3])}: into how "
                f"many shards is not known. Restore it from a backup, or remove {self.assets} and run again (the "
                f"computed rows in {self.cache} stay)"
            )


def claimed(storage: Storage) -> bool:
    """Claim a storage. If the disk refuses, the error names the setting that names the folder.

    Returns:
        Whether it is a new one.

    Raises:
        SettingsError, StoreError: as `Storage.claim`, or if the folder cannot be written.
    """
    try:
        return storage.claim()
    except OSError as error:
        place = Path(storage.root).absolute() if is_local(storage.root) else storage.root
        reason = error.reason if isinstance(error, WriteError) else error.strerror or error
        raise StoreError(
            f"RAKUTEN_STORAGE={storage.root}: nothing can be written in {place}: {reason}. Make it "
            "writable for this user, or set RAKUTEN_STORAGE to a folder that is"
        ) from error


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
def scratch_folder(root: UPath | Path | None = None) -> Iterator[Path]:
    """Yield a private local folder for unfinished files, removed at the end.

    What killed processes left there is removed on the way.

    Args:
        root: the storage. On a local one the folder lies in `<root>/scratch`, so that a finished file is moved into
            place, not copied; for a bucket, and without a storage, in the system's temporary folder.

    Raises:
        WriteError: if it cannot be made.
    """
    parent = Path(root) / "scratch" if root is not None and is_local(root) else temporary_parent()
    with write_errors_told(parent):
        lease = lease_folder(parent)
    try:
        yield lease.path
    finally:
        lease.release()
