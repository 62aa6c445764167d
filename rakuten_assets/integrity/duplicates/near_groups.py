"""Groups of near-duplicates: chains of pairs that were verified on pixels.

Candidates come from the scan's measures; those of which an earlier run knows the outcome are not read again. The
groups themselves are never remembered: they are the connected parts of the pairs that are verified now, so they
are the same with and without a memory, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.integrity.duplicates.candidates import CANDIDATE_COLUMNS, Candidates
from rakuten_assets.integrity.duplicates.comparison_memory import ComparisonMemory
from rakuten_assets.integrity.duplicates.disjoint_sets import DisjointSets
from rakuten_assets.integrity.duplicates.near_duplicates import Positions
from rakuten_assets.integrity.duplicates.shelf import PictureShelf, comparison_basis

_PAIRS_AT_ONCE = 512


def joined_images(
    images: pd.DataFrame,
    file: Callable[[int], Path | UPath],
    *,
    distance: int,
    workers: int,
    memory: Path | UPath | None,
    log: Callable[[str], None] | None,
) -> Positions:
    """Which images show the same picture: int64 (n,), the same number for images that a chain of pairs joins.

    Args:
        images: `CANDIDATE_COLUMNS`, sha256 and format of the scan, one row a picture that decodes whole and is not
            blank.
        file: the file of the row at a position; one that is not any more what was scanned joins nothing.
        distance, workers, memory, log: as of `groups.duplicate_groups`.
    """
    digests = images["sha256"].tolist()
    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        search = _Search(
            Candidates(images[list(CANDIDATE_COLUMNS)], distance),
            PictureShelf(file, digests, images["format"].tolist(), pool),
            ComparisonMemory(memory, comparison_basis(), digests, log),
            DisjointSets(len(images)),
        )
        search.run(workers)
    if log is not None:
        log(search.summary())
    return search.sets.roots(np.arange(len(images)))


class _Search:
    def __init__(
        self, candidates: Candidates, shelf: PictureShelf, memory: ComparisonMemory, sets: DisjointSets
    ) -> None:
        self.sets = sets
        self._candidates, self._shelf, self._memory = candidates, shelf, memory
        self._found = self._known = self._compared = self._verified = 0

    def run(self, workers: int) -> None:
        self._join_known()
        for left, right in _batches(self._possible(_batches(self._unknown(workers)))):
            left, right = self._apart(left, right)
            same = self._shelf.same(left, right)
            self._learn(left, right, same)
            self._join(left[same], right[same])
        self._memory.save()

    def summary(self) -> str:
        known = f", {self._known:,} of them judged by earlier runs" if self._known else ""
        return (
            f"near-duplicates: {self._found:,} candidate pairs{known}, {self._compared:,} compared on pixels, "
            f"{self._verified:,} verified"
        )

    def _join_known(self) -> None:
        """Join the pairs that a fresh comparison would: candidates, and both files still as scanned."""
        left, right = self._memory.alike()
        still = self._candidates.among(left, right)
        left, right = left[still], right[still]
        unchanged = self._shelf.unchanged(left, right)
        self._join(left[unchanged], right[unchanged])

    def _unknown(self, workers: int) -> Iterator[tuple[Positions, Positions]]:
        """Candidate pairs without an outcome. With an outcome, they are joined already or never will be."""
        for left, right in self._candidates.pairs(workers):
            known = self._memory.knows(left, right)
            self._found += len(left)
            self._known += int(known.sum())
            if not known.all():
                yield left[~known], right[~known]

    def _possible(
        self, batches: Iterator[tuple[Positions, Positions]]
    ) -> Iterator[tuple[Positions, Positions]]:
        """Pairs whose outlines leave it possible that they show the same picture."""
        for left, right in batches:
            left, right = self._apart(left, right)
            self._compared += len(left)
            possible = self._shelf.possible(left, right)
            self._learn(left[~possible], right[~possible], np.zeros(int((~possible).sum()), dtype=bool))
            yield left[possible], right[possible]

    def _apart(self, left: Positions, right: Positions) -> tuple[Positions, Positions]:
        """Pairs not within one group already: of others there is nothing to learn, and large groups have many."""
        apart = self.sets.roots(left) != self.sets.roots(right)
        return left[apart], right[apart]

    def _learn(self, left: Positions, right: Positions, same: npt.NDArray[np.bool_]) -> None:
        whole = self._shelf.whole(left) & self._shelf.whole(right)
        self._memory.learn(left[whole], right[whole], same[whole])

    def _join(self, left: Positions, right: Positions) -> None:
        self._verified += len(left)
        self.sets.join(left, right)


def _batches(blocks: Iterator[tuple[Positions, Positions]]) -> Iterator[tuple[Positions, Positions]]:
    """The same pairs in batches of `_PAIRS_AT_ONCE`, the last one smaller."""
    lefts: list[Positions] = []
    rights: list[Positions] = []
    for left, right in blocks:
        lefts.append(left)
        rights.append(right)
        if sum(map(len, lefts)) < _PAIRS_AT_ONCE:
            continue
        left, right = np.concatenate(lefts), np.concatenate(rights)
        whole = len(left) - len(left) % _PAIRS_AT_ONCE
        for start in range(0, whole, _PAIRS_AT_ONCE):
            yield left[start : start + _PAIRS_AT_ONCE], right[start : start + _PAIRS_AT_ONCE]
        lefts, rights = [left[whole:]], [right[whole:]]
    if lefts and sum(map(len, lefts)):
        yield np.concatenate(lefts), np.concatenate(rights)
