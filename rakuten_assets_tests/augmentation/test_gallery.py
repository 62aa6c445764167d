"""The gallery: a row for every augmentation, the same bytes each time."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from rakuten_assets import augmentation
from rakuten_assets.augmentation import Policy, Transform
from rakuten_assets.augmentation.gallery import TRANSFORMS, Example, gallery_png
from rakuten_assets.errors import AugmentationError
from rakuten_assets_tests.augmentation.pictures import smooth


def test_it_has_every_transform() -> None:
    kinds = [getattr(augmentation, name) for name in augmentation.__all__]
    transforms = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Transform)}
    assert {type(one) for one in TRANSFORMS} == transforms - {Transform, Policy, augmentation.OneOf}


def test_it_shows_originals_and_draws() -> None:
    examples = [
        Example("2583 swimming pools", smooth(300, 200, 1)),
        Example("40 dark", smooth(90, 90, 2) // 4),
    ]
    content = gallery_png(examples, draws=2, tile=40)
    assert gallery_png(examples, draws=2, tile=40) == content
    with Image.open(io.BytesIO(content)) as image:
        sheet = np.asarray(image.convert("RGB"))
    rows = len(TRANSFORMS) + 3 + 2
    assert sheet.shape == (2 * 14 + 52 + rows * 46, 2 * 14 + 210 + 2 * (3 * 46 + 6), 3)
    originals = [sheet[66 + 46 * row + 1 : 66 + 46 * row + 39, 225:263] for row in range(rows)]
    assert all(np.array_equal(one, originals[0]) for one in originals)
    flipped = sheet[67:105, 225 + 46 : 263 + 46]
    assert np.abs(flipped.astype(int) - originals[0][:, ::-1]).mean() < 1
    assert not np.array_equal(gallery_png(examples, draws=2, tile=40, seed=1), content)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(AugmentationError, match="at least one picture"):
        gallery_png([])
