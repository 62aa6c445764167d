"""Which products a gallery shows: a typical one of the lightest class and of the darkest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from upath import UPath

from rakuten_assets.augmentation.gallery import Example
from rakuten_assets.dataset.labels import class_text
from rakuten_assets.errors import AugmentationError, ManifestError, UndecodableImageError, UnreachableError
from rakuten_assets.images.decoding import decode_rgb, read_content
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.images.reasons import Status
from rakuten_assets.storage.files import sha256_of_bytes


def typical_products(images: pd.DataFrame) -> list[tuple[str, str]]:
    """Choose without chance.

    Args:
        images: manifest rows with their scan: split, file, code, status, brightness, near_blank.

    Returns:
        File and caption of a product of the class whose median brightness is highest, then of the lowest; in each the
        one nearest to its class's median. One product, where there is but one class.

    Raises:
        AugmentationError: if no train image with a label decodes whole.
    """
    usable = images[
        (images["split"] == "train")
        & (images["status"] == Status.OK)
        & ~images["near_blank"].astype(bool)
        & images["code"].notna()
    ]
    if usable.empty:
        raise AugmentationError("no labelled train image decodes whole; look at the reasons in image_scan")
    medians = usable.groupby("code")["brightness"].median().sort_index()
    codes = medians.index.to_numpy(dtype="int64")
    chosen = dict.fromkeys((int(codes[medians.argmax()]), int(codes[medians.argmin()])))
    products = []
    for code, kind in zip(chosen, ("light", "dark"), strict=False):
        rows = usable[usable["code"] == code].sort_values("file")
        distance = (rows["brightness"] - medians[code]).abs()
        products.append((str(rows.loc[distance.idxmin(), "file"]), f"{kind}: {class_text(code)}"))
    return products


def read_examples(
    files: Sequence[Path | UPath],
    captions: Sequence[str],
    limits: DecodeLimits,
    sha256: Sequence[str] | None = None,
) -> list[Example]:
    """Pictures of files that the scan found whole, with their captions.

    Args:
        sha256: of each file when it was scanned; None: any content will do.

    Raises:
        ManifestError: for a file that is gone, changed or damaged since, naming it.
        UnreachableError: where a bucket did not answer.
    """
    examples = []
    for place, (file, caption) in enumerate(zip(files, captions, strict=True)):
        try:
            content = read_content(file, limits, "" if sha256 is None else sha256[place])
            if sha256 is not None and sha256_of_bytes(content) != sha256[place]:
                raise OSError("it has changed")
            pixels = decode_rgb(content, limits)
        except UnreachableError:
            raise
        except (OSError, UndecodableImageError) as error:
            said = getattr(error, "strerror", None) or error
            raise ManifestError(
                f"{file} cannot be drawn: {said}; the scan found it whole. Put the file back, or scan the images again"
            ) from None
        examples.append(Example(caption, pixels))
    return examples
