"""Removes what killed processes leave behind (unfinished files, scratch folders), and nothing that a live one uses.

- a live process holds a lock on what it writes to. It is a `flock`: the kernel drops it when the process ends, however
  it ends, and containers on one machine see each other's locks;
- the name says under which boot of which machine the lock was taken. Only there does a free lock prove that the owner
  is gone. What another machine wrote is removed once nothing in it has changed for a day;
- process ids are not looked at: they prove nothing where containers share a folder.
"""

from __future__ import annotations

import functools
import getpass
import hashlib
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rakuten_assets.errors import StoreError

if os.name == "posix":
    import fcntl

TEMPORARY_SUFFIX = ".partial"
_LOCK_FILE = ".lock"
# Between the making of a file and its locking.
_SECONDS_OF_A_NEWBORN = 5.0
# Another machine's lock cannot be seen on every network file system; no writer pauses for so long.
_SECONDS_UNTIL_ABANDONED = 24 * 3600.0


@functools.cache
def boot_token() -> str:
    """Eight hexadecimal digits that name this boot of this machine."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:  # Not Linux. Another machine of the same name would have to run for as long.
        boot = f"{socket.gethostname()} {time.time() - time.monotonic():.0f}"
    return hashlib.sha256(boot.encode()).hexdigest()[:8]


def temporary_name(name: str, locked: bool = True) -> str:
    """Name of the unfinished file that becomes `name`. `locked`: its writer holds a lock on it."""
    owner = boot_token() if locked else "unlocked"
    return f".{name}.{owner}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}"


def hold(descriptor: int) -> bool | None:
    """Lock an open file until it is closed. False: another process holds it; None: locks do not work here."""
    if os.name != "posix":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # Some network file systems have no locks.
        return None
    return True


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder, which is made if need be; others that ask for it wait.

    Where locks do not work nobody waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.name != "posix":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_temporary_files(folder: Path, name: str = "") -> None:
    """Remove the unfinished files in `folder` (those that were to become `name`, if given) whose writers are gone."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if entry.name.endswith(TEMPORARY_SUFFIX)]
    except OSError:
        return
    for entry in found:
        path = folder / entry
        if entry.startswith(f".{name}") and not path.is_dir() and _is_abandoned_file(path):
            path.unlink(missing_ok=True)


def remove_temporary_files_below(root: Path) -> None:
    """The same for a folder and everything in it."""
    for folder, _, files in os.walk(root):
        if any(name.endswith(TEMPORARY_SUFFIX) for name in files):
            remove_temporary_files(Path(folder))


@dataclass(frozen=True)
class Lease:
    """A folder that belongs to this process until `release`. If the process ends before, it counts as left over."""

    path: Path
    _lock: int | None

    def release(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)


def lease_folder(parent: Path) -> Lease:
    """Make a new folder in `parent`. Those that killed processes left there are removed first.

    Raises:
        OSError: if it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for folder in parent.iterdir():
        _remove_if_abandoned(folder)
    name = f"{boot_token()}-{uuid.uuid4().hex[:12]}"
    # Locked before it has its name: nobody ever sees a living process's folder without its lock.
    newborn = parent / f".{name}{TEMPORARY_SUFFIX}"
    newborn.mkdir()
    lock = None
    try:
        if os.name == "posix":
            lock = os.open(newborn / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            hold(lock)
        newborn.rename(parent / name)
    except BaseException:
        Lease(newborn, lock).release()
        raise
    return Lease(parent / name, lock)


def temporary_parent() -> Path:
    """This user's folder for scratch folders in the system's temporary folder.

    Raises:
        StoreError: if another user has made a folder of that name.
    """
    user = os.getuid() if os.name == "posix" else getpass.getuser()
    parent = Path(tempfile.gettempdir()) / f"rakuten_assets_scratch_{user}"
    if os.name == "posix" and (parent.is_symlink() or (parent.exists() and parent.stat().st_uid != user)):
        raise StoreError(
            f"{parent} belongs to another user; remove it, or set TMPDIR to a folder of your own"
        )
    return parent


def _is_abandoned_file(path: Path) -> bool:
    try:
        idle = time.time() - path.stat().st_mtime
        if idle > _SECONDS_UNTIL_ABANDONED:
            return _lock_is_free(path) is not False
        made_here = path.name.removesuffix(TEMPORARY_SUFFIX).split(".")[-2:-1] == [boot_token()]
        return made_here and idle > _SECONDS_OF_A_NEWBORN and _lock_is_free(path) is True
    except OSError:
        return False


def _remove_if_abandoned(folder: Path) -> None:
    lock = folder / _LOCK_FILE
    try:
        if folder.name.startswith(boot_token()) and lock.exists():
            abandoned = _lock_is_free(lock) is True or _is_idle(folder)
        else:
            abandoned = _is_idle(folder)
    except OSError:  # Another process removes it just now, or it belongs to another user.
        return
    if abandoned and folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)


def _is_idle(folder: Path) -> bool:
    newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    lock = folder / _LOCK_FILE
    return time.time() - newest > _SECONDS_UNTIL_ABANDONED and not (
        lock.exists() and _lock_is_free(lock) is False
    )


def _lock_is_free(path: Path) -> bool | None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        return hold(descriptor)
    finally:
        os.close(descriptor)
