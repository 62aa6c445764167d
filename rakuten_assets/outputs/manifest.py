"""`manifest.json`: which files make up the published set, what each of them must be, and whose they are.

Written last, it commits the set. It holds its own sha256: a change of any of its bytes is noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.names import (
    INDEX_FILE,
    LABELS_FILE,
    METADATA_FILE,
    features_file,
    files_of,
    make_command,
    valid_file,
)
from rakuten_assets.storage import safe_name
from rakuten_assets.storage.arrays import ArrayRecord
from rakuten_assets.storage.files import sha256_of_bytes, sha256_of_json

FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SELF = "manifest_sha256"


@dataclass(frozen=True)
class PublishedFile:
    """What a published file must be.

    Attributes:
        bytes: its size.
        sha256: of its bytes.
        content: digest of what it says. It is `sha256`, except where the bytes hold more than that: the time of
            making in `metadata.json`, the writer's version in a table. Files of the same content are not replaced.
        dtype: of an array, as numpy writes it (`<f4`); else None.
        shape: of an array or a table; else None.
    """

    bytes: int
    sha256: str
    content: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None

    @classmethod
    def of_array(cls, record: ArrayRecord) -> PublishedFile:
        return cls(record.bytes, record.sha256, record.sha256, record.dtype, record.shape)

    def as_dict(self) -> dict[str, Any]:
        shape = None if self.shape is None else list(self.shape)
        return {
            "bytes": self.bytes,
            "sha256": self.sha256,
            "content": self.content,
            "dtype": self.dtype,
            "shape": shape,
        }


@dataclass(frozen=True)
class PublishedExtractor:
    """An extractor whose features are in the set.

    Attributes:
        name: as in the names of its files.
        configured: False if it is no longer among the configured ones. Its files are kept as long as the catalogue
            is the one that they were made of.
        feature_dim: length of a vector.
        fingerprint: digest of everything that a vector depends on, besides the image.
    """

    name: str
    configured: bool
    feature_dim: int
    fingerprint: str


@dataclass(frozen=True)
class Manifest:
    """A published set.

    Attributes:
        published_at: ISO 8601, UTC. No part of `set_id`.
        release: version of this package. No part of `set_id`.
        packages: versions of the packages that read and write the files. No part of `set_id`.
        catalogue: digest of the catalogue's rows: ids, codes, which images, which of them are valid.
        rows: number of rows of each split.
        extractors: the configured ones in their order, then those that are kept.
        files: by name, without `manifest.json` itself.
        withdrawn: name -> sha256 of files of the set before, to be removed.
    """

    published_at: str
    release: str
    packages: Mapping[str, str]
    catalogue: str
    rows: Mapping[Split, int]
    extractors: tuple[PublishedExtractor, ...]
    files: Mapping[str, PublishedFile]
    withdrawn: Mapping[str, str] = field(default_factory=dict)

    @property
    def set_id(self) -> str:
        """Hexadecimal digest of what the set says: the same content has the same id, whenever it was published."""
        said = {
            "catalogue": self.catalogue,
            "extractors": [[one.name, one.configured, one.fingerprint] for one in self.extractors],
            "files": {name: file.content for name, file in self.files.items()},
        }
        return sha256_of_json(said)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all extractors in the set."""
        return tuple(one.name for one in self.extractors)

    def to_bytes(self) -> bytes:
        """The file's content: the same manifest gives the same bytes."""
        content = {
            "format": FORMAT,
            "set": self.set_id,
            "published_at": self.published_at,
            "release": self.release,
            "packages": dict(sorted(self.packages.items())),
            "catalogue": self.catalogue,
            "rows": {split: self.rows[split] for split in SPLITS},
            "extractors": [
                {
                    "name": one.name,
                    "configured": one.configured,
                    "feature_dim": one.feature_dim,
                    "fingerprint": one.fingerprint,
                }
                for one in self.extractors
            ],
            "files": {name: file.as_dict() for name, file in sorted(self.files.items())},
            "withdrawn": dict(sorted(self.withdrawn.items())),
        }
        content[_SELF] = sha256_of_bytes(json.dumps(content).encode())
        return f"{json.dumps(content, indent=2)}\n".encode()

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Manifest:
        """Read what `to_bytes` wrote.

        Args:
            name: the file's, for messages.

        Raises:
            StoreError: if it is anything else, to the byte, or if what it says does not fit together.
        """
        try:
            parsed = json.loads(content)
            if parsed["format"] != FORMAT:
                raise StoreError(
                    f"{name} is a manifest of format {str(parsed['format'])[:20]}; this release reads {FORMAT}. "
                    f"Publish again with this release: {make_command('outputs')}"
                )
            manifest = cls(
                published_at=_text(parsed["published_at"]),
                release=_text(parsed["release"]),
                packages={_text(key): _text(value) for key, value in parsed["packages"].items()},
                catalogue=_digest(parsed["catalogue"]),
                rows={split: _count(parsed["rows"][split]) for split in SPLITS},
                extractors=tuple(_extractor(one) for one in parsed["extractors"]),
                files={
                    safe_name(key, "published name"): _file(value) for key, value in parsed["files"].items()
                },
                withdrawn={
                    safe_name(key, "published name"): _digest(value)
                    for key, value in parsed["withdrawn"].items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise StoreError(f"{name} is damaged ({_shortly(error)}). {_WAY_OUT}") from None
        if manifest.to_bytes() != content:
            raise StoreError(f"{name} is damaged: it does not have the bytes that were written. {_WAY_OUT}")
        if problems := _contradictions(manifest):
            raise StoreError(f"{name} contradicts itself: {'; '.join(problems)}. {_WAY_OUT}")
        return manifest


_WAY_OUT = f"Publish the set again: {make_command('outputs')}"


def _contradictions(manifest: Manifest) -> list[str]:
    """Why the files cannot be a set: missing ones, row counts that differ."""
    expected: dict[str, tuple[int, ...] | None] = {METADATA_FILE: None, INDEX_FILE: None}
    expected[LABELS_FILE] = (manifest.rows["train"],)
    for split in SPLITS:
        expected[valid_file(split)] = (manifest.rows[split],)
        for one in manifest.extractors:
            expected[features_file(split, one.name)] = (manifest.rows[split], one.feature_dim)
    for one in manifest.extractors:
        expected.update(dict.fromkeys(files_of(one.name)[2:]))
    problems = [f"{name} is not listed" for name in expected if name not in manifest.files]
    for name, shape in expected.items():
        found = manifest.files[name].shape if name in manifest.files else None
        if shape is not None and found is not None and found != shape:
            problems.append(f"{name} is listed with shape {found}, expected {shape}")
    if len(set(manifest.names)) < len(manifest.names):
        problems.append("an extractor is listed twice")
    if not any(one.configured for one in manifest.extractors):
        problems.append("no extractor is listed as configured")
    return problems


def _extractor(content: Any) -> PublishedExtractor:
    name = safe_name(_text(content["name"]), "extractor")
    configured = content["configured"]
    if not isinstance(configured, bool):
        raise ValueError("`configured` is neither true nor false")
    return PublishedExtractor(
        name, configured, _count(content["feature_dim"]), _digest(content["fingerprint"])
    )


def _file(content: Any) -> PublishedFile:
    shape = content["shape"]
    return PublishedFile(
        _count(content["bytes"]),
        _digest(content["sha256"]),
        _digest(content["content"]),
        None if content["dtype"] is None else _text(content["dtype"]),
        None if shape is None else tuple(_count(length) for length in shape),
    )


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:  # A bool is an int, and no count.
        raise ValueError(f"{str(value)[:40]!r} is not a count")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:40]!r} is not text")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(f"{str(value)[:40]!r} is not a sha256")
    return value


def _shortly(error: BaseException) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)[:200]
