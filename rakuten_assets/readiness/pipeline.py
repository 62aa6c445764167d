"""Boxes about an extractor's way from picture to vector: transforms, normalisation, the features themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rakuten_assets.backbones import Normalisation, find_backbone
from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets.extraction.fingerprint import differences
from rakuten_assets.extraction.metadata import weights_sha256
from rakuten_assets.extraction.preprocessing import (
    Preprocessing,
    ResizeShorterSide,
    normalisation_from_dict,
    preprocess,
)
from rakuten_assets.images.borders import WHITE_THRESHOLD
from rakuten_assets.readiness.answers import Finding
from rakuten_assets.readiness.stored import Stored
from rakuten_assets.units import human_count

Pixels = npt.NDArray[np.uint8]
Transform = Callable[[Pixels, Preprocessing], Pixels]

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_TRIED_SIZES = ((500, 500), (640, 211), (97, 301))


def transforms_tested(stored: Stored, extractor: str, transform: Transform = preprocess) -> Finding:
    """The recorded transform, run here and now on drawn pictures, gives the bytes that Pillow gives."""
    recorded = _recorded(stored, extractor)
    try:
        chosen = Preprocessing.from_dict(recorded)
    except (KeyError, TypeError, ValueError, RakutenAssetsError) as error:
        return Finding(False, f"the recorded transform is none of this release's ({error}); extract again")
    for width, height in _TRIED_SIZES:
        picture = _drawn(width, height)
        if not np.array_equal(transform(picture, chosen), _by_pillow(picture, chosen)):
            return Finding(
                False,
                f"on a picture of {width}x{height} pixels the transform gives other bytes than Pillow; features made "
                "now would differ",
            )
    return Finding(
        True,
        f"{_in_words(chosen)}: tried just now on {len(_TRIED_SIZES)} drawn pictures, the bytes are Pillow's",
    )


def normalisation_right(stored: Stored, extractor: str) -> Finding:
    """Features were made with the normalisation that the backbone was trained with."""
    name = str(stored.features(extractor, "train").fingerprint["backbone"])
    try:
        expected = find_backbone(name).normalisation
    except RakutenAssetsError as error:
        return Finding(False, f"the backbone's own normalisation is not known here: {error}")
    try:
        used = normalisation_from_dict(_recorded(stored, extractor)["normalisation"])
    except (KeyError, TypeError, ValueError, RakutenAssetsError) as error:
        return Finding(False, f"no normalisation is recorded ({error}); extract again")
    if not isinstance(used, Normalisation):
        return Finding(
            False, f"{used.name}: each image by its own mean and deviation; {name} was not trained so"
        )
    figures = f"mean {_three(used.mean)}, std {_three(used.std)}, of values divided by {used.scale:g}"
    if used.arithmetic != expected.arithmetic:
        return Finding(
            False, f"{figures}; {name} wants mean {_three(expected.mean)}, std {_three(expected.std)}"
        )
    return Finding(True, f"{expected.name}, as {name} was trained with: {figures}")


def features_validated(stored: Stored, extractor: str) -> Finding:
    """Rows are the manifest's, zero where the mask says so, of one extractor, and a head on them beats the majority."""
    manifest = stored.table("image_manifest")
    for split in SPLITS:
        matrix, content = stored.features(extractor, split), stored.content(extractor, split)
        rows = manifest[manifest["split"] == split]
        mask = np.asarray(stored.array(f"{split}_valid"))
        if not np.array_equal(matrix.rows["image_id"], rows["image_id"]):
            return Finding(False, f"the {split} rows are not those of the manifest; extract again")
        if not np.array_equal(matrix.valid, mask) or not np.array_equal(content.zero, ~mask):
            return Finding(False, f"the {split} rows that are zero are not those that the mask leaves out")
    train, test = (stored.features(extractor, split).fingerprint for split in SPLITS)
    if different := differences(train, test):
        return Finding(False, f"train and test are of different extractors: {different[0]}")
    if weights_sha256(train) is None:
        return Finding(
            False, "the weights are seeded (random): the vectors mean nothing; choose pretrained ones"
        )
    report = stored.document(f"{extractor}/validation_report")["evaluations"]["grouped"]
    score, baseline = report["scores"]["weighted_f1"], report["majority_baseline"]["weighted_f1"]
    told = (
        f"a head on them has a weighted F1 of {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f}) without "
        f"leakage; always the largest class: {baseline:.3f}"
    )
    if not score["low"] > baseline:
        return Finding(False, told)
    total = sum(len(stored.features(extractor, split).rows) for split in SPLITS)
    return Finding(True, f"{human_count(total)} rows as in the manifest, zero where the mask says so; {told}")


def _recorded(stored: Stored, extractor: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = stored.features(extractor, "train").fingerprint["preprocessing"]
    return found


def _drawn(width: int, height: int) -> Pixels:
    """A picture with edges, ramps and noise: what resizing can get wrong."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 64, (height, width))
    planes = [(x * 255 // width), (y * 255 // height), ((x // 7 + y // 5) % 2 * 190 + noise)]
    picture = np.stack(planes, axis=2).astype(np.uint8)
    # In a white frame, which a crop of the border takes away.
    picture[: height // 8], picture[:, : width // 9] = 255, 255
    picture[-(height // 12) :], picture[:, -(width // 7) :] = 255, 255
    return np.ascontiguousarray(picture)


def _by_pillow(picture: Pixels, chosen: Preprocessing) -> Pixels:
    if chosen.crop is not None:
        picture = _cut(picture, chosen.crop.margin)
    image = Image.fromarray(picture)
    scaling, side = chosen.scaling, chosen.side
    width, height = image.size
    size = (scaling.side, scaling.side)
    if isinstance(scaling, ResizeShorterSide):
        size = (
            (scaling.side, int(scaling.side * height / width))
            if width <= height
            else (int(scaling.side * width / height), scaling.side)
        )
    image = image.resize(size, _FILTERS[scaling.interpolation])
    left, top = round((size[0] - side) / 2.0), round((size[1] - side) / 2.0)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def _cut(picture: Pixels, margin: float) -> Pixels:
    y, x = np.nonzero((picture < WHITE_THRESHOLD).any(axis=2))
    kept = round(margin * max(x.max() - x.min() + 1, y.max() - y.min() + 1))
    across, down = (
        slice(max(0, x.min() - kept), x.max() + 1 + kept),
        slice(max(0, y.min() - kept), y.max() + 1 + kept),
    )
    return np.ascontiguousarray(picture[down, across])


def _in_words(chosen: Preprocessing) -> str:
    scaling = chosen.scaling
    steps = [] if chosen.crop is None else [f"white border cut, margin {chosen.crop.margin:g}"]
    steps.append(f"{type(scaling).__name__} to {scaling.side}, {scaling.interpolation}")
    if chosen.operations[-1] is not scaling:
        steps.append(f"centre {chosen.side}")
    return f"{chosen.name} ({'; '.join(steps)})"


def _three(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:g}" for value in values)
