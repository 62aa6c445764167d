"""OpenVINO and nncf without their telemetry: the one place that imports them.

Importing either reports to their makers unless a file in the user's home says no. Here it reports only where the
user has said yes (`opt_in_out --opt_in` writes that file).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_REPORTER = "openvino_telemetry"


def import_openvino() -> Any:
    """The `openvino` module. Its telemetry package is hidden while it is imported; openvino then works without."""
    with _reporter_hidden("openvino"):
        import openvino
    return openvino


def import_nncf() -> Any:
    """The `nncf` module, in the same way. It brings torch: for the child process alone."""
    import_openvino()
    with _reporter_hidden("nncf"):
        import nncf
    return nncf


@contextlib.contextmanager
def _reporter_hidden(importer: str) -> Iterator[None]:
    if importer in sys.modules or _REPORTER in sys.modules or _user_opted_in():
        yield
        return
    # The documented way to make an import fail.
    sys.modules[_REPORTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_REPORTER]


def _user_opted_in() -> bool:
    try:
        return (Path.home() / "intel" / _REPORTER).read_text().strip() == "1"
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        return False
