"""A feature map as one HTML page: points on a canvas, their pictures on hover. No network: all of it is in the file.

The one script of the page is named by its hash in the page's policy, so that no text that comes from a table could
run; the points are data (JSON), in which no character opens or closes a tag.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from upath import UPath

from rakuten_assets.dataset.labels import class_text
from rakuten_assets.evaluation.feature_map.contents import FeatureMap, headline
from rakuten_assets.evaluation.feature_map.points import ALONE, BOTH_SPLITS, ONE_CLASS, SEVERAL_CLASSES
from rakuten_assets.evaluation.feature_map.sprites import SIDE, SpriteSheets
from rakuten_assets.pages.template import render_page
from rakuten_assets.storage.files import write_bytes

_SPAN = 65_535  # Places are whole numbers: a sixteenth of a pixel on the largest screen.
_DUPLICATES = (ALONE, ONE_CLASS, SEVERAL_CLASSES, BOTH_SPLITS)


def map_html(found: FeatureMap, sprites: SpriteSheets) -> str:
    """The page; the same map and pictures give the same text.

    Args:
        sprites: a picture for each point, in the points' order.
    """
    script = files(__package__).joinpath("map.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return render_page(
        __package__,
        "map.html",
        title=f"Feature map: {found.extractor}",
        headline=headline(found),
        weights_note=found.weights_note,
        points=Markup(script_json(_document(found.points, sprites))),
        count=len(found.points),
        seed=found.seed,
        sheets=sprites.addresses(),
        look=Markup(files(__package__).joinpath("map.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def write_page(found: FeatureMap, sprites: SpriteSheets, file: Path | UPath) -> int:
    """Write the page, atomically; returns its size in bytes."""
    content = map_html(found, sprites).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, content)
    return len(content)


def script_json(document: Any) -> str:
    """JSON that may stand in a `script` element whatever its texts hold.

    >>> script_json("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _document(points: pd.DataFrame, sprites: SpriteSheets) -> dict[str, Any]:
    """What the script reads: columns as lists, classes and groups by number, -1 for none."""
    codes = sorted({int(code) for name in ("code", "predicted") for code in points[name].dropna()})
    place = {code: at for at, code in enumerate(codes)}
    x, y = _whole(points)
    several = points["group_rows"].to_numpy() > 1
    numbers, groups = pd.factorize(points["group"].where(pd.Series(several, index=points.index)))
    return {
        "x": x,
        "y": y,
        "test": points["split"].eq("test").astype(int).tolist(),
        "row": points["row"].tolist(),
        "image": points["image_id"].astype(str).tolist(),
        "product": points["product_id"].astype(str).tolist(),
        "label": [-1 if pd.isna(code) else place[int(code)] for code in points["code"]],
        "predicted": [-1 if pd.isna(code) else place[int(code)] for code in points["predicted"]],
        "confidence": [-1 if pd.isna(one) else round(100 * float(one)) for one in points["probability"]],
        "group": numbers.tolist(),
        "duplicates": [_DUPLICATES.index(kind) for kind in points["duplicates"]],
        "groups": [str(name) for name in groups],
        "groupRows": points["group_rows"].tolist(),
        "pictured": sprites.pictured.astype(int).tolist(),
        "classes": [class_text(code) for code in codes],
        "side": SIDE,
        "columns": sprites.columns,
        "perSheet": sprites.per_sheet,
    }


def _whole(points: pd.DataFrame) -> tuple[list[int], list[int]]:
    """Places as whole numbers from 0, the longer side at most `_SPAN`, y upwards."""
    places = points[["x", "y"]].to_numpy(dtype=np.float64)
    if not len(places):
        return [], []
    least = places.min(axis=0)
    span = float((places.max(axis=0) - least).max()) or 1.0
    whole = np.rint((places - least) / span * _SPAN).astype(np.int64)
    return whole[:, 0].tolist(), whole[:, 1].tolist()
