"""Which segment holds an image's row: sorted arrays, 44 bytes a row, where a dictionary takes about 300.

Keys are sha256 and so spread evenly: the last 8 bytes of each, sorted, lead to the few keys that end alike, and these
are compared whole. All rows are looked up in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.extraction.storing.segments import KEY_BYTES, SegmentIndex

_WORDS = KEY_BYTES // 8
Places = NDArray[np.int64]


class KeyIndex:
    """The keys of segments. Of a key that several hold, one place is given.

    Args:
        segments: by name. Their keys and checksums become views of one array each, so that none is in memory twice.
    """

    def __init__(self, segments: dict[str, SegmentIndex]) -> None:
        self.names = list(segments)
        counts = [len(index) for index in segments.values()]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._keys = np.empty((sum(counts), KEY_BYTES), np.uint8)
        crcs = np.empty(sum(counts), np.uint32)
        for number, (name, index) in enumerate(list(segments.items())):
            own = slice(self._starts[number], self._starts[number + 1])
            self._keys[own], crcs[own] = index.keys, index.crcs
            segments[name] = replace(index, keys=self._keys[own], crcs=crcs[own])
        words = np.ascontiguousarray(_words(self._keys)[:, -1])
        order = np.argsort(words)
        self._sorted = words[order]
        del words
        self._order = order.astype(np.uint32 if len(order) < 1 << 32 else np.int64)
        del order
        self._drop_repeated()

    def __len__(self) -> int:
        """Number of distinct keys."""
        return len(self._order)

    def find(self, keys: Sequence[bytes]) -> tuple[Places, Places]:
        """Number of the segment in `names`, and row, of each key; -1 for a key that no segment holds."""
        wanted = keys_array(keys)
        found = np.full(len(wanted), -1, np.int64)
        if len(self._sorted) and len(wanted):
            words = np.ascontiguousarray(_words(wanted)[:, -1])
            left = np.argsort(words)  # ascending ones are found in half the time
            at = np.searchsorted(self._sorted, words[left])
            while len(left):
                inside = np.minimum(at, len(self._sorted) - 1)
                alike = (at == inside) & (self._sorted[inside] == words[left])
                left, at = left[alike], at[alike]
                place = self._order[at]
                same = (_words(self._keys[place]) == _words(wanted[left])).all(axis=1)
                found[left[same]] = place[same]
                left, at = left[~same], at[~same] + 1
        segments = np.where(found < 0, -1, np.searchsorted(self._starts, found, "right") - 1)
        return segments, np.where(found < 0, -1, found - self._starts[segments])

    def _drop_repeated(self) -> None:
        """Leave one place of each key: two processes may have computed the same row."""
        alike = np.flatnonzero(self._sorted[1:] == self._sorted[:-1])
        if not len(alike):
            return
        places = np.union1d(alike, alike + 1)
        whole = self._keys[self._order[places]].view(f"S{KEY_BYTES}").reshape(-1)
        _, first = np.unique(whole, return_index=True)
        keep = np.ones(len(self._order), dtype=bool)
        keep[np.delete(places, first)] = False
        self._order, self._sorted = self._order[keep], self._sorted[keep]


def keys_array(keys: Sequence[bytes]) -> NDArray[np.uint8]:
    """Keys as uint8 (n, 32)."""
    return np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), KEY_BYTES)


def _words(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The same keys as uint64 (n, 4)."""
    return keys.view(np.uint64).reshape(len(keys), _WORDS)
