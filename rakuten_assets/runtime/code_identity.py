"""Which code computes here: for results that may stand for a computation only while nothing about it has changed."""

from __future__ import annotations

import functools
import hashlib
import platform
import re
from importlib import metadata
from pathlib import Path

from rakuten_assets.runtime.machine import cpu_features, cpu_model

_PACKAGE = Path(__file__).parent.parent
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


@functools.cache
def code_identity() -> str:
    """Hexadecimal digest of this package's sources, of the versions of Python and of all packages that it needs, and of
    the processor, by whose kind numerical libraries choose their kernels. Taken once a process.
    """
    about = [sources_digest(_PACKAGE), platform.python_version(), *_versions(), cpu_model(), *cpu_features()]
    return hashlib.sha256("\n".join(about).encode()).hexdigest()


def sources_digest(folder: Path) -> str:
    """Hexadecimal digest of the Python files below a folder: names and contents."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _versions() -> list[str]:
    """Of the packages that ours requires, extras included where they are installed."""
    names = {match[0] for line in metadata.requires("rakuten_assets") or () if (match := _NAME.match(line))}
    found = []
    for name in sorted(names):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found
