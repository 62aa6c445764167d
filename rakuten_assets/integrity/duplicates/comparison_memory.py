"""What earlier runs found when they compared pairs of files on pixels, so that no pair is compared twice.

An outcome (same picture or not) is kept by the content of the two files: names, order and groups do not matter. It
holds for one way of comparing only; a memory of another way (other thresholds, another Pillow) lies in another file
and is not seen.

The file is a sha256 of the way of comparing and of all that follows, then a safetensors of `files`, uint8 (f, 32): the
sha256 of each file of which something is known; `left`, `right`, int32 (p,): places in it; `same`, uint8
(p,). Nothing is taken from a file whose checksum is wrong, whichever bit of it changed. 112,675 pairs of the full
catalogue take 2.3 MB.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save
from upath import UPath

from rakuten_assets.integrity.duplicates.near_duplicates import Positions
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import read_bytes

_FORMAT = 1
_DIGEST_BYTES = 32
_DIGEST = (
    f"S{_DIGEST_BYTES}"  # compared byte by byte; trailing zeros, which NumPy drops, are in all of them alike
)

Digests = npt.NDArray[np.bytes_]


class ComparisonMemory:
    """Outcomes on pairs of some files, by their positions in `sha256`.

    Damage, and a folder that cannot be read or written, cost time and nothing else: `log` is told in a sentence.
    Of two processes that save at the same time the last one's outcomes stay.

    Args:
        folder: where the memory lies; None: nothing is known and nothing is kept.
        basis: all that an outcome depends on apart from the two files; JSON-able.
        sha256: of each file's bytes, 64 hexadecimal digits.
        log: told of a memory that cannot be used.
    """

    def __init__(
        self,
        folder: Path | UPath | None,
        basis: Mapping[str, Any],
        sha256: Sequence[str],
        log: Callable[[str], None] | None = None,
    ) -> None:
        version = json.dumps({"format": _FORMAT, **basis}, sort_keys=True).encode()
        self._version = hashlib.sha256(version).digest()
        self._file = None if folder is None else folder / f"{self._version.hex()[:32]}.outcomes"
        self._log = log or (lambda message: None)
        self._digests = _digests(b"" if folder is None else bytes.fromhex("".join(sha256)))
        self._keys, self._same = self._located()
        self._wanted = np.zeros(len(self._keys), dtype=bool)
        self._learned: list[tuple[Positions, npt.NDArray[np.bool_]]] = []

    def alike(self) -> tuple[Positions, Positions]:
        """Pairs that are known to show the same picture, the smaller position first."""
        left, right = np.divmod(self._keys[self._same], max(1, len(self._digests)))
        return left, right

    def knows(self, left: Positions, right: Positions) -> npt.NDArray[np.bool_]:
        """Whether there is an outcome on each pair, bool (n,). What is asked for is kept when saving."""
        if not len(self._keys):
            return np.zeros(len(left), dtype=bool)
        keys = self._key(left, right)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known: npt.NDArray[np.bool_] = self._keys[places] == keys
        self._wanted[places[known]] = True
        return known

    def learn(self, left: Positions, right: Positions, same: npt.NDArray[np.bool_]) -> None:
        """Take outcomes on pairs that were compared now."""
        if self._file is not None and len(left):
            self._learned.append((self._key(left, right), same))

    def save(self) -> None:
        """Keep what was learned, and of what was known before that which was asked for. Nothing new: do nothing."""
        if self._file is None or not self._learned:
            return
        keys = np.concatenate([self._keys[self._wanted], *(keys for keys, _ in self._learned)])
        same = np.concatenate([self._same[self._wanted], *(same for _, same in self._learned)])
        keys, first = np.unique(keys, return_index=True)
        try:
            write_bytes(self._file, self._encoded(keys, same[first]))
        except OSError as error:
            self._log(f"{error}; until then every run compares these pairs again")

    def _key(self, left: Positions, right: Positions) -> Positions:
        return np.minimum(left, right) * len(self._digests) + np.maximum(left, right)

    def _encoded(self, keys: Positions, same: npt.NDArray[np.bool_]) -> bytes:
        left, right = np.divmod(keys, len(self._digests))
        files = np.union1d(left, right)
        place = np.empty(len(self._digests), dtype=np.int32)
        place[files] = np.arange(len(files), dtype=np.int32)
        digests = self._digests[files].view(np.uint8).reshape(-1, _DIGEST_BYTES)
        content = save(
            {"files": digests, "left": place[left], "right": place[right], "same": same.astype(np.uint8)}
        )
        return self._checksum(content) + content

    def _located(self) -> tuple[Positions, npt.NDArray[np.bool_]]:
        """Keys, ascending, and outcomes of the stored pairs whose files are both here."""
        stored = self._read()
        if stored is None or not len(self._digests):
            return np.empty(0, np.int64), np.empty(0, bool)
        order = np.argsort(self._digests)
        places = np.searchsorted(self._digests[order], files := _digests(stored["files"].tobytes()))
        positions = order[np.minimum(places, len(order) - 1)]
        here = self._digests[positions] == files
        left, right = stored["left"], stored["right"]
        both = here[left] & here[right]
        keys, first = np.unique(self._key(positions[left[both]], positions[right[both]]), return_index=True)
        return keys, stored["same"][both][first].astype(bool)

    def _read(self) -> dict[str, npt.NDArray[Any]] | None:
        if self._file is None:
            return None
        try:
            stored = read_bytes(self._file)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._log(f"{self._file} cannot be read ({error}): all candidate pairs are compared again")
            return None
        content = stored[_DIGEST_BYTES:]
        if stored[:_DIGEST_BYTES] != self._checksum(content):
            self._log(
                f"{self._file} is damaged: all candidate pairs are compared again, and it is written anew"
            )
            return None
        return load(content)

    def _checksum(self, content: bytes) -> bytes:
        return hashlib.sha256(self._version + content).digest()


def _digests(content: bytes) -> Digests:
    return np.frombuffer(content, dtype=_DIGEST)
