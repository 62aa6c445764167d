"""Work that needs torch, done in a process of its own, so that this one never pays for importing it (0.7 GB).

The child is `python -m rakuten_assets.extraction.networks.torch_child <action>`; its request is JSON on
standard input, its answer the last line of its standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from rakuten_assets.errors import EngineError, RakutenAssetsError, WeightsError

_CHILD = "rakuten_assets.extraction.networks.torch_child"
_ERRORS: dict[str, type[RakutenAssetsError]] = {
    error.__name__: error for error in (WeightsError, EngineError)
}
_LINES_OF_A_CRASH = 12


def run_in_torch_process(action: str, request: dict[str, Any]) -> dict[str, Any]:
    """Run one action of `torch_child` and return its answer. An interrupt kills the child.

    Raises:
        WeightsError, EngineError: as the child raised it.
        EngineError: the child died; the message holds the end of what it said.
    """
    command = [sys.executable, "-m", _CHILD, action]
    child = subprocess.run(
        command, input=json.dumps(request), capture_output=True, text=True, check=False, env=_environment()
    )
    lines = child.stdout.strip().splitlines()
    answer = _parsed(lines[-1]) if lines else None
    if answer is None or child.returncode:
        if answer and answer.get("error") in _ERRORS:
            raise _ERRORS[answer["error"]](answer["message"])
        said = "\n".join((child.stderr or child.stdout).strip().splitlines()[-_LINES_OF_A_CRASH:])
        died = f"signal {-child.returncode}" if child.returncode < 0 else f"exit status {child.returncode}"
        raise EngineError(f"`{' '.join(command[1:])}` died with {died} while preparing the model:\n{said}")
    return answer


def _environment() -> dict[str, str]:
    # The child finds this package where this process did, installed or not.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
