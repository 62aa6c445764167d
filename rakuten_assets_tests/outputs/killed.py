"""Publishes a new set over an old one, again and again, each time killed (SIGKILL) one file operation later.

`python -m rakuten_assets_tests.outputs.killed FOLDER KIND` leaves a storage for each moment in FOLDER/000, 001, ... and
prints how many moments there are. The last one is not killed. KIND is `folder`, or `bucket`: its objects are files.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from upath import UPath

from rakuten_assets.outputs.publication import publish
from rakuten_assets_tests.outputs.disk_bucket import disk_bucket
from rakuten_assets_tests.outputs.storages import NOON, published, stored_set

OLD = {"extractors": ("kept", "gone"), "train_rows": 12, "seed": 0}
NEW = {"extractors": ("kept", "fresh"), "train_rows": 15, "seed": 1}
# In a folder large enough that the matrices are linked, not copied.
DIMS = {"folder": 30_000, "bucket": 40}
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


def root_of(folder: Path, kind: str) -> Path | UPath:
    """The storage that is kept in a folder."""
    return folder if kind == "folder" else disk_bucket(folder)


def main(folder: Path, kind: str) -> int:
    for moment in range(1000):
        place = folder / f"{moment:03d}"
        root = root_of(place, kind)
        published(root, **OLD, dim=DIMS[kind])
        contents = stored_set(root, **NEW, dim=DIMS[kind])
        child = os.fork()
        if not child:
            kill_before(moment, place)
            publish(root, contents, now=NOON)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            print(moment + 1)
            return os.WEXITSTATUS(status)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
