"""The train images that a quantised model is calibrated on, and others that its fidelity is measured on.

Which ones is a matter of their names and a seed alone: not of the order of the folder, and hardly of its other images.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from upath import UPath

from rakuten_assets.errors import EngineError, UndecodableImageError, UnreachableError
from rakuten_assets.extraction.images import ImageReader
from rakuten_assets.images.decoding import read_content
from rakuten_assets.storage.files import is_local, sha256_of_json
from rakuten_assets.storage.reading import bucket_files

CALIBRATION, HELD_OUT = 300, 64
FEWEST = 12
_SEED = 42


@dataclass(frozen=True)
class CalibrationImages:
    """Images as the network takes them.

    Attributes:
        file: .npy, uint8 (at least `calibration + held_out`, side, side, 3).
        calibration, held_out: how many of the first are for calibration, how many after them for measuring.
        sha256: digest of the images' own digests, in their order.
    """

    file: Path
    calibration: int
    held_out: int
    sha256: str


def draw_calibration_images(folder: Path | UPath, reader: ImageReader, target: Path) -> CalibrationImages:
    """Prepare the distinct images of a folder that come first by the digest of (seed, name), as for extraction.

    Of fewer than `CALIBRATION + HELD_OUT`, one in five is held out. An image that does not decode is passed over.

    Args:
        target: the .npy file to write.

    Raises:
        EngineError: there are fewer than `FEWEST`.
    """
    side, wanted = reader.preprocessing.side, CALIBRATION + HELD_OUT
    names = sorted(_names(folder), key=lambda name: hashlib.sha256(f"{_SEED}:{name}".encode()).digest())
    images = np.lib.format.open_memmap(target, "w+", np.uint8, (min(wanted, len(names)), side, side, 3))
    digests: dict[str, None] = {}
    for name in names:
        try:
            content = read_content(folder / name, reader.limits)
            digest = hashlib.sha256(content).hexdigest()
            if digest in digests:
                continue
            images[len(digests)] = reader.read_single(content)
        except UnreachableError:  # Others in its place would be another model.
            raise
        except (OSError, UndecodableImageError):
            continue  # The scan says which, and why.
        digests[digest] = None
        if len(digests) == wanted:
            break
    images.flush()
    found = len(digests)
    if found < FEWEST:
        raise EngineError(
            f"RAKUTEN_PRECISION=int8 is calibrated on at least {FEWEST} different train images, and {folder} holds "
            f"{found} that decode; set RAKUTEN_PRECISION=f32, or RAKUTEN_DATA_DIR to the whole catalogue"
        )
    held_out = min(HELD_OUT, found // 5)
    return CalibrationImages(target, found - held_out, held_out, sha256_of_json(list(digests)))


def _names(folder: Path | UPath) -> list[str]:
    return [path.name for path in folder.iterdir()] if is_local(folder) else list(bucket_files(folder))
