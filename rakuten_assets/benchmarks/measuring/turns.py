"""Two commands measured against each other on a machine whose speed drifts: they run in turns, seconds at a time.

One is stopped (SIGSTOP) while the other runs, each has the whole machine in its turn, and only its own turns count.
Measured one after the other, the same two commands differed by 3 % on one day and by 7 % on another.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO

from rakuten_assets.benchmarks.measuring.memory import PeakMemory

SECONDS_OF_A_TURN = 3.0


@dataclass(frozen=True)
class Command:
    """A Python command: what follows `python`, and its environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


@dataclass
class Outcome:
    """What a command took.

    Attributes:
        seconds: the sum of its turns.
        peak_mb: peak resident memory of all its processes together, in MB.
    """

    seconds: float = 0.0
    peak_mb: float = 0.0


def run_in_turns(commands: Sequence[Command], seconds_of_a_turn: float = SECONDS_OF_A_TURN) -> list[Outcome]:
    """Run commands to their ends, one at a time and each a turn after the other.

    Raises:
        RuntimeError: a command failed; with the end of what it printed. The others are killed.
    """
    outcomes = [Outcome() for _ in commands]
    with ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in commands]
        started = [
            stack.enter_context(_Stopped(command, output))
            for command, output in zip(commands, outputs, strict=True)
        ]
        waiting = list(zip(started, outcomes, strict=True))
        while waiting:
            running, outcome = waiting.pop(0)
            outcome.seconds += running.turn(seconds_of_a_turn)
            outcome.peak_mb = running.memory.peak_mb
            if running.process.returncode is None:
                waiting.append((running, outcome))
    return outcomes


class _Stopped:
    """A command in a process group of its own, which runs in its turns only."""

    def __init__(self, command: Command, output: IO[bytes]) -> None:
        self._command, self._output = command, output
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *command.arguments],
            env=dict(command.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._signal(signal.SIGSTOP)
        self._before_its_turns = time.perf_counter() - started
        self.memory = PeakMemory(self.process.pid)

    def __enter__(self) -> _Stopped:
        self.memory.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.memory.__exit__(None, None, None)
        if self.process.returncode is None:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def turn(self, seconds: float) -> float:
        """Let it run for so long, or to its end; how long it ran."""
        started = time.perf_counter()
        self._signal(signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        ran = time.perf_counter() - started + self._before_its_turns
        self._before_its_turns = 0.0
        if self.process.returncode is None:
            self._signal(signal.SIGSTOP)
        elif self.process.returncode:
            self._output.seek(0)
            end = self._output.read()[-4000:].decode(errors="replace")
            raise RuntimeError(
                f"{' '.join(self._command.arguments)} ended with {self.process.returncode}:\n{end}"
            )
        return ran

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
