"""The stored files of which a set is made, and whether they belong together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from upath import UPath

from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.fingerprint import differences
from rakuten_assets.extraction.metadata import content_version, fingerprint_digest
from rakuten_assets.outputs.manifest import PublishedExtractor, PublishedFile
from rakuten_assets.outputs.names import (
    INDEX_FILE,
    LABELS_FILE,
    METADATA_FILE,
    features_file,
    make_command,
    metadata_file,
    valid_file,
)
from rakuten_assets.storage import safe_name
from rakuten_assets.storage.arrays import ArrayRecord
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.storage.reading import read_bytes
from rakuten_assets.verdicts import Verdict

RESERVED = frozenset({"manifest", "valid", "labels", "index"})
"""Names that an extractor cannot have."""


@dataclass(frozen=True)
class StoredFile:
    """A file of an asset, and what it must be."""

    path: Path | UPath
    published: PublishedFile

    @classmethod
    def array(cls, path: Path | UPath, record: ArrayRecord) -> StoredFile:
        return cls(path, PublishedFile.of_array(record))


@dataclass(frozen=True)
class ExtractorContents:
    """What one extractor gives to the set.

    Attributes:
        name: as in the names of its files.
        features: by split, the file of float32 (rows, dim).
        fingerprints: by split, what the vectors depend on, as the extractor's `as_dict()`.
        rows: by split, the rows that the vectors are of: image_id, sha256 ("" where there are no bytes), valid.
        metadata_file: the stored `metadata.json`.
        metadata: what that file says.
    """

    name: str
    features: Mapping[Split, StoredFile]
    fingerprints: Mapping[Split, Mapping[str, Any]]
    rows: Mapping[Split, pd.DataFrame]
    metadata_file: StoredFile
    metadata: Mapping[str, Any]

    @property
    def entry(self) -> PublishedExtractor:
        """As it is listed in the manifest."""
        shape = self.features["train"].published.shape or (0, 0)
        return PublishedExtractor(self.name, True, shape[-1], fingerprint_digest(self.fingerprints["train"]))


@dataclass(frozen=True)
class SetContents:
    """Everything that a set is made of.

    Attributes:
        index: as from `build_index`.
        labels: the file of int64 (train rows,).
        valid: by split, the file of bool (rows,).
        label_encoder: class code, as text -> label.
        extractors: in their order; the first one's metadata are also `metadata.json`.
    """

    index: pd.DataFrame
    labels: StoredFile
    valid: Mapping[Split, StoredFile]
    label_encoder: Mapping[str, int]
    extractors: Sequence[ExtractorContents]

    @property
    def files(self) -> dict[str, StoredFile]:
        """Published name -> stored file, of all but the index."""
        files = {LABELS_FILE: self.labels, METADATA_FILE: self.extractors[0].metadata_file}
        files |= {valid_file(split): self.valid[split] for split in SPLITS}
        for extractor in self.extractors:
            files[metadata_file(extractor.name)] = extractor.metadata_file
            for split in SPLITS:
                files[features_file(split, extractor.name)] = extractor.features[split]
        return files


def read_metadata(path: Path | UPath) -> tuple[StoredFile, dict[str, Any]]:
    """A stored `metadata.json`, and what it says.

    Raises:
        FileNotFoundError: if there is none.
        StoreError: if it is not a JSON mapping.
    """
    content = read_bytes(path)
    try:
        document = json.loads(content)
    except ValueError as error:
        raise StoreError(f"{path} is not a JSON document: {error}") from None
    if not isinstance(document, dict):
        raise StoreError(f"{path} is not a metadata document: it holds no mapping")
    published = PublishedFile(len(content), sha256_of_bytes(content), content_version(document))
    return StoredFile(path, published), document


def belong_together(contents: SetContents) -> Verdict:
    """Whether all files are of one catalogue, and each extractor's of one extractor.

    Compared are row counts, dtypes, masks, labels, fingerprints, and what the metadata say of them. The files'
    content is compared with their records when they are staged.
    """
    problems = _of_the_catalogue(contents)
    names = [extractor.name for extractor in contents.extractors]
    if not names:
        problems.append("there is no extractor; set RAKUTEN_BACKBONE")
    problems += [f"extractor {name} is given twice" for name in sorted(set(names)) if names.count(name) > 1]
    for extractor in contents.extractors:
        problems += _of_an_extractor(contents, extractor)
    summary = "; ".join(problems) or (
        f"{_count(contents, 'train'):,} train and {_count(contents, 'test'):,} test rows, "
        f"{len(names)} extractor{'s' if len(names) != 1 else ''}: rows, masks, labels and fingerprints agree"
    )
    return Verdict(
        "set_belongs_together", not problems, summary, {"files": len(contents.files) + 1 if names else 0}
    )


def _of_the_catalogue(contents: SetContents) -> list[str]:
    problems = []
    wanted: dict[str, tuple[StoredFile, str, Split]] = {LABELS_FILE: (contents.labels, "<i8", "train")}
    wanted |= {valid_file(split): (contents.valid[split], "|b1", split) for split in SPLITS}
    for name, (file, dtype, split) in wanted.items():
        asset = name.removesuffix(".npy")
        problems += _unlike(name, file.published, dtype, (_count(contents, split),), asset)
    train = contents.index[contents.index["split"] == "train"]
    codes = train["code"].astype("int64").astype(str)
    if not codes.map(dict(contents.label_encoder)).astype("Int64").equals(train["label"].astype("Int64")):
        problems.append(
            f"{LABELS_FILE} is not what label_encoder makes of the codes: "
            f"{make_command('label_encoder', 'train_labels')}"
        )
    return problems


def _of_an_extractor(contents: SetContents, extractor: ExtractorContents) -> list[str]:
    name, problems = extractor.name, []
    try:
        safe_name(name, "extractor")
    except StoreError as error:
        return [str(error)]
    if name in RESERVED:
        problems.append(f"an extractor cannot be called {name}: its files would be taken for others")
    for split in SPLITS:
        asset = f"{name}/{split}_feature_matrix"
        shape = (_count(contents, split), extractor.entry.feature_dim)
        published = extractor.features[split].published
        problems += _unlike(features_file(split, name), published, "<f4", shape, asset)
        if others := _differing_rows(contents.index[contents.index["split"] == split], extractor.rows[split]):
            problems.append(
                f"{features_file(split, name)} was made of {others} than {INDEX_FILE} lists: "
                f"{make_command(asset)} after the shards that changed"
            )
    train, test = (fingerprint_digest(extractor.fingerprints[split]) for split in SPLITS)
    if train != test:
        differ = differences(extractor.fingerprints["train"], extractor.fingerprints["test"])
        problems.append(
            f"train and test features of {name} are by different extractors (they differ in {', '.join(differ)}): "
            f"{make_command(f'{name}/train_feature_matrix', f'{name}/test_feature_matrix')} after their shards"
        )
    expected = {
        "fingerprint": train,
        "feature_dim": extractor.entry.feature_dim,
        "train_samples": _count(contents, "train"),
        "test_samples": _count(contents, "test"),
        "label_encoder": dict(contents.label_encoder),
    }
    differ = [key for key, value in expected.items() if extractor.metadata.get(key) != value]
    if differ:
        problems.append(
            f"{metadata_file(name)} says something else than the arrays do ({', '.join(differ)}): "
            f"{make_command(f'{name}/metadata')}"
        )
    weights = contents.extractors[0].metadata.get("class_weights")
    if extractor.metadata.get("class_weights") != weights:
        problems.append(
            f"{metadata_file(name)} has other class weights than {METADATA_FILE}: {make_command(f'{name}/metadata')}"
        )
    return problems


def _differing_rows(index: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What is different about the rows that vectors are of, in words; "" if nothing is."""
    if not np.array_equal(index["image_id"].to_numpy(), rows["image_id"].to_numpy()):
        return "other rows"
    if not np.array_equal(index["valid"].to_numpy(), rows["valid"].to_numpy()):
        return "another validity mask"
    # An exact group's id is the beginning of its images' sha256; a file that holds no picture is in no such group.
    valid = rows[rows["valid"].to_numpy(dtype=bool)]
    groups = index.loc[index["valid"].to_numpy(dtype=bool), "exact_group"]
    pairs = zip(valid["sha256"], groups, valid["image_id"], strict=True)
    changed = [image for sha256, group, image in pairs if not sha256.startswith(group)]
    return f"other image files ({len(changed):,}, the first of imageid {changed[0]})" if changed else ""


def _unlike(name: str, found: PublishedFile, dtype: str, shape: tuple[int, ...], asset: str) -> list[str]:
    if (found.dtype, found.shape) == (dtype, shape):
        return []
    return [
        f"{name} holds {found.dtype} {found.shape}, {INDEX_FILE} asks for {dtype} {shape}: {make_command(asset)}"
    ]


def _count(contents: SetContents, split: Split) -> int:
    return int((contents.index["split"] == split).sum())
