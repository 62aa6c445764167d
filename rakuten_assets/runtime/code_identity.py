"""Which code computes here: for results that may stand for a computation only while nothing about it has changed."""

from __future__ import annotations

import hashlib
import platform
import re
from importlib import metadata
from pathlib import Path

from rakuten_assets.runtime.machine import cpu_features, cpu_model

_PACKAGE = Path(__file__).parent.parent
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def code_identity() -> str:
    """Hexadecimal digest of this package's files, of the versions of Python and of all packages that it needs, and of
    the processor, by whose kind numerical libraries choose their kernels; "" where a file cannot be read.
    """
    try:
        about = [sources_digest(_PACKAGE), platform.python_version(), *_versions()]
    except (OSError, metadata.PackageNotFoundError):
        return ""
    about += [cpu_model(), *cpu_features()]
    return hashlib.sha256("\n".join(about).encode()).hexdigest()


def sources_digest(folder: Path) -> str:
    """Hexadecimal digest of the files below a folder, compiled and hidden ones left out: names and contents.

    Raises:
        OSError: if one cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if any(part.startswith(".") or part == "__pycache__" for part in name.parts) or file.is_dir():
            continue
        digest.update(f"{name.as_posix()}\0".encode())
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
