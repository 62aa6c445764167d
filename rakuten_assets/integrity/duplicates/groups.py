"""Groups of duplicates at three levels, each coarser than the one before.

| level | same group when |
|---|---|
| exact | the files are equal to the byte, and decode whole |
| pixel | the decoded pixels are equal |
| near | a chain of verified pairs shows the same picture: saved again, brightened or cropped a little |

Every row has a group at every level; a row without duplicates is a group of its own, and so is one that holds no
picture: equal error pages are no equal pictures. A group's id is the beginning
of its smallest sha256, so it depends on which files there are and not on their order, their names or the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.integrity.duplicates.candidates import CANDIDATE_COLUMNS, DEFAULT_DISTANCE
from rakuten_assets.integrity.duplicates.near_duplicates import Positions
from rakuten_assets.integrity.duplicates.near_groups import joined_images
from rakuten_assets.storage.files import sha256_of_bytes

LEVELS = ("exact", "pixel", "near")
GROUP_COLUMNS = ("exact_group", "pixel_group", "near_group", "exact_size", "pixel_size", "near_size")
IDENTITY_COLUMNS = ("split", "row", "index", "image_id", "product_id", "file", "code")

_ID_LENGTH = 16  # 64 bits of a sha256: among 100,000 files two ids are alike once in four billion catalogues


def duplicate_groups(
    images: pd.DataFrame,
    paths: Sequence[Path | UPath],
    *,
    distance: int = DEFAULT_DISTANCE,
    workers: int = 1,
    memory: Path | UPath | None = None,
    log: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Group the images of a scan.

    Candidates for near-duplicates are read again and compared on pixels, unless the memory knows the outcome; a file
    that changed since the scan takes part at the exact and pixel level only.

    Args:
        images: one row an image: `file` (unique name) and the columns of the scan; those of `IDENTITY_COLUMNS`
            that are there are carried over.
        paths: each row's file.
        distance: most bits by which perceptual hashes of near-duplicates may differ, 0 to 64.
        workers: number of threads.
        memory: folder in which outcomes on pairs are kept, so that the next run compares on pixels only what is new.
            It changes no result. Without it nothing is kept.
        log: told of candidates and results in a sentence.

    Returns:
        One row an image, in the same order and with the same index: identity columns, exact_group, pixel_group,
        near_group (str), exact_size, pixel_size, near_size (int64, rows of the group).
    """
    if len(paths) != len(images):
        raise ValueError(f"{len(images)} images come with {len(paths)} paths; give one path an image")
    tokens = _tokens(images)
    ascending = np.argsort(tokens.astype(bytes), kind="stable")
    exact, _ = pd.factorize(tokens)
    decoded = images["pixel_sha256"].to_numpy(dtype=object)
    pixel, _ = pd.factorize(np.where(decoded == "", tokens, decoded))
    near = _near_groups(
        images, paths, pixel, ascending, distance=distance, workers=workers, memory=memory, log=log
    )
    result = images[[name for name in IDENTITY_COLUMNS if name in images]].copy()
    ids = np.array([token[:_ID_LENGTH] for token in tokens], dtype=object)
    for level, groups in zip(LEVELS, (exact, pixel, near), strict=True):
        smallest = ids[_representatives(groups, ascending)]
        result[f"{level}_group"] = pd.Series(smallest[groups], index=images.index, dtype="str")
    for level, groups in zip(LEVELS, (exact, pixel, near), strict=True):
        result[f"{level}_size"] = np.bincount(groups, minlength=1)[groups].astype(np.int64)
    return result


def _tokens(images: pd.DataFrame) -> npt.NDArray[np.object_]:
    """What a row is at the exact level: its file's sha256; of a file without a picture, something of its own."""
    tokens: npt.NDArray[np.object_] = images["sha256"].to_numpy(dtype=object).copy()
    for position in np.flatnonzero(images["status"].to_numpy(dtype=object) != "ok"):
        tokens[position] = sha256_of_bytes(f"no picture: {images['file'].iloc[position]}".encode())
    return tokens


def _representatives(groups: Positions, ascending: Positions) -> Positions:
    """Position of the member with the smallest token of each group 0..g-1; `ascending`: positions by token."""
    return ascending[np.unique(groups[ascending], return_index=True)[1]]


def _near_groups(
    images: pd.DataFrame,
    paths: Sequence[Path | UPath],
    pixel: Positions,
    ascending: Positions,
    **options: Any,
) -> Positions:
    """Number of the near group of each row: pixel groups, joined where their representatives are verified."""
    comparable = (images["status"] == "ok") & ~images["blank"] & ~images["near_blank"]
    # Whichever row stands for a pixel group gives the same pixels; the smallest sha256 makes it the same row too.
    chosen = _representatives(pixel, ascending)
    chosen = chosen[comparable.to_numpy(dtype=bool)[chosen]]
    scanned = images[["sha256", "format", *CANDIDATE_COLUMNS]].iloc[chosen]
    roots = joined_images(scanned, lambda at: paths[chosen[at]], **options)
    # Two pixel groups share a near group where their representatives do.
    joined = np.arange(int(pixel.max()) + 1 if len(pixel) else 0)
    joined[pixel[chosen]] = pixel[chosen][roots]
    near, _ = pd.factorize(joined[pixel])
    return near.astype(np.int64)
