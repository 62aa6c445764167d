"""What an extraction did, and which images kept it from doing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from rakuten_assets.errors import ManifestError

_FILES_IN_A_MESSAGE = 10


@dataclass(frozen=True)
class ExtractionReport:
    """Counts of one extraction. computed + reused + deduplicated + invalid is the number of rows.

    Attributes:
        computed: images that went through the network.
        reused: rows whose image the store already had.
        deduplicated: rows whose image, byte for byte, was computed for another row of the same call.
        invalid: rows without a valid image; they are zero.
        seconds: wall time, without `waited`.
        waited: seconds that loading the engine took, with the model's conversion where that was new.
    """

    computed: int
    reused: int
    deduplicated: int
    invalid: int
    seconds: float
    waited: float = 0.0

    @property
    def images_per_second(self) -> float:
        """Computed images by wall time."""
        return self.computed / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "images_per_second": self.images_per_second}


@dataclass(frozen=True)
class UnusableImage:
    """An image that is no longer what a scan found valid, and why."""

    file: Path | UPath
    reason: str


def refuse_unusable(images: Sequence[UnusableImage]) -> None:
    """Raise a `ManifestError` that names the images, if there are any."""
    if not images:
        return
    lines = [f"{image.file}: {image.reason}" for image in images[:_FILES_IN_A_MESSAGE]]
    if len(images) > len(lines):
        lines.append(f"and {len(images) - len(lines)} more")
    raise ManifestError(
        f"{len(images)} images are not what image_scan saw; re-run image_scan for their shard, then the features "
        "(all other rows are stored and will be reused):\n" + "\n".join(lines)
    )
