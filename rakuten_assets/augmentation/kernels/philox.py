"""Random numbers of a key."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from rakuten_assets.augmentation.kernels.signatures import (
    OPTIONS,
)


@numba.njit(numba.void(numba.uint32[::1], numba.uint32, numba.uint32[::1]), **OPTIONS)
def philox(key: Any, lane: Any, out: Any) -> None:
    """Fill `out`, uint32 (4n,), with Philox4x32-10: block i is the one of the counter (i, lane, key[2], key[3]).

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    first, second = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    low, by = np.uint64(0xFFFFFFFF), np.uint64(32)
    for block in range(out.size // 4):
        a, b, c, d = np.uint64(block) & low, np.uint64(lane), np.uint64(key[2]), np.uint64(key[3])
        k, m = np.uint64(key[0]), np.uint64(key[1])
        for _ in range(10):
            x, y = first * a, second * c
            a, c = (y >> by) ^ b ^ k, (x >> by) ^ d ^ m
            b, d = y & low, x & low
            k, m = (k + np.uint64(0x9E3779B9)) & low, (m + np.uint64(0xBB67AE85)) & low
        at = 4 * block
        out[at], out[at + 1], out[at + 2], out[at + 3] = (
            np.uint32(a),
            np.uint32(b),
            np.uint32(c),
            np.uint32(d),
        )
