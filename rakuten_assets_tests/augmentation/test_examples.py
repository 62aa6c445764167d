"""The products that a gallery shows."""

from __future__ import annotations

import pandas as pd
import pytest

from rakuten_assets.augmentation.examples import typical_products
from rakuten_assets.errors import AugmentationError


def images() -> pd.DataFrame:
    rows = [
        ("train", "a.jpg", 40, "ok", 30.0, False),
        ("train", "b.jpg", 40, "ok", 50.0, False),
        ("train", "c.jpg", 40, "ok", 90.0, False),
        ("train", "d.jpg", 2583, "ok", 200.0, False),
        ("train", "e.jpg", 2583, "ok", 210.0, False),
        ("train", "f.jpg", 2583, "ok", 240.0, False),
        ("train", "g.jpg", 10, "ok", 255.0, True),
        ("train", "h.jpg", 50, "unreadable", float("nan"), False),
        ("test", "i.jpg", None, "ok", 1.0, False),
    ]
    frame = pd.DataFrame(rows, columns=["split", "file", "code", "status", "brightness", "near_blank"])
    return frame.astype({"code": "Int64"})


def test_a_typical_one_of_the_lightest_and_of_the_darkest_class() -> None:
    expected = [("e.jpg", "light: 2583 swimming pools"), ("b.jpg", "dark: 40 imported video games")]
    assert typical_products(images()) == expected
    assert typical_products(images().iloc[::-1].reset_index(drop=True)) == expected


def test_one_class_gives_one_product() -> None:
    assert typical_products(images().iloc[:3]) == [("b.jpg", "light: 40 imported video games")]


def test_none_is_refused() -> None:
    with pytest.raises(AugmentationError, match="no labelled train image"):
        typical_products(images().iloc[6:])
