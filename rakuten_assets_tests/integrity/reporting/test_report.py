import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS, KNOWN_TEST_ROWS, KNOWN_TRAIN_ROWS
from rakuten_assets.integrity.reporting.findings import FINDING_COLUMNS
from rakuten_assets.integrity.reporting.known_facts import known_facts
from rakuten_assets.integrity.reporting.page import report_html
from rakuten_assets.integrity.reporting.report import (
    DUPLICATES_FILE,
    FINDINGS_FILE,
    HTML_FILE,
    IMAGES_FILE,
    SUMMARY_FILE,
    IntegrityReport,
    build_report,
    report_files,
    summary_markdown,
    write_report,
)
from rakuten_assets_tests.integrity.gallery import catalogue_table, groups_of, scan_table


def reported(images: pd.DataFrame, near: list[str] | None = None, **options: object) -> IntegrityReport:
    groups = groups_of(images, near_group=near) if near else groups_of(images)
    return build_report(images, groups, nowhere(images), **options)


def nowhere(images: pd.DataFrame) -> list[Path]:
    return [Path("/nowhere") / name for name in images["file"]]


@pytest.fixture
def images(tmp_path):
    """100 train and 20 test rows of classes 10 and 40, with a few things the matter; no file exists."""
    table = catalogue_table(100, 20)
    table.loc[1, ["status", "reason", "detail"]] = ["unreadable", "truncated", "file ends"]
    table.loc[102, ["status", "reason"]] = ["missing", "missing"]
    table.loc[4, "blank"] = True
    for one, other in (
        (10, 12),
        (10, 14),
        (20, 23),
        (30, 110),
    ):  # of one class, of two classes, in both splits
        table.loc[other, ["sha256", "pixel_sha256"]] = table.loc[one, ["sha256", "pixel_sha256"]].to_list()
    return table


@pytest.fixture
def report(images, tmp_path):
    groups = groups_of(images)
    return build_report(images, groups, [tmp_path / name for name in images["file"]], title="A report")


def test_the_summary_counts_what_is_there(report):
    summary = report.summary
    assert summary["images"]["by_status"] == {"ok": 118, "unreadable": 1, "missing": 1}
    assert summary["images"]["by_split"]["test"] == {"total": 20, "ok": 19, "unreadable": 0, "missing": 1}
    assert summary["images"]["by_reason"] == {"truncated": 1, "missing": 1}
    assert summary["duplicates"]["exact"] == {
        "groups": 3,
        "rows": 7,
        "redundant": 4,
        "largest": 3,
        "beyond_finer_level": 3,
    }
    assert summary["duplicates"]["near"]["beyond_finer_level"] == 0
    assert summary["label_conflicts"]["pixel"]["groups"] == 1
    assert summary["label_conflicts"]["pixel"]["class_pairs"] == [{"codes": [10, 40], "groups": 1, "rows": 2}]
    assert summary["train_test_twins"]["exact"] == {"groups": 1, "train_rows": 1, "test_rows": 1}
    assert summary["classes"]["counts"] == {"10": 50, "40": 50}
    assert summary["classes"]["imbalance_ratio"] == 1.0
    assert summary["findings"]["exact_duplicate"]["rows"] == 7
    assert summary["findings"]["truncated"] == {"severity": "error", "title": "truncated", "rows": 1}
    assert summary["majority"] == {"size": [500, 500], "size_share": 1.0, "mode": "RGB", "mode_share": 1.0}
    assert summary["known_facts"] == []


def test_leakage_is_of_the_train_rows_and_gone_when_groups_stay_together(report):
    leakage = report.summary["leakage"]
    assert (leakage["rows"], leakage["stratified"], leakage["seed"]) == (100, True, 42)
    for figures in leakage["levels"].values():
        assert 0 < figures["expected"] < 0.2
        assert figures["duplicate_aware"] == 0.0


def test_borders_are_those_of_the_facts_page(images, tmp_path):
    images.loc[:9, ["box_left", "box_top", "box_right", "box_bottom"]] = [0, 0, 500, 500]
    images.loc[10:24, ["box_left", "box_right", "box_top"]] = [0, 500, 0]  # below only
    images.loc[25:39, ["box_top", "box_bottom", "box_left"]] = [0, 500, 0]  # on the right only
    borders = reported(images).summary["borders"]
    whole = 118
    assert borders["none"] == pytest.approx(9 / whole)  # row 1 does not decode
    assert borders["one_axis"] == pytest.approx(30 / whole)
    assert borders["both_axes"] == pytest.approx(79 / whole)


def test_drift_between_train_and_test_is_seen(images):
    assert all(
        abs(drift["standardised_difference"]) < 1 and drift["largest_distance"] < drift["distance_limit"]
        for drift in reported(images).summary["drift"].values()
    )
    images.loc[100:, "brightness"] -= 80
    drift = reported(images).summary["drift"]
    assert drift["brightness"]["standardised_difference"] < -1
    assert drift["brightness"]["largest_distance"] > drift["brightness"]["distance_limit"]


def test_the_files_are_whole_and_say_the_same(report, tmp_path):
    out = tmp_path / "out" / "deep"
    written = write_report(report, out)
    assert [path.name for path in written] == [
        IMAGES_FILE,
        SUMMARY_FILE,
        FINDINGS_FILE,
        DUPLICATES_FILE,
        HTML_FILE,
    ]
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in written)
    assert json.loads((out / SUMMARY_FILE).read_text()) == json.loads(json.dumps(report.summary))
    table = pq.read_table(out / IMAGES_FILE).to_pandas()
    assert len(table) == 120
    assert {"file", "status", "reason", "sha256", "exact_group", "near_group", "near_size"} <= set(
        table.columns
    )
    findings = pd.read_csv(out / FINDINGS_FILE)
    assert tuple(findings.columns) == FINDING_COLUMNS
    assert len(findings) == len(report.findings)


def test_the_duplicates_table_names_every_member_and_one_to_keep(report):
    table = report.duplicates
    assert table["level"].unique().tolist() == ["exact"]
    assert table["size"].tolist() == [3, 3, 3, 2, 2, 2, 2]
    assert table.groupby("group")["keep"].sum().tolist() == [1, 1, 1]
    twins = table[table["index"].isin([30, 110])]
    assert twins.set_index("index")["keep"].to_dict() == {30: True, 110: False}  # the train row is kept
    assert table[table["index"].isin([20, 23])]["classes"].tolist() == [2, 2]


def test_levels_that_join_more_are_listed_at_their_own_level(images):
    near = groups_of(images)["pixel_group"].tolist()
    near[50] = near[51]
    table = reported(images, near).duplicates
    assert table[table["level"] == "near"]["index"].tolist() == [50, 51]
    assert table[table["level"] == "pixel"].empty


def test_the_same_images_give_the_same_bytes(images):
    groups = groups_of(images)
    one, other = (dict(report_files(build_report(images, groups, nowhere(images)))) for _ in range(2))
    assert one == other


def test_the_summary_fits_into_markdown(report):
    text = summary_markdown(report)
    assert "| unreadable | **1**" in text
    assert "| byte-identical files | warning | 7 |" in text
    assert all(line.startswith("|") for line in text.splitlines() if line)


def test_any_folder_of_images_has_a_report(tmp_path):
    report = reported(scan_table(40))
    assert report.summary["classes"] == {}
    assert report.summary["drift"] == {}
    assert list(report.summary["distributions"]) == ["all"]
    assert report.summary["leakage"]["stratified"] is False
    assert len(dict(report_files(report))) == 5


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_image_is_no_error(count):
    files = dict(report_files(reported(scan_table(count))))
    assert len(pq.read_table(io.BytesIO(files[IMAGES_FILE]))) == count


def test_nothing_but_damage_is_no_error():
    images = catalogue_table(10, 4)
    images["status"], images["reason"] = "unreadable", "truncated"
    images[["brightness", "contrast", "entropy"]] = np.nan
    files = dict(report_files(reported(images)))
    assert json.loads(files[SUMMARY_FILE])["images"]["by_status"]["ok"] == 0


def test_text_classes_are_classes_too():
    images = catalogue_table(40, 10)
    images["code"] = pd.Series(["cat", "dog"] * 20 + [None] * 10, dtype="str")
    images.loc[1, ["sha256", "pixel_sha256"]] = images.loc[0, ["sha256", "pixel_sha256"]].to_list()
    report = reported(images)
    assert report.summary["classes"]["counts"] == {"cat": 20, "dog": 20}
    assert report.summary["label_conflicts"]["exact"]["class_pairs"][0]["codes"] == ["cat", "dog"]
    assert len(dict(report_files(report))) == 5


def test_tables_that_do_not_belong_together_are_refused(images):
    with pytest.raises(ValueError, match="do not belong together"):
        build_report(images, groups_of(images).iloc[1:], nowhere(images))


@pytest.fixture(scope="module")
def full_size() -> pd.DataFrame:
    """As many rows and classes as the real data set, 3,264 groups of equal files among them, 479 in conflict."""
    codes = np.repeat(list(KNOWN_CLASS_COUNTS), list(KNOWN_CLASS_COUNTS.values()))
    table = catalogue_table(KNOWN_TRAIN_ROWS, KNOWN_TEST_ROWS)
    table.loc[: KNOWN_TRAIN_ROWS - 1, "code"] = codes
    sha256, pixels = (table[name].to_numpy(dtype=object).copy() for name in ("sha256", "pixel_sha256"))
    sizes = [2] * 363 + [3] * 116 + [2] * 1000 + [3] * 1323 + [4] * 461 + [70]
    conflicts = 479
    starts = {code: int(np.flatnonzero(codes == code)[0]) for code in (1280, 1300)}
    free = starts[1300] + 1000
    for number, size in enumerate(sizes):
        if number < conflicts:
            rows = [
                starts[1280] + number,
                *range(starts[1300] + 2 * number, starts[1300] + 2 * number + size - 1),
            ]
        else:
            rows = list(range(free, free + size))
            free += size
            while len(set(codes[rows])) > 1:  # across the border of two classes: begin in the next one
                rows = list(range(free, free + size))
                free += size
        sha256[rows], pixels[rows] = sha256[rows[0]], pixels[rows[0]]
    table["sha256"], table["pixel_sha256"] = pd.Series(sha256, dtype="str"), pd.Series(pixels, dtype="str")
    return table


@pytest.mark.slow
def test_a_data_set_of_the_real_size_is_compared_with_the_facts(full_size):
    report = reported(full_size)
    facts = {fact.fact: fact for fact in report.facts}
    assert facts["train rows"].agrees
    assert facts["classes whose row count differs"].agrees
    assert facts["groups of byte-identical train images"].agrees
    assert facts["groups with conflicting classes"].agrees
    assert facts["rows in such groups"].agrees
    assert facts["train files in such groups"].agrees
    assert facts["redundant train files"].agrees
    assert not facts["images without white border"].agrees
    assert facts["images without white border"].expected == "8.6%"
    assert report.summary["known_facts"][0]["fact"] == "train rows"
    assert len(report_html(report)) < 1_000_000


def test_another_data_set_is_not_compared(full_size):
    assert known_facts(full_size.head(1000), groups_of(full_size.head(1000)), {}) == []
