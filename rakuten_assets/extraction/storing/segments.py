"""The store's file format: one immutable safetensors file of some rows, which proves its own integrity.

Tensors: `features` float32 (n, dim), `sha256` uint8 (n, 32) of each row's image, `crc32` uint32 (n,) of each row's
bytes followed by its image's sha256.

- The file's name is a digest of the header and of the two small tensors: reading those few bytes shows any damage to
  them. A row's crc shows any damage to the row.
- No name comes twice: the header holds a random number. If the same rows always had the same name, one process could
  merge them and remove the file that another has just written.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from rakuten_assets.errors import StoreError

SUFFIX = ".safetensors"
KEY_BYTES = 32
_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 1 << 20
_FLOAT_BYTES = 4
# Rows that lie closer than this are read in one go, which on a bucket is one request; at most so many bytes at once.
_GAP_ROWS = 16
_BYTES_IN_A_READ = 8 << 20


@dataclass(frozen=True)
class SegmentIndex:
    """What a segment holds and where.

    Attributes:
        keys: uint8 (n, 32), sha256 of each row's image.
        crcs: uint32 (n,)
        dim: length of a row.
        features_at: the offset in the file of the first row.
    """

    keys: NDArray[np.uint8]
    crcs: NDArray[np.uint32]
    dim: int
    features_at: int

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, row: int) -> bytes:
        """sha256 of a row's image."""
        return bytes(self.keys[row])


def encode_segment(
    features: NDArray[np.float32], keys: Sequence[bytes], fingerprint_digest: str
) -> tuple[str, bytes]:
    """The file name and content of a segment. `features`: float32 (n, dim); `keys`: n times 32 bytes."""
    rows = np.ascontiguousarray(features, np.float32)
    crcs = np.fromiter((_crc(row, key) for row, key in zip(rows, keys, strict=True)), np.uint32, len(keys))
    sha256 = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), KEY_BYTES)
    tensors: dict[str, NDArray[Any]] = {"features": rows, "sha256": sha256, "crc32": crcs}
    content = save(tensors, metadata={"fingerprint": fingerprint_digest, "nonce": uuid.uuid4().hex})
    header = content[: _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")]
    return _name(header, sha256.tobytes(), crcs.tobytes()), content


def read_index(file: IO[bytes], name: str, fingerprint_digest: str, dim: int) -> SegmentIndex:
    """Read and verify everything of a segment but its rows.

    Raises:
        StoreError: the file is not an undamaged segment of this fingerprint; says why.
    """
    size = file.seek(0, 2)
    file.seek(0)
    prefix = _exactly(file, _LENGTH_BYTES)
    length = int.from_bytes(prefix, "little")
    if length > _MAX_HEADER_BYTES:
        raise StoreError(f"a header of {length} bytes is announced")
    header = _exactly(file, length)
    places, metadata = _parsed(header)
    if metadata.get("fingerprint") != fingerprint_digest:
        raise StoreError(f"its rows have another fingerprint ({metadata.get('fingerprint')})")
    data_at = _LENGTH_BYTES + length
    count = _check_layout(places, dim, size - data_at)
    sha256, crcs = _slices(file, data_at, places["sha256"], places["crc32"])
    if _name(prefix + header, sha256, crcs) != name:
        raise StoreError("its header or index does not match its name")
    keys = np.frombuffer(sha256, np.uint8).reshape(count, KEY_BYTES)
    return SegmentIndex(
        keys, np.frombuffer(crcs, "<u4"), dim, data_at + places["features"]["data_offsets"][0]
    )


def read_rows(
    file: IO[bytes], index: SegmentIndex, rows: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.float32] | None]]:
    """Yield (row, its features float32 (dim,)) for ascending `rows`; None in place of a damaged row's features.

    The features are views of a buffer that lives as long as they do.
    """
    row_bytes = index.dim * _FLOAT_BYTES
    for first, last in _runs(rows, max(1, _BYTES_IN_A_READ // row_bytes)):
        file.seek(index.features_at + first * row_bytes)
        content = memoryview(file.read((last - first + 1) * row_bytes))
        for row in rows[_position(rows, first) : _position(rows, last) + 1]:
            at = (row - first) * row_bytes
            piece = content[at : at + row_bytes]
            whole = len(piece) == row_bytes and _crc(piece, index.key(row)) == index.crcs[row]
            yield row, np.frombuffer(piece, "<f4") if whole else None


def _runs(rows: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Cut ascending row numbers into (first, last) of reads of at most `most` rows."""
    if not rows:
        return
    first = last = rows[0]
    for row in rows[1:]:
        if row - last > _GAP_ROWS or row - first >= most:
            yield first, last
            first = row
        last = row
    yield first, last


def _position(rows: Sequence[int], row: int) -> int:
    return int(np.searchsorted(rows, row))


def _crc(row: Any, key: bytes) -> int:
    return zlib.crc32(key, zlib.crc32(row))


def _name(header: bytes, sha256: bytes, crcs: bytes) -> str:
    return hashlib.sha256(header + sha256 + crcs).hexdigest()[:32] + SUFFIX


def _exactly(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise StoreError("it ends early")
    return content


def _slices(file: IO[bytes], data_at: int, one: dict[str, Any], other: dict[str, Any]) -> tuple[bytes, bytes]:
    """The bytes of two tensors; those of neighbours by one read, which on a bucket is one request."""
    first, last = sorted((one, other), key=lambda place: place["data_offsets"][0])
    start, middle = first["data_offsets"]
    after, stop = last["data_offsets"]
    file.seek(data_at + start)
    if middle == after:
        both = _exactly(file, stop - start)
        parts = both[: middle - start], both[middle - start :]
    else:
        before = _exactly(file, middle - start)
        file.seek(data_at + after)
        parts = before, _exactly(file, stop - after)
    return parts if first is one else (parts[1], parts[0])


def _parsed(header: bytes) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    try:
        places = json.loads(header)
        metadata = places.pop("__metadata__")
        if isinstance(metadata, dict) and all(isinstance(place, dict) for place in places.values()):
            return places, metadata
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"its header does not parse ({type(error).__name__})") from error
    raise StoreError("its header does not parse")


def _check_layout(places: dict[str, dict[str, Any]], dim: int, data_bytes: int) -> int:
    """Number of rows; refuses tensors of another kind or that do not fill the file exactly."""
    try:
        count = places["features"]["shape"][0]
        if type(count) is not int or count < 0:
            raise StoreError(f"it announces {count!r} rows")
        expected = {
            "features": ("F32", [count, dim], count * dim * _FLOAT_BYTES),
            "sha256": ("U8", [count, KEY_BYTES], count * KEY_BYTES),
            "crc32": ("U32", [count], count * 4),
        }
        for tensor, (dtype, shape, length) in expected.items():
            start, stop = places[tensor]["data_offsets"]
            if places[tensor]["dtype"] != dtype or places[tensor]["shape"] != shape or stop - start != length:
                raise StoreError(f"its tensor {tensor} is not {dtype} {shape}")
            if not (type(start) is type(stop) is int and 0 <= start <= stop <= data_bytes):
                raise StoreError(f"its tensor {tensor} lies outside the file")
        if set(places) != set(expected) or sum(length for *_, length in expected.values()) != data_bytes:
            raise StoreError("its size is not that of its tensors")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise StoreError(f"its header is incomplete ({type(error).__name__})") from error
    return int(count)
