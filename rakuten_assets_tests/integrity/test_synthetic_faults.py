"""The scan finds every injected fault of the synthetic catalogue and flags nothing healthy."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.reading.scan import scan_images
from rakuten_assets.settings import Settings
from rakuten_assets.synthetic import generate_catalog

SEEDS = (1, 2, 3)
DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}
LIMITS = DecodeLimits(DEFAULTS["max_file_bytes"], DEFAULTS["max_pixels"])


@pytest.fixture(scope="module", params=SEEDS)
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """One row a file of the catalogue: its scan, and the kind and expectation of what was injected."""
    root: Path = tmp_path_factory.mktemp("catalogue") / "synthetic"
    catalog = generate_catalog(root, train_rows=130, test_rows=40, seed=request.param, workers=2)
    faults = pd.DataFrame(catalog.read_faults()).set_index("file")
    present = sorted(str(path.relative_to(root / "images")) for path in root.glob("images/**/*.jpg"))
    names = [*present, *faults.index[faults["kind"] == "missing"]]
    frame = scan_images([root / "images" / name for name in names], LIMITS, workers=2)
    frame.index = pd.Index(names)
    assert len(frame) == 170
    frame["kind"] = faults["kind"].reindex(frame.index, fill_value="")
    frame["expected_status"] = faults["expected_status"].reindex(frame.index, fill_value="ok")
    frame["expected_reason"] = faults["expected_reason"].reindex(frame.index, fill_value="")
    return frame


def test_every_status_and_reason_is_the_injected_one(scanned: pd.DataFrame) -> None:
    wrong = (scanned["status"] != scanned["expected_status"]) | (
        scanned["reason"] != scanned["expected_reason"]
    )
    columns = ["kind", "expected_status", "expected_reason", "status", "reason", "detail"]
    assert not wrong.any(), scanned.loc[wrong, columns].to_string()
    reasons = {"truncated", "corrupt_scan", "not_an_image", "empty", "missing", "too_many_pixels"}
    assert reasons | {"wrong_format", "trailing_bytes", "animated"} <= set(scanned["reason"])


def flagged(scanned: pd.DataFrame, flag: pd.Series) -> set[str]:
    return set(scanned.index[flag])


def of_kind(scanned: pd.DataFrame, *kinds: str) -> set[str]:
    found = set(scanned.index[scanned["kind"].isin(kinds)])
    assert found, f"no {kinds} was injected"
    return found


def test_flags_mark_the_injected_files_and_no_other(scanned: pd.DataFrame) -> None:
    healthy = scanned["status"] == "ok"
    odd_size = (scanned["width"] != 500) | (scanned["height"] != 500)
    assert flagged(scanned, scanned["blank"]) == of_kind(scanned, "blank")
    assert flagged(scanned, scanned["near_blank"]) == of_kind(scanned, "blank", "near_blank")
    assert flagged(scanned, scanned["mode"] == "L") == of_kind(scanned, "grayscale")
    assert flagged(scanned, scanned["mode"] == "CMYK") == of_kind(scanned, "cmyk")
    assert flagged(scanned, scanned["format"] == "GIF") == of_kind(scanned, "animated_gif")
    assert flagged(scanned, scanned["format"] == "PNG") == of_kind(scanned, "png_named_jpg")
    assert flagged(scanned, odd_size & healthy & (scanned["kind"] != "animated_gif")) == of_kind(
        scanned, "odd_size"
    )


def test_healthy_images_are_like_the_real_ones(scanned: pd.DataFrame) -> None:
    plain = scanned[scanned["kind"] == ""]
    assert len(plain) > 90
    expected = {"format": "JPEG", "mode": "RGB", "progressive": True, "subsampling": "4:2:0", "quality": 80}
    for column, value in expected.items():
        assert set(plain[column]) == {value}, column


def test_twins_share_their_hashes(scanned: pd.DataFrame) -> None:
    pixel_twins = scanned[scanned["kind"] == "pixel_twin"]
    assert pixel_twins["pixel_sha256"].nunique() < len(pixel_twins) == pixel_twins["sha256"].nunique()
    plain = scanned[(scanned["kind"] == "")]
    assert plain["pixel_sha256"].is_unique
