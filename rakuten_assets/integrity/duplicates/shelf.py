"""The shelf: small pictures of images, taken from their files when first asked for, so that pairs can be compared.

Outlines (768 bytes) are kept for every image that was ever asked for; full sets of versions (15 KiB) for a bounded
number of them. In a collection of a few thousand images each candidate is read once; in a large one, once for its
outline and a few times more if that is like another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
from PIL import features
from upath import UPath

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.thumbnails import small_picture, unchanged_bytes
from rakuten_assets.integrity.duplicates.near_duplicates import Positions
from rakuten_assets.integrity.duplicates.verification import (
    OUTLINE_SIDE,
    Pictures,
    outline,
    possible_pairs,
    same_pictures,
    verification_basis,
    versions,
)
from rakuten_assets.integrity.reading.schema import SCAN_VERSION

_MOST_VERSIONS_KEPT = 1024  # 15 MiB
_PICTURE_SIDE = 96
_PAIRS_A_TASK = 128
_FILES_A_TASK = 4


class PictureShelf:
    """Small pictures of images that a scan has found whole, by position.

    Args:
        file: the file of the image at a position.
        sha256: of each file's bytes, as scanned: a file that changed since is like no other.
        formats: Pillow's name of each file's format.
        pool: threads that read and decode.
    """

    def __init__(
        self,
        file: Callable[[int], Path | UPath],
        sha256: Sequence[str],
        formats: Sequence[str],
        pool: Executor,
    ) -> None:
        self._file, self._sha256, self._formats, self._pool = file, sha256, formats, pool
        self._versions: dict[int, Pictures] = {}
        self._outlines = np.zeros((len(sha256), OUTLINE_SIDE, OUTLINE_SIDE, 3), np.uint8)
        self._read = np.zeros(len(sha256), bool)
        self._whole = np.zeros(len(sha256), bool)

    def possible(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        """Whether the outlines of each pair leave it possible that they show the same picture, bool (n,)."""
        wanted = np.union1d(left, right)
        unread = wanted[~self._read[wanted]]
        self._read[unread] = True
        for at, found in self._load(unread.tolist()):
            self._outlines[at], self._whole[at] = outline(found), True
            if len(self._versions) < _MOST_VERSIONS_KEPT:
                self._versions[at] = found
        return self._judged(
            left, right, lambda one, other: possible_pairs(self._outlines[one], self._outlines[other])
        )

    def whole(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Whether each image was found as scanned whenever its file was read so far, bool (n,)."""
        return self._whole[positions]

    def unchanged(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        """Whether both files of each pair are still as scanned, bool (n,). They are read, and not decoded."""
        wanted = np.union1d(left, right)
        unchanged = np.zeros(len(self._sha256), dtype=bool)
        unchanged[wanted] = list(self._pool.map(lambda at: self._bytes(at) is not None, wanted.tolist()))
        return unchanged[left] & unchanged[right]

    def same(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        """Whether each pair shows the same picture, bool (n,); of pairs that were found possible."""
        wanted = np.union1d(left, right).tolist()
        here = {at: self._versions[at] for at in wanted if at in self._versions}
        again = [at for at in wanted if at not in here]
        here |= self._load(again)
        self._whole[[at for at in again if at not in here]] = False
        if len(self._versions | here) > _MOST_VERSIONS_KEPT:
            self._versions = {}
        self._versions |= here

        def judge(one: Positions, other: Positions) -> npt.NDArray[np.bool_]:
            left_, right_ = (np.stack([here[at] for at in side.tolist()]) for side in (one, other))
            return same_pictures(left_, right_)

        return self._judged(left, right, judge)

    def _judged(
        self,
        left: Positions,
        right: Positions,
        judge: Callable[[Positions, Positions], npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.bool_]:
        """What `judge` says of each pair, some at a time in the pool; False where a file is not as scanned."""
        outcomes = self.whole(left) & self.whole(right)
        pairs = np.flatnonzero(outcomes)
        if len(pairs):
            parts = np.array_split(pairs, -(-len(pairs) // _PAIRS_A_TASK))
            judged = self._pool.map(lambda part: judge(left[part], right[part]), parts)
            outcomes[pairs] = np.concatenate(list(judged))
        return outcomes

    def _load(self, positions: list[int]) -> Iterator[tuple[int, Pictures]]:
        """Versions from the files; a file that changed is left out."""
        parts = [positions[at : at + _FILES_A_TASK] for at in range(0, len(positions), _FILES_A_TASK)]
        for part, found in zip(parts, self._pool.map(self._take_all, parts), strict=True):
            yield from ((at, seen) for at, seen in zip(part, found, strict=True) if seen is not None)

    def _take_all(self, positions: list[int]) -> list[Pictures | None]:
        return [self._take(at) for at in positions]

    def _take(self, at: int) -> Pictures | None:
        content = self._bytes(at)
        if content is None:
            return None
        try:
            return versions(small_picture(content, self._formats[at], _PICTURE_SIDE))
        except (
            UndecodableImageError
        ):  # There is no memory for it now: like a file that changed, it is like no other.
            return None

    def _bytes(self, at: int) -> bytes | None:
        return unchanged_bytes(self._file(at), self._sha256[at])


def comparison_basis() -> dict[str, Any]:
    """All that it depends on, apart from the two files, whether they are found to show the same picture; JSON-able."""
    return {
        "verification": verification_basis(),
        "picture_side": _PICTURE_SIDE,
        "scan_version": SCAN_VERSION,  # the scan says which decoder a file is given to
        "pillow": PIL.__version__,
        "decoders": {name: features.version(name) for name in ("jpg", "webp", "zlib", "libtiff")},
        "numpy": np.__version__,
    }
