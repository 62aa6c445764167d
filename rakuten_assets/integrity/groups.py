"""Groups of duplicates at three levels, each coarser than the one before.

| level | same group when |
|---|---|
| exact | the files are equal to the byte |
| pixel | the decoded pixels are equal |
| near | a chain of verified pairs shows the same picture: saved again, brightened or cropped a little |

Every row has a group at every level; a row without duplicates is a group of its own. A group's id is the beginning
of its smallest sha256, so it depends on which files there are and not on their order, their names or the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.files import sha256_of_bytes
from rakuten_assets.integrity.candidates import DEFAULT_DISTANCE, Positions, candidate_pairs
from rakuten_assets.integrity.shelf import PictureShelf

LEVELS = ("exact", "pixel", "near")
GROUP_COLUMNS = ("exact_group", "pixel_group", "near_group", "exact_size", "pixel_size", "near_size")
IDENTITY_COLUMNS = ("split", "row", "index", "image_id", "product_id", "file", "code")

_ID_LENGTH = 16  # 64 bits of a sha256: among 100,000 files two ids are alike once in four billion catalogues
_PAIRS_AT_ONCE = 2048


def duplicate_groups(
    images: pd.DataFrame,
    paths: Sequence[Path | UPath],
    *,
    distance: int = DEFAULT_DISTANCE,
    workers: int = 1,
    log: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Group the images of a scan.

    Candidates for near-duplicates are read again and compared on pixels; a file that changed since the scan takes
    part at the exact and pixel level only.

    Args:
        images: one row an image: `file` (unique name) and the columns of the scan; those of `IDENTITY_COLUMNS`
            that are there are carried over.
        paths: each row's file.
        distance: most bits by which perceptual hashes of near-duplicates may differ, 0 to 64.
        workers: number of threads.
        log: told of candidates and results in a sentence.

    Returns:
        One row an image, in the same order and with the same index: identity columns, exact_group, pixel_group,
        near_group (str), exact_size, pixel_size, near_size (int64, rows of the group).
    """
    if len(paths) != len(images):
        raise ValueError(f"{len(images)} images come with {len(paths)} paths; give one path an image")
    tokens = _tokens(images)
    exact, _ = pd.factorize(tokens)
    decoded = images["pixel_sha256"].to_numpy(dtype=object)
    pixel, _ = pd.factorize(np.where(decoded == "", tokens, decoded))
    near = _near_groups(images, paths, tokens, pixel.astype(np.int64), distance, workers, log)
    result = images[[name for name in IDENTITY_COLUMNS if name in images]].copy()
    for level, groups in zip(LEVELS, (exact, pixel, near), strict=True):
        result[f"{level}_group"] = pd.Series(_ids(groups, tokens), index=images.index, dtype="str")
    for level, groups in zip(LEVELS, (exact, pixel, near), strict=True):
        result[f"{level}_size"] = np.bincount(groups, minlength=1)[groups].astype(np.int64)
    return result


def _tokens(images: pd.DataFrame) -> npt.NDArray[np.object_]:
    """What a row is at the exact level: its file's sha256; of a file without bytes, something of its own."""
    tokens: npt.NDArray[np.object_] = images["sha256"].to_numpy(dtype=object).copy()
    for position in np.flatnonzero(tokens == ""):
        tokens[position] = sha256_of_bytes(f"no bytes: {images['file'].iloc[position]}".encode())
    return tokens


def _ids(groups: npt.NDArray[np.int64], tokens: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    order = np.lexsort((tokens.astype(str), groups))
    first = np.unique(groups[order], return_index=True)[1]
    smallest = tokens[order[first]]
    return np.array([token[:_ID_LENGTH] for token in smallest], dtype=object)[groups]


def _near_groups(
    images: pd.DataFrame,
    paths: Sequence[Path | UPath],
    tokens: npt.NDArray[np.object_],
    pixel: npt.NDArray[np.int64],
    distance: int,
    workers: int,
    log: Callable[[str], None] | None,
) -> npt.NDArray[np.int64]:
    """Number of the near group of each row: pixel groups, joined where their representatives are verified."""
    comparable = (images["status"] == "ok") & ~images["blank"] & ~images["near_blank"]
    # Whichever row stands for a pixel group gives the same pixels; the smallest sha256 makes it the same row too.
    order = np.lexsort((tokens.astype(str), pixel))
    chosen = order[np.unique(pixel[order], return_index=True)[1]]
    chosen = chosen[comparable.to_numpy()[chosen]]
    scanned = images.iloc[chosen]
    files = [paths[position] for position in chosen]
    forest = _Forest(len(chosen))
    verified = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        pictures = PictureShelf(files, scanned["sha256"].tolist(), scanned["format"].tolist(), pool)
        pairs = _batches(candidate_pairs(scanned, distance, workers))
        for left, right in _batches(pictures.possible(left, right) for left, right in pairs):
            # Within one group already: nothing new to learn, and large groups have very many pairs.
            apart = forest.roots(left) != forest.roots(right)
            left, right = left[apart], right[apart]
            same = pictures.same(left, right)
            forest.join(left[same], right[same])
            verified += int(same.sum())
    if log is not None:
        log(
            f"near-duplicates: {pictures.pairs_seen:,} candidate pairs compared on pixels, {verified:,} verified"
        )
    # Two pixel groups share a near group where their representatives share a tree.
    joined = np.arange(int(pixel.max()) + 1 if len(pixel) else 0)
    joined[pixel[chosen]] = pixel[chosen][forest.roots(np.arange(len(chosen)))]
    near, _ = pd.factorize(joined[pixel])
    return near.astype(np.int64)


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


class _Forest:
    """Disjoint sets of 0..n-1 (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def roots(self, members: Positions) -> Positions:
        roots = self._parent[members]
        while True:
            above = self._parent[roots]
            if np.array_equal(above, roots):
                self._parent[members] = roots
                return roots
            roots = above

    def join(self, left: Positions, right: Positions) -> None:
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            low, high = sorted((int(self.roots(np.array([one]))[0]), int(self.roots(np.array([other]))[0])))
            self._parent[high] = low
