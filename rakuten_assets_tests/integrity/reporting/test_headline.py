from pathlib import Path

import pytest

from rakuten_assets.integrity.reporting.headline import headline, key_figures
from rakuten_assets.integrity.reporting.report import build_report
from rakuten_assets.pages.key_figures import percent
from rakuten_assets_tests.integrity.gallery import catalogue_table, groups_of, scan_table


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1, "100%"), (0.5, "50.0%"), (0.00004, "0.004%"), (0.9999, "99.990%"), (1e-9, "<0.001%"),
     (1 - 1e-9, ">99.999%")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_none_or_all(share, text):
    assert percent(share) == text


def test_a_healthy_collection_is_called_healthy():
    images = scan_table(30)
    report = build_report(images, groups_of(images), [Path("/nowhere")] * 30)
    assert headline(report) == "All 30 images decode whole."
    assert {tile.tone for tile in key_figures(report)} <= {"good", ""}
    nothing = build_report(scan_table(0), groups_of(scan_table(0)), [])
    assert headline(nothing) == "There is no image to report on."


def test_the_headline_names_what_matters_most():
    images = catalogue_table(50, 10)
    images.loc[[0, 55], ["status", "reason"]] = ["unreadable", "truncated"]
    for one, other in ((2, 3), (4, 51)):
        images.loc[other, ["sha256", "pixel_sha256"]] = images.loc[one, ["sha256", "pixel_sha256"]].to_list()
    report = build_report(images, groups_of(images), [Path("/nowhere")] * 60)
    assert headline(report) == (
        "2 of 60 images cannot be used (3.3%). 2 files are byte-identical copies of another; 2 rows show a picture "
        "that other rows class differently; 1 test image is also in train."
    )
    tiles = {tile.label: tile for tile in key_figures(report)}
    assert (tiles["unreadable"].value, tiles["unreadable"].tone) == ("2", "bad")
    assert (tiles["missing"].value, tiles["missing"].tone) == ("0", "good")
    assert tiles["test images also in train"].value == "1"
    assert tiles["images"].note == "50 train, 10 test"
    assert tiles["imbalance"].note == "2 classes"
