"""The shelf: small pictures of images, taken from their files when first asked for, so that pairs can be compared.

Outlines (768 bytes) are kept for every image that was ever asked for; full sets of versions (15 KiB) for a bounded
number of them. In a collection of a few thousand images each candidate is read once; in a large one, once for its
outline and a few times more if that is like another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from upath import UPath

from rakuten_assets.integrity.candidates import Positions
from rakuten_assets.integrity.thumbnails import small_picture, unchanged_bytes
from rakuten_assets.integrity.verification import (
    OUTLINE_SIDE,
    Pictures,
    outline,
    possible_pairs,
    same_pictures,
    versions,
)

_MOST_VERSIONS_KEPT = 8192  # 120 MiB
_PICTURE_SIDE = 96
_PAIRS_A_TASK = 256


class PictureShelf:
    """Small pictures of images that a scan has found whole, by position.

    Args:
        files: each image's file.
        sha256: of each file's bytes, as scanned: a file that changed since is like no other.
        formats: Pillow's name of each file's format.
        pool: threads that read and decode.

    Attributes:
        pairs_seen: how many pairs were compared by their outlines.
    """

    def __init__(
        self, files: Sequence[Path | UPath], sha256: Sequence[str], formats: Sequence[str], pool: Executor
    ) -> None:
        self._files, self._sha256, self._formats, self._pool = files, sha256, formats, pool
        self._versions: dict[int, Pictures] = {}
        self._outlines = np.zeros((len(files), OUTLINE_SIDE, OUTLINE_SIDE, 3), np.uint8)
        self._read = np.zeros(len(files), bool)
        self._whole = np.zeros(len(files), bool)
        self.pairs_seen = 0

    def possible(self, left: Positions, right: Positions) -> tuple[Positions, Positions]:
        """The pairs whose outlines leave it possible that they show the same picture."""
        self.pairs_seen += len(left)
        wanted = np.union1d(left, right)
        unread = wanted[~self._read[wanted]]
        self._read[unread] = True
        for at, found in self._load(unread.tolist()).items():
            self._outlines[at], self._whole[at] = outline(found), True
            if len(self._versions) < _MOST_VERSIONS_KEPT:
                self._versions[at] = found
        whole = self._whole[left] & self._whole[right]
        left, right = left[whole], right[whole]
        alike = possible_pairs(self._outlines[left], self._outlines[right])
        return left[alike], right[alike]

    def same(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        """Whether each pair shows the same picture, bool (n,)."""
        wanted = np.union1d(left, right).tolist()
        here = {at: self._versions[at] for at in wanted if at in self._versions}
        here |= self._load([at for at in wanted if at not in here])
        if len(self._versions | here) > _MOST_VERSIONS_KEPT:
            self._versions = {}
        self._versions |= here
        pairs = [
            place
            for place, ends in enumerate(zip(left.tolist(), right.tolist(), strict=True))
            if here.keys() >= {*ends}
        ]
        same = np.zeros(len(left), dtype=bool)
        parts = np.array_split(np.array(pairs, dtype=np.int64), max(1, len(pairs) // _PAIRS_A_TASK))

        def judge(part: Positions) -> npt.NDArray[np.bool_]:
            one, other = (np.stack([here[at] for at in side[part].tolist()]) for side in (left, right))
            return same_pictures(one, other)

        if pairs:
            same[pairs] = np.concatenate(list(self._pool.map(judge, parts)))
        return same

    def _load(self, positions: list[int]) -> dict[int, Pictures]:
        """Versions from the files; a file that changed is left out."""
        found = zip(positions, self._pool.map(self._take, positions), strict=True)
        return {at: versions_ for at, versions_ in found if versions_ is not None}

    def _take(self, at: int) -> Pictures | None:
        content = unchanged_bytes(self._files[at], self._sha256[at])
        if content is None:
            return None
        return versions(small_picture(content, self._formats[at], _PICTURE_SIDE))
