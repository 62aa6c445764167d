"""White borders: the smallest box that holds everything else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WHITE_THRESHOLD = 245
"""A pixel is white when all three channels reach this value: the threshold of the data set's published border
statistics."""


class Box(NamedTuple):
    """A part of a picture in pixels, the right column and the bottom row not included; all 0: nothing."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


def box_under(lowest_columns: NDArray[np.uint8], lowest_rows: NDArray[np.uint8], threshold: int) -> Box:
    """The smallest box of all pixels with a value under `threshold`.

    Args:
        lowest_columns: uint8 (3 width,), least value of each column and channel.
        lowest_rows: uint8 (height,), least value of each row.
    """
    columns, rows = np.flatnonzero(lowest_columns < threshold), np.flatnonzero(lowest_rows < threshold)
    if not columns.size:
        return Box(0, 0, 0, 0)
    return Box(int(columns[0]) // 3, int(rows[0]), int(columns[-1]) // 3 + 1, int(rows[-1]) + 1)


def without_border(rgb: NDArray[np.uint8], margin: float) -> Box:
    """What is left of a picture once its white border is cut off; all of it where it is white throughout.

    Args:
        rgb: uint8 (height, width, 3), C order.
        margin: kept around the content on each side, as a share of the content's longer side.
    """
    height, width = rgb.shape[:2]
    rows = rgb.reshape(height, 3 * width)
    content = box_under(rows.min(axis=0), rows.min(axis=1), WHITE_THRESHOLD)
    if not content.area:
        return Box(0, 0, width, height)
    kept = round(margin * max(content.right - content.left, content.bottom - content.top))
    return Box(
        max(0, content.left - kept),
        max(0, content.top - kept),
        min(width, content.right + kept),
        min(height, content.bottom + kept),
    )
