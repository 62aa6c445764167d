import pytest

from rakuten_assets.errors import SettingsError
from rakuten_assets.images.reasons import Reason, status_of
from rakuten_assets.integrity.gate import GATES, gate_kinds, gate_names
from rakuten_assets.integrity.reporting.findings import KINDS, Severity


def test_every_gate_stands_for_known_kinds():
    for kinds in GATES.values():
        assert kinds
        assert set(kinds) <= KINDS.keys()


def test_unreadable_is_every_reason_of_that_status():
    assert gate_kinds(["unreadable"]) == {
        reason.value for reason in Reason if status_of(reason) == "unreadable"
    }


def test_names_add_up_and_kinds_are_names():
    assert gate_kinds(["near_duplicates", "twins", "odd_size"]) == {
        "near_duplicate",
        "train_test_twin",
        "odd_size",
    }
    assert gate_kinds(["near-duplicates"]) == gate_kinds(["near_duplicates"])
    assert gate_kinds([]) == set()


def test_warnings_contain_errors():
    assert gate_kinds(["errors"]) < gate_kinds(["warnings"])
    assert all(KINDS[kind].severity is not Severity.INFO for kind in gate_kinds(["warnings"]))


def test_an_unknown_name_is_refused_with_what_is_allowed():
    with pytest.raises(SettingsError, match="'typo' is not known; allowed are unreadable, missing"):
        gate_kinds(["unreadable", "typo"])


@pytest.mark.parametrize("text", ["", ",", " , "])
def test_a_gate_that_names_nothing_is_refused(text: str) -> None:
    assert gate_names(["twins, blank,", "missing"]) == ["twins", "blank", "missing"]
    with pytest.raises(SettingsError, match="names nothing to look for"):
        gate_names(["twins", text])
