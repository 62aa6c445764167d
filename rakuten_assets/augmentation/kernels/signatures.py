"""How the kernels are compiled, and the types of what they take."""

from __future__ import annotations

from typing import Any

import numba

OPTIONS: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
# No NaN, infinity or signed zero comes up: without this the compiler makes no vector minimum. It changes no result.
REAL_OPTIONS: dict[str, Any] = {**OPTIONS, "fastmath": {"nnan", "ninf", "nsz"}}


def read_only(kind: Any, dimensions: int) -> Any:
    """An array in C order that may be read-only."""
    return numba.types.Array(kind, dimensions, "C", readonly=True)


PIXELS, BYTES = read_only(numba.uint8, 3), numba.uint8[:, :, ::1]
TABLE = COLOUR = read_only(numba.uint8, 1)
REALS, FIELD = read_only(numba.float64, 1), read_only(numba.float32, 3)
SHORTS, WEIGHTS, PLACES = read_only(numba.uint16, 1), read_only(numba.int32, 1), read_only(numba.int64, 1)
REAL_LINE, INT_LINE, WORDS, FLOATS = (
    numba.float64[::1],
    numba.int32[::1],
    numba.uint32[::1],
    numba.float32[::1],
)
READ_FLOATS = read_only(numba.float32, 1)
