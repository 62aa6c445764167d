"""Which products a gallery shows: a typical one of the lightest class and of the darkest."""

from __future__ import annotations

import pandas as pd

from rakuten_assets.dataset.labels import class_text
from rakuten_assets.errors import AugmentationError
from rakuten_assets.images.reasons import Status


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
