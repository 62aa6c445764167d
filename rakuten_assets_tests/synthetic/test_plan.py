import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS
from rakuten_assets.errors import CatalogError
from rakuten_assets.synthetic.faults import FaultKind
from rakuten_assets.synthetic.plan import (
    FULL_TEST_ROWS,
    FULL_TRAIN_ROWS,
    apportion,
    plan_catalog,
)


def test_full_size_has_exactly_the_real_class_counts():
    assert apportion(KNOWN_CLASS_COUNTS, FULL_TRAIN_ROWS) == KNOWN_CLASS_COUNTS
    assert (FULL_TRAIN_ROWS, FULL_TEST_ROWS) == (84_916, 13_812)


@given(total=st.integers(1, 100_000))
def test_every_class_gets_its_share_and_the_rare_ones_a_row_or_two(total):
    shares = apportion(KNOWN_CLASS_COUNTS, total)
    assert sum(shares.values()) == total
    assert min(shares.values()) >= min(2, total // 27)
    for code, count in KNOWN_CLASS_COUNTS.items():
        exact = count * total / FULL_TRAIN_ROWS
        assert shares[code] <= max(2, exact + 1)
    if total > 400:  # Nothing had to be lifted: no class is off by a whole row.
        assert all(
            abs(shares[code] - count * total / FULL_TRAIN_ROWS) < 1
            for code, count in KNOWN_CLASS_COUNTS.items()
        )


@settings(max_examples=25, deadline=None)
@given(
    train=st.integers(27, 600), test=st.integers(1, 200), seed=st.integers(0, 2**31 - 1), faults=st.booleans()
)
def test_rows_are_numbered_and_named_as_in_the_challenge(train, test, seed, faults):
    plan = plan_catalog(train, test, seed, faults)
    assert [row.index for row in plan.rows] == list(range(train + test))
    assert [row.row for row in plan.split_rows("train")] == list(range(train))
    assert [row.row for row in plan.split_rows("test")] == list(range(test))
    assert (
        len({row.image_id for row in plan.rows}) == len({row.product_id for row in plan.rows}) == train + test
    )
    assert all(0 < row.image_id < 2**32 and 0 < row.product_id < 2**32 for row in plan.rows)
    assert {row.code for row in plan.split_rows("train")} == set(KNOWN_CLASS_COUNTS)
    assert plan == plan_catalog(train, test, seed, faults)
    for row in plan.rows[:3]:
        assert row.file == f"image_train/image_{row.image_id}_product_{row.product_id}.jpg"


def test_product_ids_pass_the_range_of_signed_32_bit_numbers():
    ids = [row.product_id for row in plan_catalog(2000, 320, 42).rows]
    assert 4_000_000_000 < max(ids) < 4_251_000_000


def test_pictures_differ_unless_a_fault_says_otherwise():
    plan = plan_catalog(600, 100, 3)
    groups: dict[tuple[int, int], set[str]] = {}
    for row in plan.rows:
        groups.setdefault((row.picture_code, row.picture_seed), set()).add(row.fault.group)
    assert all(len(names) == 1 for names in groups.values())
    shared = [row for row in plan.rows if row.fault.group]
    assert len(groups) == 700 - len(shared) + len({row.fault.group for row in shared})


def test_without_faults_every_row_has_a_picture_of_its_own():
    plan = plan_catalog(400, 60, 42, faults=False)
    assert plan.fault_records() == ()
    tasks = list(plan.image_tasks())
    assert len(tasks) == len({(task.code, task.seed) for task in tasks}) == 460
    assert {task.kind for task in tasks} == {""}


def test_another_seed_gives_another_catalogue():
    one, other = plan_catalog(200, 40, 1), plan_catalog(200, 40, 2)
    assert {row.image_id for row in one.rows}.isdisjoint({row.image_id for row in other.rows})
    assert {row.picture_seed for row in one.rows}.isdisjoint({row.picture_seed for row in other.rows})
    assert [row.code for row in one.rows] != [row.code for row in other.rows]


def test_missing_files_have_no_task():
    plan = plan_catalog(200, 40, 5)
    missing = {record.file for record in plan.fault_records() if record.kind == FaultKind.MISSING}
    assert missing and missing.isdisjoint({task.file for task in plan.image_tasks()})


@pytest.mark.parametrize(
    ("train", "test", "seed", "named"),
    [(26, 10, 0, "26"), (100, 0, 0, "0 test"), (10**9, 10, 0, "1,000,000,000"), (100, 10, -1, "-1")],
)
def test_parameters_that_are_not_allowed_are_refused_by_value(train, test, seed, named):
    with pytest.raises(CatalogError, match=named):
        plan_catalog(train, test, seed)
