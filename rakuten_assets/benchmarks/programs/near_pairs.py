"""The search for near-duplicate candidates over drawn images, in a process of its own.

`python -m rakuten_assets.benchmarks.programs.near_pairs 100000 2 plain` prints one JSON object. `plain` is NumPy alone,
`compiled` the search as it is.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from rakuten_assets.benchmarks.near_duplicates import drawn_images
from rakuten_assets.integrity.duplicates.candidates import Candidates
from rakuten_assets.integrity.duplicates.near_duplicates import KERNELS
from rakuten_assets.runtime.compilation import CompiledKernels


def main() -> None:
    count, workers = int(sys.argv[1]), int(sys.argv[2])
    kernels = CompiledKernels("never compiled", sys.maxsize) if sys.argv[3] == "plain" else KERNELS
    images = drawn_images(count)
    started = time.perf_counter()
    pairs = digest = 0
    for left, right in Candidates(images).pairs(workers, kernels):
        pairs += len(left)
        mixed = left.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ right.astype(np.uint64)
        digest += int((mixed * np.uint64(0xC2B2AE3D27D4EB4F)).sum(dtype=np.uint64))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "pairs": pairs, "digest": f"{digest % 2**64:016x}"}))


if __name__ == "__main__":
    main()
