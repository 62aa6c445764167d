import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.extraction.storing.key_index import KeyIndex, keys_array
from rakuten_assets.extraction.storing.segments import SegmentIndex


def index_of(keys: list[bytes]) -> SegmentIndex:
    return SegmentIndex(keys_array(keys), np.zeros(len(keys), np.uint32), 3, 0)


# Few ends and few beginnings, so that many keys end alike and differ further left, and many occur twice.
KEYS = st.builds(
    lambda start, end: bytes([start]) * 24 + bytes([end]) * 8, st.integers(0, 5), st.integers(0, 2)
)


@given(st.lists(st.lists(KEYS, max_size=12), max_size=5), st.lists(KEYS, max_size=20))
def test_every_key_is_found_where_it_lies_and_no_other(parts: list[list[bytes]], wanted: list[bytes]) -> None:
    segments = {f"{number}": index_of(keys) for number, keys in enumerate(parts)}
    index = KeyIndex(segments)
    known = {key for keys in parts for key in keys}
    assert len(index) == len(known)
    assert [[part.key(row) for row in range(len(part))] for part in segments.values()] == parts
    for key, segment, row in zip(wanted, *index.find(wanted), strict=True):
        assert (segment >= 0) == (row >= 0) == (key in known)
        if key in known:
            assert parts[int(index.names[segment])][row] == key


def test_an_index_takes_less_than_a_hundred_bytes_a_row() -> None:
    rows = 50_000
    random = np.random.default_rng(0)
    tracemalloc.start()
    keys = random.integers(0, 256, (rows, 32), dtype=np.uint8)
    segments = {"one": SegmentIndex(keys, np.zeros(rows, np.uint32), 3, 0)}
    del keys
    index = KeyIndex(segments)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index) == rows
    assert held < 50 * rows
    assert peak < 100 * rows
