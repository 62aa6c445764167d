"""Draw many images at once: worker processes that cannot outlive the process that started them.

- a worker is a fresh interpreter that runs `worker`: it imports neither the caller's `__main__` nor Dagster, so
  that it works from a script, a notebook and a Dagster step alike;
- it reads its tasks from a pipe: when the parent dies, of whatever signal, the pipe closes and the worker ends
  with its current chunk.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rakuten_assets.errors import CatalogError
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.synthetic.encoding import ImageTask, write_chunk

_WORKER_MODULE = "rakuten_assets.synthetic.worker"
_CHUNK = 16
# A worker takes about half a second to start, in which one process draws this many images.
_IMAGES_WORTH_A_WORKER = 100

_Worker = subprocess.Popen[str]


def write_images(tasks: Sequence[ImageTask], folder: Path, workers: int | None) -> Generator[tuple[int, int]]:
    """Write each task's file under `folder`; yields (images, bytes) now and then, in no fixed order.

    Raises:
        CatalogError: if a worker fails, with what it said.
        OSError: if a file cannot be written, by a worker or here.
    """
    count = min(workers or usable_cores(), len(tasks) // _IMAGES_WORTH_A_WORKER)
    chunks = [tasks[start : start + _CHUNK] for start in range(0, len(tasks), _CHUNK)]
    if count <= 1:
        for chunk in chunks:
            yield write_chunk(chunk, folder)
        return
    started: list[_Worker] = []
    threads = ThreadPoolExecutor(count, thread_name_prefix="synthetic")
    try:
        idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for _ in range(count):
            started.append(_start_worker(folder))
            idle.put(started[-1])
        for future in as_completed([threads.submit(_ask, idle, chunk) for chunk in chunks]):
            yield future.result()
    finally:
        for worker in started:
            worker.kill()
        threads.shutdown(cancel_futures=True)
        for worker in started:
            # Leaving the block closes the pipes (one may still hold a line for a dead worker) and collects the
            # exit status.
            with contextlib.suppress(BrokenPipeError), worker:
                pass


def _start_worker(folder: Path) -> _Worker:
    package_root = str(Path(__file__).parents[2])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _WORKER_MODULE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": search_path, "PYTHONIOENCODING": "utf-8"},
    )


def _ask(idle: queue.SimpleQueue[_Worker], chunk: Sequence[ImageTask]) -> tuple[int, int]:
    worker = idle.get()
    try:
        answer = _exchange(worker, json.dumps(chunk) + "\n")
    finally:
        idle.put(worker)
    if not answer:
        raise CatalogError(
            f"a worker process ended early (exit status {worker.poll()}); what it said is on standard error"
        )
    result = json.loads(answer)
    if isinstance(result, dict):
        raise OSError(result["errno"], result["reason"], result["file"])
    if isinstance(result, str):
        raise CatalogError(f"an image of the synthetic catalogue cannot be made: {result}")
    images, size = result
    return images, size


def _exchange(worker: _Worker, line: str) -> str:
    """The worker's answer to a line, or "" when it is gone."""
    if worker.stdin is None or worker.stdout is None:
        return ""
    try:
        worker.stdin.write(line)
        worker.stdin.flush()
        return worker.stdout.readline()
    except BrokenPipeError:
        return ""
