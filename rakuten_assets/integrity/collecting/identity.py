"""One file, several names: links and hard links lead to the same bytes on the disk, and are never copies."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from upath import UPath

from rakuten_assets.storage.files import is_local

FileIdentity = tuple[int, int]
"""Device and number of a file."""


def file_identity(path: Path | UPath) -> FileIdentity | None:
    """What a path leads to through all links; None where there is nothing, or no number (as on a bucket)."""
    if not is_local(path):
        return None
    try:
        status = os.stat(path)  # noqa: PTH116 - 100,000 of them
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None


def is_link(path: Path | UPath) -> bool:
    """Whether a path leads through a link: the file itself or a folder above it."""
    if not is_local(path):
        return False
    try:
        return os.path.realpath(path) != os.path.abspath(path)  # noqa: PTH100
    except (OSError, ValueError):
        return False


def file_numbers(paths: Iterable[Path | UPath]) -> npt.NDArray[np.int64]:
    """A number for each path, the same where two lead to one file: int64 (n,), position of the first such path."""
    first: dict[FileIdentity, int] = {}
    identities = (file_identity(path) for path in paths)
    return np.array(
        [at if one is None else first.setdefault(one, at) for at, one in enumerate(identities)], np.int64
    )


def printable(name: str) -> str:
    """A file's name as text that every encoding can hold: bytes that are not UTF-8 are written as \\xNN.

    >>> printable("caf\\udce9.jpg")
    'caf\\\\xe9.jpg'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def composed(name: str) -> str:
    """A name in the Unicode form that compares equal for equal letters: macOS stores them taken apart."""
    return unicodedata.normalize("NFC", name)
