"""Which version of each file lies below a folder: to notice that one was replaced, without reading it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.storage.files import TEMPORARY_SUFFIX, is_local
from rakuten_assets.storage.transient import client_errors

_TAGS, _TIMES = ("ETag", "etag"), ("LastModified", "last_modified", "updated", "mtime")


def object_version(entry: dict[str, Any]) -> str:
    """What a bucket's listing says of an object's version: ETag, size and time; "" where it says too little to rely on.

    Args:
        entry: of the listing, with its `size`.
    """
    etag = next((str(entry[name]) for name in _TAGS if entry.get(name)), "")
    changed = next((str(entry[name]) for name in _TIMES if entry.get(name)), "")
    if not etag.removeprefix("W/").strip('"') or not changed:
        return ""
    return f"{etag} {entry['size']} {changed}"


def versions_below(folder: Path | UPath) -> dict[str, str]:
    """Path below `folder` (with `/`) -> version of each file in it and in its folders: size and time of the last
    change, of an object what `object_version` says. Unfinished files are left out; {} where there is no folder.

    Raises:
        OSError: a folder cannot be read; an `UnreachableError`, where a bucket did not answer.
    """
    found = _below_local(Path(folder)) if is_local(folder) else _below_far(folder)
    return {name: version for name, version in sorted(found.items()) if not name.endswith(TEMPORARY_SUFFIX)}


def _below_local(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=_unless_gone, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add(place)
        for name in names:
            path = Path(parent, name)
            try:
                status = path.stat()
            except OSError as error:
                if error.errno != errno.ELOOP:  # a link to itself
                    _unless_gone(error)
                continue
            if stat.S_ISREG(status.st_mode):
                found[path.relative_to(folder).as_posix()] = f"{status.st_size} {status.st_mtime_ns}"
    return found


def _unless_gone(error: OSError) -> None:
    """Raise it, unless another process has just removed the file, or a link leads nowhere."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _below_far(folder: Any) -> dict[str, str]:
    with client_errors(folder):
        folder.fs.invalidate_cache(folder.path)
        entries: dict[str, dict[str, Any]] = folder.fs.find(folder.path, detail=True)
    root = folder.path.rstrip("/") + "/"
    return {path.removeprefix(root): object_version(entry) for path, entry in entries.items()}
