"""Opening a store of rows and looking up all its keys, in a process of its own.

`python -m rakuten_assets.benchmarks.programs.store_opening FOLDER DIM arrays` prints one JSON object. `dictionary` is
what a start was before: a Python dictionary from each key to its segment and row.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import psutil
from upath import UPath

from rakuten_assets.extraction.storing.segments import SUFFIX, SegmentIndex, read_index
from rakuten_assets.extraction.storing.store import RowStore

DIGEST = "0" * 64


def main() -> None:
    folder, dim, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    before = psutil.Process().memory_info().rss
    started = time.perf_counter()
    if how == "dictionary":
        places, keys, _held = _dictionary(folder, dim)
        opened = time.perf_counter() - started
        started = time.perf_counter()
        found = sum(key in places for key in keys)
    else:
        store = RowStore(UPath(folder), DIGEST, dim, print)
        rows = len(store)
        opened = time.perf_counter() - started
        held = psutil.Process().memory_info().rss - before
        keys = [index.key(row) for index in store._segments.values() for row in range(len(index))]
        started = time.perf_counter()
        found = int(store.contains(keys).sum())
    looked = time.perf_counter() - started
    if how == "dictionary":
        held, rows = psutil.Process().memory_info().rss - before, len(places)
    print(json.dumps({"rows": rows, "found": found, "seconds": opened, "lookup": looked, "held": held}))


def _dictionary(
    folder: Path, dim: int
) -> tuple[dict[bytes, tuple[str, int]], list[bytes], list[SegmentIndex]]:
    places: dict[bytes, tuple[str, int]] = {}
    held = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with path.open("rb") as file:
            index = read_index(file, path.name, DIGEST, dim)
        held.append(index)
        places.update((index.key(row), (path.name, row)) for row in range(len(index)))
    return places, list(places), held


if __name__ == "__main__":
    main()
