"""Publishes a new set over an old one, again and again, each time killed (SIGKILL) one file operation later.

`python -m rakuten_assets_tests.outputs.killed FOLDER` leaves a storage for each moment in FOLDER/000, 001, ... and
prints how many moments there are. The last one is not killed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rakuten_assets.outputs.publication import publish
from rakuten_assets_tests.outputs.storages import NOON, published, stored_set

# Large enough that the matrices are linked, not copied.
OLD = {"extractors": ("kept", "gone"), "train_rows": 12, "seed": 0, "dim": 30_000}
NEW = {"extractors": ("kept", "fresh"), "train_rows": 15, "seed": 1, "dim": 30_000}
_OPERATIONS = {
    "open",
    "os.rename",
    "os.link",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.listdir",
    "os.scandir",
}


def kill_before(operation: int, root: Path) -> None:
    """Kill this process before its n-th file operation below `root`, counted from 0."""
    left = operation

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _OPERATIONS and arguments and str(arguments[0]).startswith(str(root)):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(count)


def main(folder: Path) -> int:
    for moment in range(1000):
        root = folder / f"{moment:03d}"
        published(root, **OLD)
        contents = stored_set(root, **NEW)
        child = os.fork()
        if not child:
            kill_before(moment, root)
            publish(root, contents, now=NOON)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            print(moment + 1)
            return os.WEXITSTATUS(status)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
