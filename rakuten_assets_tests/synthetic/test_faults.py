from collections import Counter

import pytest

from rakuten_assets.images.reasons import Reason, status_of
from rakuten_assets.synthetic.faults import (
    EXPECTED,
    NEAR_DUPLICATE_VARIANTS,
    ORIGINAL,
    PIXEL_TWIN_VARIANTS,
    UNREADABLE_KINDS,
    FaultKind,
    FaultRecord,
)
from rakuten_assets.synthetic.plan import FULL_TEST_ROWS, FULL_TRAIN_ROWS, plan_catalog

SEEDS = (0, 1, 42, 1234)
EVERY_KIND = {kind.value for kind in FaultKind if kind}


def groups_of(records: tuple[FaultRecord, ...], kind: str) -> list[list[FaultRecord]]:
    groups: dict[str, list[FaultRecord]] = {}
    for record in records:
        if record.kind == kind:
            groups.setdefault(record.group, []).append(record)
    return list(groups.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_occurs_from_a_hundred_rows_on(seed):
    for train, test in ((100, 20), (2000, 320)):
        assert {record.kind for record in plan_catalog(train, test, seed).fault_records()} == EVERY_KIND


@pytest.mark.parametrize("seed", SEEDS)
def test_unreadable_share_lies_between_the_default_thresholds(seed):
    records = plan_catalog(2000, 320, seed).fault_records()
    share = sum(record.expected_status != "ok" for record in records) / 2320
    assert 0.004 < share < 0.006


def test_groups_at_full_size_are_as_frequent_as_the_real_ones():
    records = plan_catalog(FULL_TRAIN_ROWS, FULL_TEST_ROWS, 42).fault_records()
    same, conflicting = groups_of(records, "same_label"), groups_of(records, "conflicting_labels")
    assert len(same) == pytest.approx(3264 - 479, rel=0.01)
    assert sum(map(len, same)) == pytest.approx(8957 - 1074, rel=0.05)
    assert len(conflicting) == pytest.approx(479, rel=0.05)
    pairs = Counter(frozenset(record.code for record in group) for group in conflicting)
    assert pairs.most_common(1)[0][0] == {1280, 1300}
    in_2583 = sum(record.code == 2583 for group in same for record in group)
    assert in_2583 / 10_209 == pytest.approx(0.36, abs=0.04)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_are_what_their_kind_says(seed):
    records = plan_catalog(400, 80, seed).fault_records()
    for group in groups_of(records, "same_label"):
        assert len(group) >= 2
        assert len({record.code for record in group}) == 1
        assert {record.split for record in group} == {"train"}
    for group in groups_of(records, "conflicting_labels"):
        assert len({record.code for record in group}) == 2
        assert {record.split for record in group} == {"train"}
    for group in groups_of(records, "train_test_twin"):
        assert sorted(record.split for record in group) == ["test", "train"]
        assert len({record.code for record in group}) == 1
    for kind, variants in (("pixel_twin", PIXEL_TWIN_VARIANTS), ("near_duplicate", NEAR_DUPLICATE_VARIANTS)):
        for group in groups_of(records, kind):
            assert group[0].code == group[1].code
            details = {record.detail for record in group}
            assert len(group) == 2 and ORIGINAL in details and details & set(variants)
    assert {record.detail for record in records if record.kind == "near_duplicate"} == {
        ORIGINAL,
        *NEAR_DUPLICATE_VARIANTS,
    }


@pytest.mark.parametrize(("train", "test"), [(27, 1), (54, 1), (60, 200), (150, 3)])
def test_small_catalogues_keep_their_classes_readable(train, test):
    for seed in range(12):
        plan = plan_catalog(train, test, seed)
        unreadable = {record.index for record in plan.fault_records() if record.kind in UNREADABLE_KINDS}
        readable = Counter(row.code for row in plan.split_rows("train") if row.index not in unreadable)
        assert len(readable) == 27
        assert min(readable.values()) >= min(2, train // 27)


def test_a_row_has_one_fault_at_most_and_the_records_are_in_order():
    records = plan_catalog(500, 100, 9).fault_records()
    indices = [record.index for record in records]
    assert indices == sorted(set(indices))


def test_expectations_speak_the_taxonomy_of_the_scan():
    for status, reason in EXPECTED.values():
        assert status_of(Reason(reason)) == status
