"""The page of a map: whole in one file, small, and deaf to what tables say."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rakuten_assets.evaluation.feature_map.contents import FeatureMap, build_map
from rakuten_assets.evaluation.feature_map.embedding import Embedding
from rakuten_assets.evaluation.feature_map.page import map_html, write_page
from rakuten_assets.evaluation.feature_map.picture import map_png
from rakuten_assets.evaluation.feature_map.sprites import SIDE, SpriteSheets, sprite_sheets
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets_tests.evaluation.feature_map.catalogues import catalogue, colour_of, draw_pictures

MEGABYTE = 1_000_000
HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def found() -> FeatureMap:
    return build_map(*catalogue(60, 20).arguments(), extractor="fake", weights_note="drawn")


def none_of(count: int) -> SpriteSheets:
    return SpriteSheets((), 1, 1, np.zeros(count, bool))


def data_of(html: str) -> dict[str, list[object]]:
    text = re.search(r'<script type="application/json" id="points">(.*?)</script>', html, re.DOTALL)
    assert text is not None
    return dict(json.loads(text[1]))


def test_the_page_holds_the_points_and_asks_for_nothing(found: FeatureMap) -> None:
    html = map_html(found, none_of(len(found.points)))
    data = data_of(html)
    assert data["image"] == found.points["image_id"].astype(str).tolist()
    assert data["classes"] == [
        "10 used books",
        "40 imported video games",
        "1140 figurines, derived products",
        "2583 swimming pools",
    ]
    assert data["label"] == [
        -1 if pd.isna(code) else [10, 40, 1140, 2583].index(code) for code in found.points["code"]
    ]
    assert max(*data["x"], *data["y"]) == 65_535  # type: ignore[type-var]
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert re.findall(r"https?://[^\"]*", html) == ["http://www.w3.org/2000/svg"]  # a name, not an address
    assert html == map_html(found, none_of(len(found.points)))


def test_the_policy_names_the_one_script_that_may_run(found: FeatureMap) -> None:
    html = map_html(found, none_of(len(found.points)))
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert (
        policy[1]
        == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def test_hostile_texts_stay_texts(found: FeatureMap) -> None:
    points = found.points.assign(image_id=HOSTILE, product_id=f"{HOSTILE}&amp;", group=HOSTILE, group_rows=2)
    spoilt = replace(found, points=points, extractor=f"timm:{HOSTILE}", weights_note=HOSTILE)
    html = map_html(spoilt, none_of(len(points)))
    assert data_of(html)["image"][0] == HOSTILE
    assert data_of(html)["product"][0] == f"{HOSTILE}&amp;"
    assert html.count("<script") == 2
    assert "<img src=x" not in html
    assert len(re.findall("</script>", html)) == 2


def noisy_map(count: int) -> FeatureMap:
    """A map whose page is as large as one of so many rows can be."""
    draw = np.random.default_rng(0)
    long = 10**18
    points = pd.DataFrame(
        {
            "split": ["train"] * count,
            "row": np.arange(count) + 90_000,
            "image_id": long + np.arange(count),
            "product_id": long + np.arange(count),
            "code": pd.array(draw.integers(0, 27, count), dtype="Int64"),
            "predicted": pd.array(draw.integers(0, 27, count), dtype="Int64"),
            "probability": draw.random(count).astype(np.float32),
            "group": [f"{row // 2:016x}" for row in range(count)],
            "group_rows": 2,
            "duplicates": "several classes",
            "x": draw.normal(size=count).astype(np.float32),
            "y": draw.normal(size=count).astype(np.float32),
        }
    )
    files = pd.DataFrame({"file": [""] * count, "sha256": [""] * count})
    embedding = Embedding(points[["x", "y"]].to_numpy(), 50, 0.9, 30.0, 750, 0.5)
    return FeatureMap(points, files, embedding, "fake", "", count, 42)


def test_a_page_of_5000_points_of_noise_is_below_8_megabytes(tmp_path: Path) -> None:
    """Noise is what compresses worst: no product's picture takes as much."""
    draw, paths, digests = np.random.default_rng(0), [], []
    for number in range(50):
        buffer = io.BytesIO()
        Image.fromarray(draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(buffer, "PNG")
        path = tmp_path / f"{number}.png"
        path.write_bytes(buffer.getvalue())
        paths.append(path)
        digests.append(sha256_of_bytes(buffer.getvalue()))
    sprites = sprite_sheets(paths * 100, digests * 100, workers=2)
    assert sprites.pictured.all()
    size = write_page(noisy_map(5000), sprites, tmp_path / "evaluation" / "map.html")
    assert (tmp_path / "evaluation" / "map.html").stat().st_size == size
    assert size < 8 * MEGABYTE


def test_a_sheet_holds_each_picture_at_its_place(tmp_path: Path) -> None:
    paths, digests = draw_pictures(tmp_path, 7)
    digests[3] = "0" * 64  # another file than was scanned
    paths[5].unlink()
    sprites = sprite_sheets(paths, digests)
    assert sprites.pictured.tolist() == [True, True, True, False, True, False, True]
    sheet = Image.open(io.BytesIO(sprites.sheets[0])).convert("RGB")
    assert sheet.size == (sprites.columns * SIDE, 3 * SIDE)
    for at in range(7):
        left, top = at % sprites.columns * SIDE, at // sprites.columns * SIDE
        seen = np.array(sheet.getpixel((left + SIDE // 2, top + SIDE // 2)), dtype=int)
        expected = colour_of(at) if sprites.pictured[at] else (255, 255, 255)
        assert np.abs(seen - expected).max() < 12
    again = sprite_sheets(paths, digests, workers=3)
    assert again.sheets == sprites.sheets


def test_more_pictures_than_a_sheet_takes_go_on_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rakuten_assets.evaluation.feature_map.sprites.MOST_SHEET_PIXELS", 2 * SIDE)
    paths, digests = draw_pictures(tmp_path, 6)
    sprites = sprite_sheets(paths, digests)
    assert (len(sprites.sheets), sprites.columns, sprites.per_sheet) == (2, 2, 4)
    second = Image.open(io.BytesIO(sprites.sheets[1])).convert("RGB")
    assert np.abs(np.array(second.getpixel((SIDE + 20, 20)), dtype=int) - colour_of(5)).max() < 12


def test_the_still_picture_is_the_same_each_time(found: FeatureMap) -> None:
    picture = map_png(found)
    assert picture == map_png(found)
    assert min(Image.open(io.BytesIO(picture)).size) > 400
