"""How fast rows were computed, recorded beside them, so that a run that computes nothing still knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.store import ABOUT_FILE
from rakuten_assets.storage.records import read_record
from rakuten_assets.units import counted, human_count, human_duration

ROWS_OF_A_MEASUREMENT = 200
"""Fewer say more of starting up than of the extractor."""


@dataclass(frozen=True)
class Speed:
    """What one run took to compute rows: from files, through decoding, resizing and the network, to stored rows.

    Attributes:
        images: how many, at least `ROWS_OF_A_MEASUREMENT`.
        seconds: wall time, without loading the engine.
        threads: that worked.
        device: the processor's name, or the GPU's.
    """

    images: int
    seconds: float
    threads: int
    device: str

    @property
    def images_per_second(self) -> float:
        """Computed images by wall time."""
        return self.images / self.seconds

    @property
    def machine(self) -> str:
        """What it was measured on, in words; of another machine a speed says nothing here."""
        return f"{self.device}, {counted(self.threads, 'thread')}"

    def replaces(self, known: Speed | None) -> bool:
        """Whether this says more than what is known: of the same device and threads, the run of more images does."""
        if known is None or (self.threads, self.device) != (known.threads, known.device):
            return True
        return self.images >= known.images

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; `recorded_speed` reads it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{human_count(self.images)} images in {human_duration(self.seconds)} on {self.machine}"


def recorded_speed(root: UPath, digest: str) -> Speed | None:
    """The speed that is recorded in a storage beside the rows of a fingerprint; None where none is, or none whole.

    Args:
        root: of the storage.
        digest: of the fingerprint.
    """
    try:
        return speed_of(read_record(root / "cache" / "rows" / digest / ABOUT_FILE))
    except (OSError, StoreError):
        return None


def speed_of(about: Mapping[str, Any]) -> Speed | None:
    """The speed in a record about rows; None where it has none."""
    recorded = about.get("speed")
    if not isinstance(recorded, Mapping):
        return None
    try:
        speed = Speed(
            int(recorded["images"]),
            float(recorded["seconds"]),
            int(recorded["threads"]),
            str(recorded["device"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return speed if speed.images > 0 and speed.seconds > 0 else None
