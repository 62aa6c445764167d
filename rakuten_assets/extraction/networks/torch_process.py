"""Work that needs torch, done in a process of its own, so that this one never pays for importing it (0.7 GB).

The child is `python -m rakuten_assets.extraction.networks.torch_child`; a request is a line of JSON on its standard
input, the answer a line on its standard output. It stays for the next request for a while: its imports take longer than
most of its work, and a first run asks several things of it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

from rakuten_assets.errors import EngineError, RakutenAssetsError, WeightsError

_CHILD = "rakuten_assets.extraction.networks.torch_child"
_ERRORS: dict[str, type[RakutenAssetsError]] = {
    error.__name__: error for error in (WeightsError, EngineError)
}
_LINES_OF_A_CRASH = 12
# Long enough for one backbone's features of a small catalogue, before the next backbone is converted.
IDLE_SECONDS = 60.0


class TorchProcess:
    """Runs actions in a child, which starts with the first of them and ends when it was idle for a while.

    Thread-safe: one action runs at a time. A fork of this process starts a child of its own.

    Args:
        module: the child's; it answers each line `{"action": ..., "request": ...}` with a line
            `{"answer": ...}` or `{"error": class, "message": ...}`.
        idle_seconds: after which the child ends.
    """

    def __init__(self, module: str = _CHILD, idle_seconds: float = IDLE_SECONDS) -> None:
        self._module, self._idle_seconds = module, idle_seconds
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._timer: threading.Timer | None = None

    def run(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one action and return its answer. An interrupt kills the child.

        Raises:
            WeightsError, EngineError: as the child raised it.
            EngineError: the child died; the message holds the end of what it said.
        """
        with self._lock:
            self._stop_timer()
            environment = _environment()
            if self._child is not None and not self._child.serves(environment):
                self._end_child()
            self._child = self._child or _Child(self._module, environment)
            try:
                answer = self._child.ask(action, request)
            except BaseException:  # Its answer would be taken for the next request's.
                self._child.kill()
                self._child = None
                raise
            self._start_timer()
        if answer.get("error") in _ERRORS:
            raise _ERRORS[answer["error"]](answer["message"])
        given: dict[str, Any] = answer["answer"]
        return given

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._stop_timer()
            self._end_child()

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None

    def _start_timer(self) -> None:
        self._timer = threading.Timer(self._idle_seconds, self.close)
        self._timer.daemon = True
        self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Child:
    """One running child."""

    def __init__(self, module: str, environment: dict[str, str]) -> None:
        self._command, self._environment, self._owner = ["-m", module], environment, os.getpid()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the child
        self._process = subprocess.Popen(
            [sys.executable, *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
        )

    def serves(self, environment: dict[str, str]) -> bool:
        """Whether it still runs, as a child of this process, in this environment."""
        mine = self._owner == os.getpid()
        return mine and self._environment == environment and self._process.poll() is None

    def ask(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"action": action, "request": request}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # It died: its output ends, too.
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        try:
            answer = json.loads(self._process.stdout.readline())
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not ("answer" in answer or answer.get("error") in _ERRORS):
            raise EngineError(self._death(action))
        return answer

    def end(self) -> None:
        """Let it come to its end."""
        if self._owner == os.getpid():
            self._close_pipes()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _death(self, action: str) -> str:
        """What is known of a child that gave no answer."""
        try:
            status = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        died = f"signal {-status} ({_signal_name(-status)})" if status < 0 else f"exit status {status}"
        end = "\n".join(said[-_LINES_OF_A_CRASH:])
        command = " ".join(self._command)
        return f"`{command}` died with {died} while preparing the model ({action}):\n{end}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _environment() -> dict[str, str]:
    # The child finds this package where this process did, installed or not.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


_SHARED = TorchProcess()
atexit.register(_SHARED.close)


def run_in_torch_process(action: str, request: dict[str, Any]) -> dict[str, Any]:
    """Run one action of `torch_child` in the process that this one's callers share: see `TorchProcess.run`."""
    return _SHARED.run(action, request)
