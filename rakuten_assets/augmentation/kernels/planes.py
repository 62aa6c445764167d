"""From interleaved bytes to the planes of a network's input."""

from __future__ import annotations

from typing import Any

import numba

from rakuten_assets.augmentation.kernels.signatures import (
    OPTIONS,
    PIXELS,
    read_only,
)


@numba.njit(
    numba.void(PIXELS, read_only(numba.float32, 2), numba.float32[:, :, ::1]),
    **OPTIONS,
)
def to_planes(image: Any, table: Any, out: Any) -> None:
    """out[c, y, x] = table[c, image[y, x, c]]: uint8 (h, w, 3) to float32 (3, h, w)."""
    for y in range(image.shape[0]):
        line = image[y]
        for channel in range(3):
            values = table[channel]
            row = out[channel, y]
            for x in range(line.shape[0]):
                row[x] = values[line[x, channel]]
