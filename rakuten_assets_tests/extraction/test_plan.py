import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.extraction.plan import plan_rows

DIGESTS = [f"{number:064x}" for number in range(6)]
KEYS = [bytes.fromhex(digest) for digest in DIGESTS]


@given(st.lists(st.sampled_from(["", *DIGESTS]), max_size=30), st.sets(st.sampled_from(KEYS)))
def test_every_row_is_invalid_stored_or_computed_once(sha256: list[str], stored: set[bytes]) -> None:
    plan = plan_rows(sha256, lambda keys: np.array([key in stored for key in keys], dtype=bool))
    valid = [digest for digest in sha256 if digest]
    assert [plan.keys[i].hex() if i >= 0 else "" for i in plan.key_of_row] == sha256
    assert [key.hex() for key in plan.keys] == list(dict.fromkeys(valid))
    assert [sha256[row] for row in plan.first_rows] == [key.hex() for key in plan.keys]
    assert all(
        digest not in sha256[:row]
        for row, digest in zip(plan.first_rows, map(bytes.hex, plan.keys), strict=True)
    )
    assert {plan.keys[i] for i in plan.missing_keys} == {bytes.fromhex(digest) for digest in valid} - stored
    assert list(plan.invalid_rows) == [row for row, digest in enumerate(sha256) if not digest]


def test_without_computes_what_the_store_lost() -> None:
    plan = plan_rows(DIGESTS[:3], lambda keys: np.ones(len(keys), dtype=bool))
    assert list(plan.without([1]).missing_keys) == [1]
    assert len(plan.missing_keys) == 0
    assert np.array_equal(plan.without([]).stored, plan.stored)


@pytest.mark.parametrize("digest", ["abc", "z" * 64, "ab" * 31, "ab" * 33])
def test_what_is_no_sha256_is_refused_by_row(digest: str) -> None:
    with pytest.raises(ValueError, match=rf"row 2: '{digest}' is not a sha256"):
        plan_rows(["", DIGESTS[0], digest], lambda keys: np.zeros(len(keys), dtype=bool))
