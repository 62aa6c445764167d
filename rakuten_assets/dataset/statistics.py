"""Mean and standard deviation of the images' channels: exact sums of whole numbers, so that neither the order of the
images nor how they are split into shards can show in the result.

Two kinds, told apart by name, in shares of the full range (0 to 1):
- of pixels: every pixel counts the same, so large images count more;
- of images: the mean over images of each image's mean, and of each image's standard deviation, as the document computes
  it. The latter is smaller: what sets images apart does not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from rakuten_assets.errors import ManifestError, StoreError, UndecodableImageError
from rakuten_assets.images.decoding import DecodeLimits, decode_rgb
from rakuten_assets.progress import Progress

Channels = tuple[float, float, float]
Sums = tuple[int, int, int]

# Per-image figures are added in units of 2^-60: exact for every value above 2^-8, and off by 2^-61 below.
_UNIT = 1 << 60

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
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

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; the numbers are larger than 64 bits."""
        return {
            name: list(map(str, value)) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> ChannelSums:
        """What `as_dict` gave.

        Raises:
            StoreError: for anything else.
        """
        try:
            sums = {
                name: (int(stored[name][0]), int(stored[name][1]), int(stored[name][2]))
                for name in ("values", "squares", "means", "deviations")
            }
            return cls(int(stored["images"]), int(stored["pixels"]), **sums)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise StoreError(f"these are no channel sums ({error!r}); compute them again") from None


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


def sums_of_image(pixels: NDArray[np.uint8]) -> ChannelSums:
    """The sums of one image, uint8 (h, w, 3)."""
    # Compiled, and so not at start-up.
    from rakuten_assets.dataset.statistics_kernels import channel_sums

    count = pixels.shape[0] * pixels.shape[1]
    if not count:
        raise ManifestError("an image without pixels has no mean")
    found = np.zeros(6, np.int64)
    channel_sums(np.ascontiguousarray(pixels).reshape(-1), found)
    values, squares = found[:3].tolist(), found[3:].tolist()
    means = [_UNIT * total // (255 * count) for total in values]
    deviations = [
        round(_UNIT * (math.sqrt(count * square - total * total) / (255.0 * count)))
        for total, square in zip(values, squares, strict=True)
    ]
    return ChannelSums(1, count, _three(values), _three(squares), _three(means), _three(deviations))


def sums_of_files(
    files: Sequence[Path | UPath],
    limits: DecodeLimits,
    workers: int = 1,
    progress: Progress | None = None,
) -> ChannelSums:
    """The sums of image files that decode whole, in one pass; no more than one image a worker is held.

    Args:
        files: of rows that the scan found whole.
        limits: what the decoder refuses.
        workers: threads.
        progress: told of every finished file.

    Raises:
        ManifestError: for a file that is gone or damaged since the scan, naming it.
    """

    def of_part(part: Sequence[Path | UPath]) -> ChannelSums:
        total = ChannelSums()
        for file in part:
            total += sums_of_image(_decoded(file, limits))
        return total

    parts = [files[start : start + _FILES_AT_A_TIME] for start in range(0, len(files), _FILES_AT_A_TIME)]
    total = ChannelSums()
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="statistics") as pool:
        try:
            for sums in pool.map(of_part, parts):
                total += sums
                if progress is not None:
                    progress.advance(sums.images)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return total


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
        ("ImageNet", IMAGENET["mean"], IMAGENET["std"]),
        ("the document's example", DOCUMENT_EXAMPLE["mean"], DOCUMENT_EXAMPLE["std"]),
    ]
    names = ("red", "green", "blue")
    return [
        {"of": what, **{f"mean {n}": m for n, m in zip(names, mean, strict=True)},
         **{f"std {n}": s for n, s in zip(names, std, strict=True)}}
        for what, mean, std in rows
    ]  # fmt: skip


_FILES_AT_A_TIME = 32


def _decoded(file: Path | UPath, limits: DecodeLimits) -> NDArray[np.uint8]:
    try:
        with file.open("rb") as opened:
            content = opened.read(limits.max_file_bytes + 1)
        return decode_rgb(content, limits)
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
