"""Verdicts on scans and reports: thresholds, what they say, and rows in the manifest's order."""

import copy
from typing import Any

import pandas as pd
import pytest

from rakuten_assets.errors import ManifestError
from rakuten_assets.integrity.validation import (
    ReportLimits,
    groups_complete,
    in_manifest_order,
    report_verdicts,
    scan_content,
    scan_verdicts,
    summary_version,
)


def _scan(bad: int, missing: int, total: int = 100) -> pd.DataFrame:
    status = ["unreadable"] * bad + ["missing"] * missing + ["ok"] * (total - bad - missing)
    reason = ["truncated"] * bad + ["missing"] * missing + [""] * (total - bad - missing)
    return pd.DataFrame(
        {
            "split": "train",
            "row": range(total),
            "file": [f"image_train/{n}.jpg" for n in range(total)],
            "status": status,
            "reason": reason,
            "detail": "",
            "sha256": [f"{n:064x}" for n in range(total)],
            "scan_version": "1",
        }
    )


@pytest.mark.parametrize(
    ("bad", "passed", "stops"),
    [(0, True, False), (1, True, False), (2, False, False), (5, False, False), (6, False, True)],
)
@pytest.mark.parametrize("what", ["unreadable", "missing"])
def test_a_share_passes_warns_or_stops(bad: int, passed: bool, stops: bool, what: str) -> None:
    scan = _scan(bad, 0) if what == "unreadable" else _scan(0, bad)
    verdicts = {verdict.check: verdict for verdict in scan_verdicts(scan, scan, warn=0.01, fail=0.05)}
    verdict = verdicts.pop(f"{what}_share")
    assert (verdict.passed, verdict.stops) == (passed, stops)
    assert f"{bad} of 100 images are {what}" in verdict.summary
    if bad:
        files = verdict.details["files"]
        assert isinstance(files, pd.DataFrame)
        assert files["file"].tolist() == [f"image_train/{n}.jpg" for n in range(bad)]
    assert all(other.passed for other in verdicts.values())
    if not passed:
        more = " and 2 more" if bad == 5 else " and 3 more" if bad == 6 else ""
        named = ", ".join(f"image_train/{n}.jpg (" for n in range(min(bad, 3))).split(", ")
        assert all(part in verdict.summary for part in named) and f"){more}" in verdict.summary
    assert ("RAKUTEN_UNREADABLE_FAIL" in verdict.summary) == stops


def test_a_small_shard_fails_by_one_image_and_says_so() -> None:
    scan = _scan(1, 0).iloc[:11]
    said = scan_verdicts(scan, scan, 0.001, 0.05)[1].summary
    assert "1 of 11 images are unreadable (9.09%)" in said
    assert "image_train/0.jpg" in said
    assert said.endswith("of so few images one is 9.09%: set fewer RAKUTEN_SHARDS")
    assert "RAKUTEN_SHARDS" not in scan_verdicts(_scan(9, 0), _scan(9, 0), 0.001, 0.05)[1].summary


def test_where_most_images_are_missing_it_is_said_where_some_were_seen() -> None:
    def missing_share(missing: int, seen: str) -> str:
        scan = _scan(0, missing)
        return scan_verdicts(scan, scan, 0.01, 0.05, lambda: seen)[2].summary

    assert missing_share(60, "images/train/").endswith(
        "Images of the challenge were seen in images/train/: move them, or name the right folder"
    )
    assert "seen in" not in missing_share(60, "")
    assert "seen in" not in missing_share(40, "images/train/")


def test_a_scan_of_other_images_stops() -> None:
    scan = _scan(0, 0)
    assert scan_verdicts(scan.iloc[1:], scan, 1, 1)[0].stops
    assert scan_verdicts(scan.iloc[::-1], scan, 1, 1)[0].stops
    assert scan_verdicts(scan.iloc[:0], scan.iloc[:0], 0, 0)[0].passed


def test_scans_are_put_in_the_manifests_order_or_refused() -> None:
    scan = _scan(0, 0, 10)
    shards = {"00": scan.iloc[[1, 3, 9]], "01": scan.iloc[[0, 2, 4, 5, 6, 7, 8]]}
    pd.testing.assert_frame_equal(in_manifest_order(scan, shards), scan)
    some = {key: part[["file", "status"]] for key, part in shards.items()}
    pd.testing.assert_frame_equal(in_manifest_order(scan, some), scan[["file", "status"]])
    with pytest.raises(ManifestError, match=r"1 are not scanned, first image_train/2\.jpg"):
        in_manifest_order(scan, {"00": scan.drop(index=2)})
    with pytest.raises(ManifestError, match="hold 10 images, the manifest 9"):
        in_manifest_order(scan.iloc[:9], {"00": scan})


def test_the_content_of_a_scan_is_what_it_found() -> None:
    scan = _scan(1, 1)
    assert scan_content(scan) == scan_content(scan.copy())
    for change in ({"status": "ok"}, {"sha256": "x"}, {"scan_version": "2"}):
        assert scan_content(scan.assign(**change)) != scan_content(scan)


SUMMARY: dict[str, Any] = {
    "images": {
        "total": 200,
        "blank": 1,
        "near_blank": 1,
        "by_split": {"train": {"total": 150}, "test": {"total": 50}},
    },
    "majority": {"size": [500, 500], "size_share": 0.95, "mode": "RGB", "mode_share": 0.98},
    "duplicates": {"exact": {"redundant": 4}},
    "label_conflicts": {"pixel": {"rows": 3}},
    "train_test_twins": {"near": {"test_rows": 1}},
    "drift": {"bytes": {"standardised_difference": -0.3}, "brightness": {"standardised_difference": 0.1}},
}
LIMITS = {"blank": 0.01, "duplicate": 0.02, "conflict": 0.02, "twin": 0.02, "odd": 0.05, "drift": 0.3}
CHECK_OF = {
    "blank": "blanks",
    "duplicate": "exact_duplicates",
    "conflict": "label_conflicts",
    "twin": "train_test_twins",
    "odd": "usual_size_and_mode",
    "drift": "train_test_drift",
}


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_of_a_report_has_its_own_warning(limit: str) -> None:
    rounding = 1e-9
    generous = ReportLimits(**{name: value + rounding for name, value in LIMITS.items()})
    assert all(verdict.passed for verdict in report_verdicts(SUMMARY, generous))
    strict = ReportLimits(**{**LIMITS, limit: LIMITS[limit] * 0.9})
    (failed,) = [
        verdict
        for verdict in report_verdicts(SUMMARY, strict)
        if not verdict.passed and verdict.check == CHECK_OF[limit]
    ]
    assert not failed.stops


def test_a_catalog_without_a_test_split_is_judged_too() -> None:
    summary = copy.deepcopy(SUMMARY)
    del summary["images"]["by_split"]["test"]
    summary["drift"] = {}
    summary["train_test_twins"]["near"]["test_rows"] = 0
    verdicts = {verdict.check: verdict for verdict in report_verdicts(summary, ReportLimits(**LIMITS))}
    assert verdicts["train_test_twins"].passed
    assert "not compared" in verdicts["train_test_drift"].summary
    assert summary_version(summary) != summary_version(SUMMARY)


def test_groups_must_nest_and_be_the_images() -> None:
    images = _scan(0, 0, 4)
    groups = pd.DataFrame({"file": images["file"], "exact_group": ["a", "a", "b", "c"]})
    for level in ("pixel", "near"):
        groups[f"{level}_group"] = ["a", "a", "a", "c"]
    for level in ("exact", "pixel", "near"):
        groups[f"{level}_size"] = groups.groupby(f"{level}_group")["file"].transform("size")
    verdict = groups_complete(groups, images)
    assert verdict.passed
    assert verdict.details == {"exact groups": 1, "pixel groups": 1, "near groups": 1}
    assert groups_complete(groups.iloc[::-1], images).stops
    assert groups_complete(groups.assign(near_group=["a", "x", "a", "c"]), images).stops
