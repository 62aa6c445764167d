"""Feature rows as a PyTorch `Dataset`. Importing this module imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from rakuten_assets.errors import StoreError


class FeatureRows(Dataset[Any]):
    """Rows of a split, read from the memory map when they are asked for.

    Item i is (x float32 (dim,), y int64 ()) of a train row, x alone of a test row. A `DataLoader` reads a batch in
    one go.

    Attributes:
        rows: int64 (n,), the split's row of each item.
    """

    def __init__(
        self, vectors: npt.NDArray[np.float32], y: npt.NDArray[np.int64] | None, rows: npt.NDArray[Any]
    ) -> None:
        self._vectors, self._y = vectors, y
        self.rows = _positions(rows, len(vectors))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> Any:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int]) -> list[Any]:
        """Several items at once; `DataLoader` calls it."""
        rows = self.rows[np.asarray(items, dtype=np.int64)]
        vectors = torch.from_numpy(np.array(self._vectors[rows]))
        if self._y is None:
            return list(vectors)
        return list(zip(vectors, torch.from_numpy(np.array(self._y[rows])), strict=True))


def _positions(rows: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    if rows.dtype == bool:
        if rows.shape != (count,):
            raise StoreError(f"a mask of rows must be bool ({count},), not {rows.shape}")
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        raise StoreError("rows are positions (n,) or a mask; these are neither")
    positions = rows.astype(np.int64)
    if positions.size and not (positions.min() >= 0 and positions.max() < count):
        raise StoreError(
            f"rows go from 0 to {count - 1}; these go from {positions.min()} to {positions.max()}"
        )
    return positions
