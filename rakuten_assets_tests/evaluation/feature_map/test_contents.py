"""What a map's table says of its points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.feature_map.contents import FeatureMap, build_map, headline, points_version
from rakuten_assets_tests.evaluation.feature_map.catalogues import CODES, Mapped, catalogue


def made(mapped: Mapped | None = None, points: int = 5000) -> FeatureMap:
    return build_map(
        *(mapped or catalogue()).arguments(), extractor="fake", weights_note="drawn", points=points
    )


def test_points_say_what_the_catalogue_says() -> None:
    mapped, found = catalogue(), made()
    points = found.points.set_index(["split", "row"])
    assert len(points) == 120 + 30 - 1
    assert ("train", 5) not in points.index  # quarantined
    train = points.loc["train"]
    assert mapped.train.labels is not None
    assert train["code"].tolist() == CODES[mapped.train.labels[train.index]].tolist()
    wrong = train["predicted"] != train["code"]
    assert wrong[wrong].index.tolist() == list(range(0, 120, 10))
    assert points.loc["test", ["code", "predicted", "probability"]].isna().all(axis=None)
    assert points.loc[("train", 0), "image_id"] == 1000
    assert points.loc[("train", 0), "duplicates"] == points.loc[("test", 0), "duplicates"] == "train and test"
    assert points.loc[("train", 2), "duplicates"] == "several classes"
    assert points.loc[("train", 8), "duplicates"] == "one class"
    assert points.loc[("train", 9), "duplicates"] == "alone"
    assert points.loc[("train", 0), "group_rows"] == 3


def test_the_same_input_gives_the_same_map_and_another_one_another_version() -> None:
    one, again = made(points=100), made(points=100)
    assert points_version(one) == points_version(again)
    assert one.points.equals(again.points)
    assert len(one.points) == 100
    moved = catalogue()
    moved.train.features[7] += 1
    assert points_version(made(moved, points=100)) != points_version(one)


def test_the_headline_counts() -> None:
    assert headline(made()).startswith("119 train and 30 test rows of 149 with features")
    assert "90% of the train rows the class of their label" in headline(made())


def test_what_does_not_fit_together_is_refused() -> None:
    mapped = catalogue()
    spoilt = mapped.train.features.copy()
    spoilt[3, 0] = np.nan
    mapped.train.features[:] = spoilt
    with pytest.raises(CatalogError, match="row 3"):
        made(mapped)
    whole = catalogue()
    without = replace(whole, groups=whole.groups.drop(index=9))
    with pytest.raises(CatalogError, match="train row 9 is in no duplicate group"):
        made(without)
