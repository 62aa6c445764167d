import numpy as np
import pandas as pd
import pytest

from rakuten_assets.images.reasons import Reason, status_of
from rakuten_assets.integrity.reporting.findings import FINDING_COLUMNS, KINDS, Severity, find
from rakuten_assets.integrity.reporting.report import with_identity
from rakuten_assets_tests.integrity.gallery import catalogue_table, groups_of, scan_table


def findings_of(images: pd.DataFrame, **near: object) -> pd.DataFrame:
    known = with_identity(images)
    return find(known, with_identity(groups_of(known, **near)))


def rows_of(findings: pd.DataFrame, kind: str) -> list[int]:
    return findings.loc[findings["kind"] == kind, "index"].tolist()


def test_healthy_images_have_no_finding():
    findings = findings_of(catalogue_table(200, 50))
    assert findings.empty
    assert list(findings.columns) == list(FINDING_COLUMNS)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason])
def test_every_reason_is_a_finding_that_says_what_to_do(reason):
    images = catalogue_table(60, 10)
    images.loc[3, ["status", "reason", "detail"]] = [
        str(status_of(reason)),
        str(reason),
        "what the decoder said",
    ]
    (line,) = findings_of(images).to_dict("records")
    assert line["kind"] == reason.value
    assert line["severity"] == ("warning" if status_of(reason) == "ok" else "error")
    assert (line["split"], line["row"], line["index"], line["code"]) == ("train", 3, 3, 40)
    assert (line["image_id"], line["product_id"], line["file"]) == (1_000_003, 2_000_003, "image_3.jpg")
    said = "no file at the expected path" if reason is Reason.MISSING else "what the decoder said"
    assert line["detail"] == said
    assert len(line["suggestion"]) > 10


def test_blank_and_nearly_blank_are_told_apart():
    images = catalogue_table(60, 0)
    images.loc[[1, 2], "blank"] = True
    images.loc[[1, 3], "near_blank"] = True
    findings = findings_of(images)
    assert rows_of(findings, "blank") == [1, 2]
    assert rows_of(findings, "near_blank") == [3]


def test_duplicates_conflicts_and_twins():
    images = catalogue_table(60, 10, codes=(10,))
    images["code"] = images["code"].astype("Int64")
    equal = {"sha256": [(0, 1), (2, 3), (4, 61)], "pixel_sha256": [(0, 1), (2, 3), (4, 61), (5, 6), (7, 62)]}
    for column, pairs in equal.items():
        for one, other in pairs:
            images.loc[other, column] = images.loc[one, column]
    images.loc[3, "code"] = 2705
    images.loc[6, "code"] = 1280
    images.loc[9, "code"] = 1300
    near = groups_of(images)["pixel_group"].tolist()
    near[9] = near[8]  # near-duplicates of two classes
    near[63] = near[10]  # a near-duplicate in test
    findings = findings_of(images, near_group=near)
    assert rows_of(findings, "exact_duplicate") == [0, 1, 2, 3, 4, 61]
    assert rows_of(findings, "pixel_duplicate") == [5, 6, 7, 62]
    assert rows_of(findings, "near_duplicate") == [8, 9, 10, 63]
    assert rows_of(findings, "label_conflict") == [2, 3, 5, 6]
    assert rows_of(findings, "near_label_conflict") == [8, 9]
    assert rows_of(findings, "train_test_twin") == [4, 7, 10, 61, 62, 63]
    details = findings.set_index(["kind", "index"])["detail"]
    assert details["label_conflict", 3] == "classes 10 (1), 2705 (1)"
    assert details["train_test_twin", 4] == "the same file is in test"
    assert details["train_test_twin", 62] == "the same picture is in train"
    assert details["train_test_twin", 10] == "a near-duplicate is in test"
    pair = findings[(findings["kind"] == "exact_duplicate") & findings["index"].isin([2, 3])]
    assert pair["group"].nunique() == 1
    assert len(pair["group"].iloc[0]) == 16


def test_a_row_without_a_class_is_in_no_conflict():
    images = catalogue_table(60, 10, codes=(10, 40))
    for row in (1, 61):
        images.loc[row, ["sha256", "pixel_sha256"]] = images.loc[0, ["sha256", "pixel_sha256"]].to_list()
    findings = findings_of(images)
    assert rows_of(findings, "label_conflict") == [0, 1]
    assert rows_of(findings, "train_test_twin") == [0, 1, 61]


def test_images_without_a_table_have_findings_without_ids():
    images = scan_table(50)
    images.loc[5, ["status", "reason"]] = ["unreadable", "truncated"]
    (line,) = findings_of(images).to_dict("records")
    assert line["file"] == "image_5.jpg"
    assert all(pd.isna(line[name]) for name in ("image_id", "product_id", "code"))


def test_files_without_a_row_are_listed():
    known = with_identity(catalogue_table(50, 5))
    findings = find(known, with_identity(groups_of(known)), ["image_train/stray.jpg"])
    (line,) = findings.to_dict("records")
    assert (line["kind"], line["file"]) == ("unlisted_file", "image_train/stray.jpg")


def test_kinds_are_ordered_by_severity_and_cover_what_a_peer_reports():
    severities = [list(Severity).index(kind.severity) for kind in KINDS.values()]
    assert severities == sorted(severities)
    # Issue types of cleanvision 0.3.
    assert {
        "dark",
        "light",
        "blurry",
        "low_information",
        "odd_aspect_ratio",
        "odd_size",
        "grayscale",
    } <= KINDS.keys()
    assert {"exact_duplicate", "near_duplicate"} <= KINDS.keys()


def test_findings_come_by_kind_and_then_by_row():
    images = catalogue_table(80, 0)
    images.loc[[9, 3], ["status", "reason"]] = ["missing", "missing"]
    images.loc[[1, 7], ["status", "reason"]] = ["unreadable", "truncated"]
    findings = findings_of(images)
    places = [list(KINDS).index(kind) for kind in findings["kind"]]
    assert places == sorted(places)
    assert findings.groupby("kind")["row"].apply(lambda rows: bool(np.all(np.diff(rows) > 0))).all()
