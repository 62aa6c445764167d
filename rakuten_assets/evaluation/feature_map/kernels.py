"""The forces of t-SNE, compiled: every pair of points is looked at, in vectors of the processor's width.

A row's sum is made by one thread and always in the same order, so the result does not depend on the number of
threads. Compiled on import, in about a second.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_FLOATS = numba.types.Array(numba.float32, 1, "C", readonly=True)
_PLACES = numba.types.Array(numba.int64, 1, "C", readonly=True)
_COLUMNS = numba.types.Array(numba.int32, 1, "C", readonly=True)
# "reassoc" lets the compiler add up in vectors: another order than written, but the same one each time.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "boundscheck": False,
    "error_model": "numpy",
    "fastmath": {"reassoc", "nnan", "ninf", "nsz", "contract"},
}


@numba.njit(
    numba.void(
        _FLOATS, _FLOATS, numba.int64, numba.int64, numba.float32[::1], numba.float32[::1], numba.float64[::1]
    ),
    **_OPTIONS,
)
def repulsion(x: Any, y: Any, first: Any, last: Any, push_x: Any, push_y: Any, weight: Any) -> None:
    """Forces by which all points push the points first..last-1 away.

    With q = 1 / (1 + distance^2): push is the sum of q^2 times the difference, weight the sum of q, the point's own
    (1) left out.
    """
    one = np.float32(1.0)
    for i in range(first, last):
        x_i, y_i = x[i], y[i]
        sum_x = sum_y = total = np.float32(0.0)
        for j in range(x.size):
            dx, dy = x_i - x[j], y_i - y[j]
            q = one / (one + dx * dx + dy * dy)
            total += q
            q *= q
            sum_x += q * dx
            sum_y += q * dy
        push_x[i], push_y[i] = sum_x, sum_y
        weight[i] = np.float64(total) - 1.0


@numba.njit(
    numba.void(
        _FLOATS,
        _FLOATS,
        _PLACES,
        _COLUMNS,
        _FLOATS,
        numba.int64,
        numba.int64,
        numba.float32[::1],
        numba.float32[::1],
    ),
    **_OPTIONS,
)
def attraction(
    x: Any, y: Any, starts: Any, columns: Any, values: Any, first: Any, last: Any, pull_x: Any, pull_y: Any
) -> None:
    """Forces by which near rows pull the points first..last-1: the sum of p q times the difference."""
    one = np.float32(1.0)
    for i in range(first, last):
        sum_x = sum_y = np.float32(0.0)
        for at in range(starts[i], starts[i + 1]):
            j = columns[at]
            dx, dy = x[i] - x[j], y[i] - y[j]
            force = values[at] / (one + dx * dx + dy * dy)
            sum_x += force * dx
            sum_y += force * dy
        pull_x[i], pull_y[i] = sum_x, sum_y
