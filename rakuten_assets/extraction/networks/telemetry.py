"""OpenVINO without its telemetry: the one place that imports it.

Importing openvino reports to its makers unless a file in the user's home says no. Here it reports only where the
user has said yes (`opt_in_out --opt_in` writes that file).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_REPORTER = "openvino_telemetry"


def import_openvino() -> Any:
    """The `openvino` module. Its telemetry package is hidden while it is imported; openvino then works without."""
    if "openvino" not in sys.modules and not _user_opted_in() and _REPORTER not in sys.modules:
        # The documented way to make an import fail.
        sys.modules[_REPORTER] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[_REPORTER]
        return openvino
    import openvino

    return openvino


def _user_opted_in() -> bool:
    try:
        return (Path.home() / "intel" / _REPORTER).read_text().strip() == "1"
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        return False
