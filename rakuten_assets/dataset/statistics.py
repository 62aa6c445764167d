"""Mean and standard deviation of the images' channels: exact sums of whole numbers, so that neither the order of the
images nor how they are split into shards can show in the result.

Two kinds, told apart by name, in shares of the full range (0 to 1):
- of pixels: every pixel counts the same, so large images count more;
- of images: the mean over images of each image's mean, and of each image's standard deviation, as the document computes
  it. The latter is smaller: what sets images apart does not count.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

from rakuten_assets.backbones import IMAGENET
from rakuten_assets.backbones.specification import Channels
from rakuten_assets.errors import ManifestError, UndecodableImageError, UnreachableError
from rakuten_assets.images.decoding import decode_rgb, read_content
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.storage.reading import ReadAhead, on_bucket
from rakuten_assets.verdicts import Verdict

Sums = tuple[int, int, int]

TABLE_COLUMNS = [
    "sha256", "pixels", "red", "green", "blue", "red_squares", "green_squares", "blue_squares",
]  # fmt: skip
"""Of what `channel_table` returns."""

# Per-image figures are added in units of 2^-60: exact for every value above 2^-8, and off by 2^-61 below.
_UNIT = 1 << 60

# A line is long enough to add fast, and so many of them stay in the cache; 2^32 / 255^2 lines would fit into 32 bits.
_PIXELS_OF_A_LINE, _LINES_AT_A_TIME = 1024, 64

DOCUMENT_EXAMPLE = {"mean": (0.91, 0.89, 0.87), "std": (0.18, 0.20, 0.22)}
"""What the project's document gives as an example for this data set, without saying how it was computed."""


@dataclass(frozen=True)
class ChannelSums:
    """What has been seen of some images: whole numbers of any size, added in any order with the same result.

    Attributes:
        images, pixels: how many.
        values: sum of the bytes by channel; squares: sum of their squares.
        means, deviations: sums of each image's mean and standard deviation by channel, in units of 2^-60.
    """

    images: int = 0
    pixels: int = 0
    values: Sums = (0, 0, 0)
    squares: Sums = (0, 0, 0)
    means: Sums = (0, 0, 0)
    deviations: Sums = (0, 0, 0)

    def __add__(self, other: ChannelSums) -> ChannelSums:
        return ChannelSums(
            self.images + other.images,
            self.pixels + other.pixels,
            *(
                _plus(getattr(self, name), getattr(other, name))
                for name in ("values", "squares", "means", "deviations")
            ),
        )


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation (population) by channel: red, green, blue, 0 to 1.

    Attributes:
        images, pixels: how many they are of.
        pixel_mean, pixel_std: of all pixels pooled.
        image_mean, image_std: means over images of each image's mean and standard deviation (the document's).
    """

    images: int
    pixels: int
    pixel_mean: Channels
    pixel_std: Channels
    image_mean: Channels
    image_std: Channels


def channel_table(
    files: Sequence[Path | UPath],
    sha256: Sequence[str],
    limits: DecodeLimits,
    workers: int = 1,
    known: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """What each image adds to the statistics, in one pass over files that decode whole.

    Args:
        files: of rows that the scan found whole.
        sha256: of each file as it was scanned, hexadecimal.
        limits: what the decoder refuses.
        workers: threads; each holds one image at a time.
        known: an earlier table. An image of the same bytes is not decoded again.
        progress: told of every finished file.

    Returns:
        One row a file, in order: sha256, then whole numbers: pixels, the sums of red, green and blue, and of their
        squares.

    Raises:
        ManifestError: for a file that is gone, changed or damaged since the scan, naming it.
    """
    rows: dict[str, tuple[int, ...]] = {}
    if known is not None and set(TABLE_COLUMNS) <= set(known.columns):
        found = known[TABLE_COLUMNS].itertuples(index=False, name=None)
        rows = {digest: tuple(numbers) for digest, *numbers in found}
    wanted = {digest: file for digest, file in zip(sha256, files, strict=True) if digest not in rows}
    if progress is not None:
        progress.advance(len(files) - len(wanted))

    def read(wanted_file: tuple[str, Path | UPath]) -> bytes:
        digest, file = wanted_file
        return read_content(file, limits, digest)

    with (
        ReadAhead(list(wanted.items()), read, on_bucket(files)) as contents,
        ThreadPoolExecutor(max(1, workers), thread_name_prefix="statistics") as pool,
    ):

        def sums(place: int, digest: str, file: Path | UPath) -> tuple[int, ...]:
            return _sums_of_file(file, digest, partial(contents.get, place), limits)

        try:
            work = pool.map(sums, itertools.count(), wanted.keys(), wanted.values())
            for digest, numbers in zip(wanted, work, strict=True):
                rows[digest] = numbers
                if progress is not None:
                    progress.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    table = pd.DataFrame([rows[digest] for digest in sha256], columns=TABLE_COLUMNS[1:], dtype="int64")
    table.insert(0, "sha256", pd.Series(sha256, dtype="str"))
    return table


def sums_of_table(table: pd.DataFrame) -> ChannelSums:
    """The sums of all rows of a table as from `channel_table`."""
    total = ChannelSums()
    for numbers in table[TABLE_COLUMNS[1:]].itertuples(index=False, name=None):
        total += _sums_of_numbers(tuple(map(int, numbers)))
    return total


def sums_of_image(pixels: NDArray[np.uint8]) -> ChannelSums:
    """The sums of one image, uint8 (h, w, 3)."""
    return _sums_of_numbers(_numbers(pixels))


def statistics_of(sums: ChannelSums) -> ChannelStatistics:
    """The statistics of what was summed, each rounded once.

    Raises:
        ManifestError: of no image.
    """
    if not sums.images:
        raise ManifestError("no image decodes whole, so there is no mean; look at the reasons in image_scan")
    count = sums.pixels
    return ChannelStatistics(
        images=sums.images,
        pixels=count,
        pixel_mean=_channels(total / (255 * count) for total in sums.values),
        pixel_std=_channels(
            _root(count * square - total * total) / (255 * count)
            for total, square in zip(sums.values, sums.squares, strict=True)
        ),
        image_mean=_channels(total / (_UNIT * sums.images) for total in sums.means),
        image_std=_channels(total / (_UNIT * sums.images) for total in sums.deviations),
    )


def comparison(statistics: ChannelStatistics) -> list[dict[str, Any]]:
    """The statistics beside ImageNet's and the document's example: a row each, for a table."""
    rows = [
        ("these images, all pixels", statistics.pixel_mean, statistics.pixel_std),
        ("these images, mean over images", statistics.image_mean, statistics.image_std),
        ("ImageNet", IMAGENET.mean, IMAGENET.std),
        ("the document's example", DOCUMENT_EXAMPLE["mean"], DOCUMENT_EXAMPLE["std"]),
    ]
    names = ("red", "green", "blue")
    return [
        {"of": what, **{f"mean {n}": m for n, m in zip(names, mean, strict=True)},
         **{f"std {n}": s for n, s in zip(names, std, strict=True)}}
        for what, mean, std in rows
    ]  # fmt: skip


def table_covers(table: pd.DataFrame, sha256: Sequence[str]) -> Verdict:
    """Whether a table holds one row for each of these images, in order."""
    holds = table["sha256"].tolist() == list(sha256) and bool((table["pixels"] > 0).all())
    return Verdict(
        "one_row_a_whole_image",
        holds,
        f"{len(table):,} rows for {len(sha256):,} train images that decode whole",
    )


def statistics_plausible(statistics: ChannelStatistics, images: int) -> Verdict:
    """Whether statistics are of so many images, and no channel is constant: one could not divide by its deviation."""
    constant = min(statistics.pixel_std) <= 0
    said = f"of {statistics.images:,} images, {images:,} expected"
    return Verdict(
        "statistics_cover_the_rows",
        statistics.images == images and not constant,
        f"{said}; a channel is constant" if constant else said,
    )


def _numbers(pixels: NDArray[np.uint8]) -> tuple[int, ...]:
    """Pixels, sums and sums of squares, in the order of the table."""
    values = np.ascontiguousarray(pixels).reshape(-1)
    values_of_a_line = 3 * _PIXELS_OF_A_LINE
    whole = values.size // values_of_a_line * values_of_a_line
    found = np.zeros((2, 3), np.int64)
    # Lines are added to one another, which NumPy does with vector instructions; three columns it would add one by one.
    for first in range(0, whole, _LINES_AT_A_TIME * values_of_a_line):
        lines = values[first : min(first + _LINES_AT_A_TIME * values_of_a_line, whole)]
        found += _power_sums(lines.reshape(-1, values_of_a_line))
    found += _power_sums(values[whole:].reshape(-1, 3))
    return (pixels.shape[0] * pixels.shape[1], *found.ravel().tolist())


def _power_sums(lines: NDArray[np.uint8]) -> NDArray[np.int64]:
    """int64 (2, 3): sums of the channels, and of their squares, over lines uint8 (at most 65536, 3n) of pixels."""
    numbers = lines.astype(np.uint32)
    sums = numbers.sum(axis=0, dtype=np.uint32)
    numbers *= numbers
    squares = numbers.sum(axis=0, dtype=np.uint32)
    return np.stack([one.reshape(-1, 3).sum(axis=0, dtype=np.int64) for one in (sums, squares)])


def _sums_of_numbers(numbers: tuple[int, ...]) -> ChannelSums:
    count, values, squares = numbers[0], _three(numbers[1:4]), _three(numbers[4:])
    if count < 1:
        raise ManifestError("an image without pixels has no mean")
    means = [_UNIT * total // (255 * count) for total in values]
    deviations = [
        round(_UNIT * (math.sqrt(count * square - total * total) / (255.0 * count)))
        for total, square in zip(values, squares, strict=True)
    ]
    return ChannelSums(1, count, values, squares, _three(means), _three(deviations))


def _sums_of_file(
    file: Path | UPath, sha256: str, content_of: Callable[[], bytes], limits: DecodeLimits
) -> tuple[int, ...]:
    try:
        content = content_of()
        if sha256_of_bytes(content) != sha256:
            raise ManifestError(f"{file} has changed since the scan; scan the images again")
        return _numbers(decode_rgb(content, limits))
    except UnreachableError:  # That says nothing of the image.
        raise
    except (OSError, UndecodableImageError) as error:
        said = getattr(error, "strerror", None) or error
        raise ManifestError(
            f"{file} cannot be used: {said}; the scan found it whole. Put the file back, or scan the images again"
        ) from None


def _root(square: int) -> float:
    """The square root of a whole number of any size, to the last bit or nearly."""
    shift = max(0, square.bit_length() - 106) // 2 * 2
    return math.sqrt(square >> shift) * 2.0 ** (shift // 2)


def _channels(values: Iterable[float]) -> Channels:
    red, green, blue = values
    return red, green, blue


def _three(values: Sequence[int]) -> Sums:
    red, green, blue = values
    return red, green, blue


def _plus(first: Sums, second: Sums) -> Sums:
    return _three([a + b for a, b in zip(first, second, strict=True)])
