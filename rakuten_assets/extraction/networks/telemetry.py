"""OpenVINO and nncf without their telemetry: the one place that imports them.

Importing either reports to their makers unless a file in the user's home says no. Here it reports only where the
user has said yes (`opt_in_out --opt_in` writes that file).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

_REPORTER = "openvino_telemetry"


def import_openvino() -> Any:
    """The `openvino` module. Its telemetry package is hidden while it is imported; openvino then works without."""
    return _imported("openvino")


def import_nncf() -> Any:
    """The `nncf` module, in the same way. It brings torch: for the child process alone."""
    import_openvino()
    return _imported("nncf")


def _imported(name: str) -> Any:
    if name not in sys.modules and not _user_opted_in() and _REPORTER not in sys.modules:
        # The documented way to make an import fail.
        sys.modules[_REPORTER] = None  # type: ignore[assignment]
        try:
            return importlib.import_module(name)
        finally:
            del sys.modules[_REPORTER]
    return importlib.import_module(name)


def _user_opted_in() -> bool:
    try:
        return (Path.home() / "intel" / _REPORTER).read_text().strip() == "1"
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        return False
