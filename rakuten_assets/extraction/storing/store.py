"""Finished feature rows on storage, by image sha256, for one fingerprint: what makes a run resumable.

- rows arrive in segments (`segments`): immutable files, each written whole and renamed into place, so that a
  crash loses only what was not yet a segment, and writers never meet
- readers list the folder; a damaged segment is set aside with its good rows saved, its bad ones computed again
- many small segments are merged into few large ones; a reader that misses a merged one lists again

`cache/rows/<fingerprint digest>/` also holds `extractor.json`: the fingerprint in words, and what computed last.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.key_index import KeyIndex
from rakuten_assets.extraction.storing.segments import (
    SUFFIX,
    SegmentIndex,
    encode_segment,
    read_index,
    read_rows,
)
from rakuten_assets.storage.files import is_local, write_bytes
from rakuten_assets.storage.leftovers import remove_temporary_files
from rakuten_assets.storage.reading import bucket_files, open_sized, read_bytes, read_together
from rakuten_assets.storage.records import read_record, write_record
from rakuten_assets.storage.transient import is_transient

DAMAGED_SUFFIX = ".damaged"
ABOUT_FILE = "extractor.json"
_SMALL_ROWS = 2048
_SMALL_SEGMENTS_BEFORE_MERGING = 64
# 21 MB of EfficientNet-B0 rows: few files, and little memory to write one.
_ROWS_OF_A_MERGED_SEGMENT = 4096
_MOST_LISTINGS_OF_A_READ = 5
# Of a bucket's segment up to this size index and rows are one request; of so many, 32 MiB, they are kept until the rows
# are asked for.
_BYTES_OF_ONE_REQUEST = 512 << 10
_MOST_KEPT = 64
# Of these or more, and a quarter of the others, the dictionary is given up and all are sorted anew.
_RECENT_ROWS = 1 << 16


class RowStore:
    """The rows of one fingerprint. Not thread-safe; any number of processes may share the folder.

    Args:
        folder: `cache/rows/<digest>`; made on the first write.
        digest: of the fingerprint that all rows here have.
        dim: length of a row.
        log: told of all damage found.
    """

    def __init__(self, folder: UPath, digest: str, dim: int, log: Callable[[str], None]) -> None:
        self.folder = folder
        self._digest = digest
        self._dim = dim
        self._log = log
        self._segments: dict[str, SegmentIndex] = {}
        self._sizes: dict[str, int] = {}
        self._kept: dict[str, bytes] = {}
        self._unusable: set[str] = set()
        # Built when it is first asked for; None after any change but an `append`, whose rows are looked for in
        # `_recent` until they are many.
        self._index: KeyIndex | None = None
        self._recent: dict[bytes, tuple[str, int]] = {}
        if is_local(folder):
            remove_temporary_files(Path(folder))
        self.refresh()

    def __len__(self) -> int:
        index = self._key_index()
        return len(index) + int((index.find(list(self._recent))[0] < 0).sum())

    def __contains__(self, key: bytes) -> bool:
        return bool(self.contains([key])[0])

    def contains(self, keys: Sequence[bytes]) -> NDArray[np.bool_]:
        """Whether there is a row of each key, bool (n,)."""
        there: NDArray[np.bool_] = self._key_index().find(keys)[0] >= 0
        if self._recent:
            there |= np.fromiter((key in self._recent for key in keys), np.bool_, len(keys))
        return there

    def refresh(self) -> None:
        """Take notice of segments that this or another process has added or merged away."""
        self._sizes = present = self._present()
        for name in [name for name in self._segments if name not in present]:
            self._drop(name)
        new = sorted(present.keys() - self._segments.keys() - self._unusable)
        for name, index_of in read_together(self._read_index, new, far=not is_local(self.folder)):
            try:
                self._segments[name] = index_of()
                self._index = None
            except FileNotFoundError:
                continue
            except StoreError as error:
                self._set_aside(name, str(error))
            except OSError as error:
                self._refuse_no_answer(error)
                self._unusable.add(name)
                self._log(f"{self.folder / name} cannot be read ({error}); its rows will be computed again")

    def read(self, keys: Sequence[bytes], put: Callable[[int, NDArray[np.float32]], None]) -> list[int]:
        """Call `put(i, features of keys[i])` for every key that the store can give; return the others' indices.

        Features are float32 (dim,), verified; damaged rows are among the others.
        """
        wanted = list(range(len(keys)))
        for _ in range(_MOST_LISTINGS_OF_A_READ):
            wanted = self._read_once(keys, wanted, put)
            if not self.contains([keys[i] for i in wanted]).any():
                break
        return sorted(wanted)

    def append(self, keys: Sequence[bytes], features: NDArray[np.float32]) -> None:
        """Commit rows: float32 (n, dim). When this returns they survive a crash.

        Raises:
            StoreError: the storage takes no more; what it held is intact.
        """
        if not keys:
            return
        name, content = encode_segment(features, keys, self._digest)
        self._write(name, content)
        index = read_index(io.BytesIO(content), name, self._digest, self._dim)
        self._segments[name] = index
        self._sizes[name] = len(content)
        self._recent.update((key, (name, row)) for row, key in enumerate(keys))
        if len(self._recent) > max(_RECENT_ROWS, len(self._index or ()) // 4):
            self._index, self._recent = None, {}

    def merge_small_segments(self) -> None:
        """Rewrite small segments as few large ones, once there are many of them."""
        small = sorted(name for name, index in self._segments.items() if len(index) < _SMALL_ROWS)
        if len(small) <= _SMALL_SEGMENTS_BEFORE_MERGING:
            return
        for group in _groups(small, [len(self._segments[name]) for name in small]):
            self._merge(group)
        self.refresh()

    def write_about(self, about: dict[str, Any]) -> None:
        """Record what the rows are and what computes them, for a reader and for `about`."""
        write_record(self.folder / ABOUT_FILE, about)

    def about(self) -> dict[str, Any]:
        """What `write_about` last recorded; {} where there is nothing, or nothing whole (which the log says)."""
        path = self.folder / ABOUT_FILE
        try:
            return read_record(path)
        except FileNotFoundError:
            return {}
        except (StoreError, OSError) as error:
            self._log(f"{error}; it only describes the rows, and is written anew by the next computation")
            return {}

    def _present(self) -> dict[str, int]:
        """Segments in the folder; with their sizes, which a bucket's listing says and a folder's does not (0)."""
        try:
            if is_local(self.folder):
                listed = {path.name: 0 for path in self.folder.iterdir()}
            else:
                listed = {name: int(entry["size"]) for name, entry in bucket_files(self.folder).items()}
        except (FileNotFoundError, NotADirectoryError):  # universal_pathlib's word for a missing folder
            return {}
        return {
            name: size for name, size in listed.items() if name.endswith(SUFFIX) and not name.startswith(".")
        }

    def _read_index(self, name: str) -> SegmentIndex:
        try:
            return self._fetched_index(name)
        except StoreError:
            if is_local(self.folder):
                raise
            return self._fetched_index(name)  # It may have been damaged on its way here.

    def _fetched_index(self, name: str) -> SegmentIndex:
        with self._open(name) as file:
            index = read_index(file, name, self._digest, self._dim)
            if isinstance(file, io.BytesIO) and len(self._kept) < _MOST_KEPT:  # all of it was fetched
                self._kept[name] = file.getvalue()
        return index

    def _open(self, name: str) -> IO[bytes]:
        """A segment to read in. What was kept of it is given once: whoever looks again sees what is stored."""
        path = self.folder / name
        if is_local(path):
            return path.open("rb")
        if (content := self._kept.pop(name, None)) is not None:
            return io.BytesIO(content)
        if self._sizes[name] > _BYTES_OF_ONE_REQUEST:
            return open_sized(path, self._sizes[name])
        return io.BytesIO(read_bytes(path))

    def _key_index(self) -> KeyIndex:
        if self._index is None:
            self._index = KeyIndex(self._segments)
            self._recent = {}
        return self._index

    def _places(self, keys: Sequence[bytes]) -> Iterator[tuple[str, int] | None]:
        """Segment and row of each key, None where there is none."""
        index = self._key_index()
        for key, segment, row in zip(keys, *map(np.ndarray.tolist, index.find(keys)), strict=True):
            yield (index.names[segment], row) if segment >= 0 else self._recent.get(key)

    def _read_once(
        self, keys: Sequence[bytes], wanted: Iterable[int], put: Callable[[int, NDArray[np.float32]], None]
    ) -> list[int]:
        by_segment: dict[str, list[tuple[int, int]]] = defaultdict(list)
        left = []
        wanted = list(wanted)
        for i, place in zip(wanted, self._places([keys[i] for i in wanted]), strict=True):
            if place is None:
                left.append(i)
            else:
                by_segment[place[0]].append((place[1], i))
        for name, places in by_segment.items():
            if (index := self._segments.get(name)) is None:  # merged away while the ones before were read
                left += [i for _, i in places]
                continue
            places.sort()
            rows = [row for row, _ in places]
            damaged = []
            try:
                with self._open(name) as file:
                    for (_, i), (_, features) in zip(places, read_rows(file, index, rows), strict=True):
                        if features is None:
                            damaged.append(i)
                        else:
                            put(i, features)
            except FileNotFoundError:
                self.refresh()
                left += [i for _, i in places]
                continue
            except OSError as error:
                self._refuse_no_answer(error)
                self._drop(name)
                self._unusable.add(name)
                self._log(f"{self.folder / name} cannot be read ({error}); its rows will be computed again")
                left += [i for _, i in places]
                continue
            if damaged:
                left += damaged
                self._salvage(name)
        return left

    def _salvage(self, name: str) -> None:
        """Save the good rows of a segment that has bad ones, then set it aside."""
        try:
            keys, features = self._good_rows(name)
        except FileNotFoundError:  # another process was faster
            self.refresh()
            return
        bad = len(self._segments[name]) - len(keys)
        if not bad:  # It was damaged on its way here, not where it lies.
            return
        if keys:
            self.append(keys, np.stack(features))
        self._set_aside(name, f"{bad} of its rows do not match their checksum")

    def _good_rows(self, name: str) -> tuple[list[bytes], list[NDArray[np.float32]]]:
        index = self._segments[name]
        self._kept.pop(name, None)  # It may have been damaged on its way here, or be gone since.
        keys, features = [], []
        with self._open(name) as file:
            for row, values in read_rows(file, index, range(len(index))):
                if values is not None:
                    keys.append(index.key(row))
                    features.append(values)
        return keys, features

    def _merge(self, names: Sequence[str]) -> None:
        keys: list[bytes] = []
        features: list[NDArray[np.float32]] = []
        seen: set[bytes] = set()
        merged = []
        for name in names:
            try:
                own_keys, own_features = self._good_rows(name)
            except OSError:
                continue
            if len(own_keys) < len(self._segments[name]):
                self._salvage(name)
                continue
            for key, values in zip(own_keys, own_features, strict=True):
                if key not in seen:
                    seen.add(key)
                    keys.append(key)
                    features.append(values)
            merged.append(name)
        if len(merged) < 2:
            return
        self.append(keys, np.stack(features))
        for name in merged:
            (self.folder / name).unlink(missing_ok=True)

    def _refuse_no_answer(self, error: OSError) -> None:
        """Where a bucket did not answer, its rows are not lost: to compute them again would cost more than to wait."""
        if not is_local(self.folder) and is_transient(error):
            raise error

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_bytes(self.folder / name, content)
        except StoreError as error:
            raise StoreError(f"cannot write rows: {error}") from error

    def _drop(self, name: str) -> None:
        """Look for nothing in this segment any more."""
        self._segments.pop(name, None)
        self._kept.pop(name, None)
        self._index = None

    def _set_aside(self, name: str, reason: str) -> None:
        self._drop(name)
        path = self.folder / name
        try:
            path.rename(path.with_name(name + DAMAGED_SUFFIX))
            what = f"set aside as {name}{DAMAGED_SUFFIX}"
        except FileNotFoundError:
            return
        except OSError as error:
            self._unusable.add(name)
            what = f"left where it is ({error})"
        self._log(f"{path} is damaged: {reason}; {what}; rows that it held alone will be computed again")


def _groups(names: Sequence[str], counts: Sequence[int]) -> list[list[str]]:
    """Cut segments into groups of about the size of a merged segment."""
    groups: list[list[str]] = [[]]
    rows = 0
    for name, count in zip(names, counts, strict=True):
        if rows and rows + count > _ROWS_OF_A_MERGED_SEGMENT:
            groups.append([])
            rows = 0
        groups[-1].append(name)
        rows += count
    return groups
