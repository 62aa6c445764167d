"""Peak memory of a process and all its descendants."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import psutil

_SECONDS_BETWEEN_SAMPLES = 0.1
_BYTES_PER_MB = 1e6


def tree_rss_mb(root: psutil.Process) -> float:
    """Resident memory of `root` and its descendants together, in MB.

    A page shared by two processes counts twice, so the figure errs on the high side.
    """
    total = 0
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / _BYTES_PER_MB


class PeakMemory:
    """Samples the memory of a process tree ten times a second until the block ends.

    Attributes:
        peak_mb: the highest sum seen, in MB (10^6 bytes).
    """

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self._root = psutil.Process(pid)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, tree_rss_mb(self._root))
            if self._stopped.wait(_SECONDS_BETWEEN_SAMPLES):
                return


def run_watched(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[float, float, str]:
    """Run a Python command in a process of its own.

    Args:
        arguments: what follows `python`.
        environment: its variables; default: those of this process.

    Returns:
        Wall seconds from start to exit, peak memory of all its processes together in MB, and its standard output.

    Raises:
        RuntimeError: the command failed; with the end of what it printed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=None if environment is None else dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with PeakMemory(process.pid) as memory:
        output, said = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        end = (output + said)[-4000:]
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}:\n{end}")
    return seconds, memory.peak_mb, output
