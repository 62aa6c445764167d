"""What a store of rows asks a bucket for: the store's own rules, run without rows and without a bucket.

Constants, the grouping of small segments, and the reads of rows are those of `extraction.storing`; what a client sends
for each read, write and removal is written down here, and a test compares all of it with a real server.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from dataclasses import dataclass, fields

from rakuten_assets.extraction.pipeline import ROWS_OF_A_COMMIT
from rakuten_assets.extraction.storing import segments, store

_HEADER_BYTES = 400
NAMES_OF_A_LISTING = 1000
"""Objects that a bucket names in one answer."""


@dataclass
class Requests:
    """Attributes:
    get: objects, parts of objects, and whether one is there (HEAD).
    put: uploads.
    listing: of folders.
    delete: removals.
    """

    get: int = 0
    put: int = 0
    listing: int = 0
    delete: int = 0

    def __add__(self, other: Requests) -> Requests:
        return Requests(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def cost(self, get_price: float, put_price: float) -> float:
        """At prices for a thousand; a listing costs what an upload costs, a removal nothing."""
        return (self.get * get_price + (self.put + self.listing) * put_price) / 1000


def listings(names: int) -> int:
    """Requests to list a folder; of an empty one the client also asks whether it is a file."""
    return math.ceil(names / NAMES_OF_A_LISTING) if names else 2


class SimulatedStore:
    """A `RowStore` on a bucket, of one process, and the requests that it makes.

    Attributes:
        requests: made so far.
        segments: rows of each, by the call of `extract` that computed them.
    """

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self.requests = Requests()
        self.segments: list[Counter[int]] = []
        self._small: list[Counter[int]] = []
        self._of_call: dict[int, dict[int, Counter[int]]] = {}
        self._kept: set[int] = set()

    def open(self) -> None:
        """Another process takes notice of all segments: their headers and indexes; of small ones, of the rows too."""
        self.requests.listing += listings(len(self))
        self._kept.clear()
        for segment in (*self.segments, *self._small):
            small = size_of(self._dim, segment.total()) <= store._BYTES_OF_ONE_REQUEST
            self.requests.get += 1 if small else 2
            if small and len(self._kept) < store._MOST_KEPT:
                self._kept.add(id(segment))

    def extract(self, call: int, rows: int) -> None:
        """Compute rows, a commit at a time, and merge the small segments if they are many."""
        self.requests.listing += listings(len(self))
        for start in range(0, rows, ROWS_OF_A_COMMIT):
            self._append(Counter({call: min(ROWS_OF_A_COMMIT, rows - start)}))
        if rows:
            self._merge()

    def reread(self, call: int) -> None:
        """Read all rows that a call computed."""
        self.requests.listing += listings(len(self))
        for segment in self._of_call.get(call, {}).values():
            if id(segment) in self._kept:
                self._kept.discard(id(segment))
            else:
                self.requests.get += reads(self._dim, segment.total(), segment[call])

    def __len__(self) -> int:
        return len(self.segments) + len(self._small)

    @property
    def bytes(self) -> int:
        """Stored, without the segments' headers."""
        rows = sum(segment.total() for segment in (*self.segments, *self._small))
        return rows * bytes_of_a_row(self._dim)

    def _append(self, segment: Counter[int]) -> None:
        self.requests.put += 1
        small = segment.total() < store._SMALL_ROWS
        (self._small if small else self.segments).append(segment)
        for call in segment:
            self._of_call.setdefault(call, {})[id(segment)] = segment

    def _merge(self) -> None:
        small = self._small
        if len(small) <= store._SMALL_SEGMENTS_BEFORE_MERGING:
            return
        self._small = []
        places = store._groups([str(at) for at in range(len(small))], [one.total() for one in small])
        for group in places:
            parts = [small[int(at)] for at in group]
            self.requests.get += sum(reads(self._dim, part.total(), part.total()) for part in parts)
            if len(parts) < 2:
                self._small += parts
                continue
            for part in parts:
                self.requests.get += 1  # before a removal the client asks whether it is there
                self.requests.delete += 1
                self._kept.discard(id(part))
                for call in part:
                    del self._of_call[call][id(part)]
            self._append(sum(parts, Counter()))
        self.requests.listing += listings(len(self))


def bytes_of_a_row(dim: int) -> int:
    """What a row takes in a segment."""
    return dim * segments._FLOAT_BYTES + segments.KEY_BYTES + 4


def size_of(dim: int, rows: int) -> int:
    """Bytes of a segment, about."""
    return _HEADER_BYTES + rows * bytes_of_a_row(dim)


@functools.cache
def reads(dim: int, rows: int, wanted: int) -> int:
    """Requests to read the first `wanted` rows of a segment of so many rows."""
    if size_of(dim, rows) <= store._BYTES_OF_ONE_REQUEST:
        return 1
    most = max(1, segments._BYTES_IN_A_READ // (dim * segments._FLOAT_BYTES))
    return sum(1 for _ in segments._runs(range(wanted), most))
