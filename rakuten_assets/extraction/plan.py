"""Which rows must be computed: a pure function of the images' hashes and of what the store holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ExtractionPlan:
    """What to do for each of n rows.

    Attributes:
        keys: the distinct images among the rows, as sha256 bytes, in order of their first row.
        first_rows: int64 (len(keys),), the first row of each.
        key_of_row: int64 (n,), index into `keys`; -1 for an invalid image, whose row is zero.
        stored: bool (len(keys),), whether the store has the image's features.
    """

    keys: tuple[bytes, ...]
    first_rows: NDArray[np.int64]
    key_of_row: NDArray[np.int64]
    stored: NDArray[np.bool_]

    @property
    def invalid_rows(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.key_of_row < 0)

    @property
    def missing_keys(self) -> NDArray[np.int64]:
        """Indices into `keys` of the images to compute, in row order."""
        return np.flatnonzero(~self.stored)

    def without(self, lost_keys: Sequence[int]) -> ExtractionPlan:
        """The plan once it turns out that the store cannot give these keys after all."""
        stored = self.stored.copy()
        stored[list(lost_keys)] = False
        return ExtractionPlan(self.keys, self.first_rows, self.key_of_row, stored)


def plan_rows(
    sha256: Sequence[str], are_stored: Callable[[Sequence[bytes]], NDArray[np.bool_]]
) -> ExtractionPlan:
    """Plan the rows of images with the given hashes.

    Args:
        sha256: hexadecimal digest of each row's file; "" for an image that is not valid.
        are_stored: whether the store has the features of the image with each of these digests, bool (n,).

    Raises:
        ValueError: a digest is neither "" nor 64 hexadecimal digits; names the row.
    """
    index_of: dict[str, int] = {}
    key_of_row = np.full(len(sha256), -1, np.int64)
    first_rows = []
    for row, digest in enumerate(sha256):
        if not digest:
            continue
        if digest not in index_of:
            index_of[digest] = len(index_of)
            first_rows.append(row)
        key_of_row[row] = index_of[digest]
    keys = tuple(_key(digest, first_rows[index]) for digest, index in index_of.items())
    return ExtractionPlan(keys, np.asarray(first_rows, np.int64), key_of_row, are_stored(keys))


def _key(digest: str, row: int) -> bytes:
    try:
        key = bytes.fromhex(digest)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError(f"row {row}: {digest!r} is not a sha256 (64 hexadecimal digits), nor empty")
    return key
