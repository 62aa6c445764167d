import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.segments import encode_segment, read_index, read_rows

DIGEST = "d" * 64
DIM = 5
COUNT = 40
KEYS = [bytes([number]) * 32 for number in range(COUNT)]
FEATURES = np.random.default_rng(0).normal(size=(COUNT, DIM)).astype(np.float32)
NAME, CONTENT = encode_segment(FEATURES, KEYS, DIGEST)
SHA256, CRC32 = np.zeros((COUNT, 32), np.uint8), np.zeros(COUNT, np.uint32)


def _read_all(content: bytes) -> dict[bytes, np.ndarray | None]:
    file = io.BytesIO(content)
    index = read_index(file, NAME, DIGEST, DIM)
    return {index.key(row): values for row, values in read_rows(file, index, range(len(index)))}


def test_a_segment_gives_back_its_rows() -> None:
    rows = _read_all(CONTENT)
    assert list(rows) == KEYS
    assert np.array_equal(np.stack(list(rows.values())), FEATURES)


def test_a_name_never_comes_twice() -> None:
    assert encode_segment(FEATURES, KEYS, DIGEST)[0] != NAME


def test_any_safetensors_reader_can_open_it() -> None:
    tensors = load(CONTENT)
    assert np.array_equal(tensors["features"], FEATURES)
    assert tensors["sha256"].tobytes() == b"".join(KEYS)
    assert tensors["crc32"].dtype == np.uint32


@given(st.integers(0, len(CONTENT) * 8 - 1))
@settings(max_examples=300)
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        rows = _read_all(bytes(damaged))
    except StoreError:
        return
    lost = [key for key, values in rows.items() if values is None]
    assert len(lost) == 1
    assert all(np.array_equal(rows[key], FEATURES[KEYS.index(key)]) for key in KEYS if key not in lost)


@given(st.integers(0, len(CONTENT) - 1), st.binary(max_size=20))
@settings(max_examples=200)
def test_no_truncation_or_other_end_goes_unnoticed(length: int, end: bytes) -> None:
    content = CONTENT[:length] + end
    if content != CONTENT:
        with pytest.raises(StoreError):
            _read_all(content)


@given(st.binary(max_size=400))
def test_garbage_is_refused(content: bytes) -> None:
    with pytest.raises(StoreError):
        _read_all(content)


@pytest.mark.parametrize(
    "tensors",
    [
        {"features": FEATURES},
        {"features": FEATURES[:, :4], "sha256": SHA256, "crc32": CRC32},
        {"features": FEATURES.astype(np.float64), "sha256": SHA256, "crc32": CRC32},
        {"features": FEATURES, "sha256": SHA256[:, :31].copy(), "crc32": CRC32},
    ],
)  # fmt: skip
def test_other_tensors_are_refused(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(StoreError):
        read_index(io.BytesIO(save(tensors, metadata={"fingerprint": DIGEST})), NAME, DIGEST, DIM)


def test_a_foreign_fingerprint_is_refused() -> None:
    with pytest.raises(StoreError, match="another fingerprint"):
        read_index(io.BytesIO(CONTENT), NAME, "e" * 64, DIM)


def test_one_read_is_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rakuten_assets.extraction.storing.segments._BYTES_IN_A_READ", 512 * DIM * 4)
    count = 1500
    name, content = encode_segment(np.zeros((count, DIM), np.float32), [KEYS[0]] * count, DIGEST)
    sizes: list[int] = []

    class File(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    file = File(content)
    index = read_index(file, name, DIGEST, DIM)
    sizes.clear()
    assert len(list(read_rows(file, index, range(count)))) == count
    assert len(sizes) == 3
    assert max(sizes) <= 513 * DIM * 4


@given(st.sets(st.integers(0, COUNT - 1)))
def test_any_selection_of_rows_is_read(rows: set[int]) -> None:
    file = io.BytesIO(CONTENT)
    index = read_index(file, NAME, DIGEST, DIM)
    found = dict(read_rows(file, index, sorted(rows)))
    assert set(found) == rows
    assert all(np.array_equal(values, FEATURES[row]) for row, values in found.items())
