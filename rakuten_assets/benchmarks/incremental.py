"""What a re-run costs, against the share of images whose content changed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from rakuten_assets.benchmarks.graph import Workplace

COLUMNS = {
    "name": "",
    "changed": "images changed",
    "seconds": "seconds",
    "share_of_first": "share of first run",
    "peak_rss_mb": "peak MB",
}


def measure(workplace: Workplace, shares: Sequence[float]) -> list[dict[str, Any]]:
    """Run the graph once, then again after changing each share of the train images in turn.

    The catalogue of `workplace` is changed: a changed image is the old one turned by 180 degrees.

    Returns:
        One row a run: name, changed, seconds, share_of_first, peak_rss_mb.
    """
    images = sorted((workplace.catalog / "images" / "image_train").iterdir())
    first = workplace.materialize()
    rows = [{"name": "first run", "changed": len(images), "seconds": first.seconds, "share_of_first": 1.0}]
    rows[0]["peak_rss_mb"] = first.peak_mb
    for share in shares:
        changed = turn_images(images, share)
        run = workplace.materialize()
        rows.append(
            {
                "name": f"re-run, {share:.0%} changed",
                "changed": changed,
                "seconds": run.seconds,
                "share_of_first": run.seconds / first.seconds,
                "peak_rss_mb": run.peak_mb,
            }
        )
    return rows


def turn_images(images: Sequence[Path], share: float) -> int:
    """Turn an evenly spread share of the images that decode; return how many were turned."""
    wanted = round(len(images) * share)
    turned = 0
    for path in images[:: max(1, len(images) // wanted)] if wanted else ():
        if turned == wanted:
            break
        try:
            with Image.open(path) as image:
                other_side_up = image.convert("RGB").transpose(Image.Transpose.ROTATE_180)
        except (OSError, Image.DecompressionBombError):  # one of the catalogue's injected faults
            continue
        encoded = io.BytesIO()
        other_side_up.save(encoded, "JPEG", quality=80, progressive=True, subsampling="4:2:0")
        path.write_bytes(encoded.getvalue())
        turned += 1
    return turned
