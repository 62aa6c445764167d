"""Work that needs torch, done in a process of its own, so that this one never pays for importing it (0.7 GB).

The child is `python -m rakuten_assets.extraction.networks.torch_child`; a request is a line of JSON on its standard
input, the answer a line on its standard output. Actions that follow each other can share a child
(`shared_torch_process`): its imports take as long as most of its work.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import IO, Any

from rakuten_assets.errors import EngineError, RakutenAssetsError, UnreachableError, WeightsError

_CHILD = "rakuten_assets.extraction.networks.torch_child"
_ERRORS: dict[str, type[RakutenAssetsError]] = {
    error.__name__: error for error in (WeightsError, EngineError, UnreachableError)
}
_LINES_OF_A_CRASH = 12
_SECONDS_TO_END = 10


class TorchProcess:
    """Runs actions in one child, which starts with the first of them and ends with the block. For one thread.

    Args:
        module: the child's; it answers each line `{"action": ..., "request": ...}` with a line
            `{"answer": ...}` or `{"error": class, "message": ...}`.
    """

    def __init__(self, module: str = _CHILD) -> None:
        self._command = ["-m", module]
        self._child: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    def __enter__(self) -> TorchProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one action and return its answer. An interrupt kills the child.

        Raises:
            WeightsError, EngineError, UnreachableError: as the child raised it.
            EngineError: the child died; the message holds the end of what it said.
        """
        try:
            answer = self._ask(action, request)
        except BaseException:  # Its answer would be taken for the next request's.
            if self._child is not None:
                self._child.kill()
            self.close()
            raise
        if "error" in answer:
            raise _ERRORS.get(answer["error"], EngineError)(answer["message"])
        given: dict[str, Any] = answer["answer"]
        return given

    def close(self) -> None:
        """End the child, if there is one; the next action starts another."""
        child, said, self._child, self._said = self._child, self._said, None, None
        if child is not None:
            _close(child.stdin)
            try:
                child.wait(timeout=_SECONDS_TO_END)
            except subprocess.TimeoutExpired:  # Some fork of this process still holds its input.
                child.kill()
                child.wait()
            _close(child.stdout)
        _close(said)

    def _ask(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        child, said = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        said_before = os.fstat(said.fileno()).st_size
        line = json.dumps({"action": action, "request": request}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # It died: its output ends, too.
            child.stdin.write(line.encode())
            child.stdin.flush()
        answer = _parsed(child.stdout.readline())
        if answer is None:
            child.kill()  # No effect on one that has died already.
            raise EngineError(self._last_words(child.wait(), said, said_before, action))
        return answer

    def _running(self) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        if self._child is None or self._said is None:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the child
            self._child = subprocess.Popen(
                [sys.executable, *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=_environment(),
            )
        return self._child, self._said

    def _last_words(self, status: int, said: IO[bytes], said_before: int, action: str) -> str:
        said.seek(said_before)
        lines = said.read().decode(errors="replace").strip().splitlines()[-_LINES_OF_A_CRASH:]
        died = f"signal {-status} ({_signal_name(-status)})" if status < 0 else f"exit status {status}"
        command = " ".join([*self._command, action])
        return f"`{command}` died with {died} while preparing the model:\n" + "\n".join(lines)


_shared: ContextVar[TorchProcess | None] = ContextVar("shared_torch_process", default=None)


@contextmanager
def shared_torch_process() -> Iterator[None]:
    """Within the block, actions of this thread share one child."""
    with TorchProcess() as process:
        token = _shared.set(process)
        try:
            yield
        finally:
            _shared.reset(token)


def run_in_torch_process(action: str, request: dict[str, Any], last: bool = False) -> dict[str, Any]:
    """Run one action of `torch_child`: in the shared child, else in one of its own. See `TorchProcess.run`.

    Args:
        last: whether nothing more is expected to follow, so that the child need not stay.
    """
    shared = _shared.get()
    if shared is None:
        with TorchProcess() as process:
            return process.run(action, request)
    try:
        return shared.run(action, request)
    finally:
        if last:
            shared.close()


def _environment() -> dict[str, str]:
    # The child finds this package where this process did, installed or not. Whatever it imports sends no telemetry.
    path = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_DISABLE_TELEMETRY": "1"}


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(answer, dict) and ("answer" in answer or {"error", "message"} <= answer.keys())
    return answer if whole else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _close(file: IO[bytes] | None) -> None:
    if file is not None:
        with contextlib.suppress(OSError):
            file.close()
