"""Small storages with stored asset files, as the assets leave them, and sets made of them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from upath import UPath

from rakuten_assets.dataset.layout import SPLITS, X_TEST_FILE, X_TRAIN_FILE, Y_TRAIN_FILE, Split
from rakuten_assets.outputs.contents import ExtractorContents, SetContents, StoredFile, read_metadata
from rakuten_assets.outputs.index import build_index
from rakuten_assets.outputs.publication import Publication, publish
from rakuten_assets.storage.arrays import write_array
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.tables import write_table

CODES = (10, 40, 2583)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def catalogue(train_rows: int, test_rows: int) -> pd.DataFrame:
    """The manifest of a catalogue in which every third row is of each class."""
    rows = [("train", row) for row in range(train_rows)] + [("test", row) for row in range(test_rows)]
    number = np.arange(len(rows), dtype=np.int64)
    codes = [CODES[row % len(CODES)] if split == "train" else pd.NA for split, row in rows]
    return pd.DataFrame(
        {
            "split": pd.Series([split for split, _ in rows], dtype="str"),
            "row": pd.Series([row for _, row in rows], dtype="int64"),
            "index": number,
            "image_id": 1000 + number,
            "product_id": 5000 + number,
            "file": pd.Series(
                [
                    f"image_{split}/image_{1000 + n}_product_{5000 + n}.jpg"
                    for n, (split, _) in enumerate(rows)
                ],
                dtype="str",
            ),
            "code": pd.array(codes, dtype="Int64"),
            "shard": pd.Series([f"{n % 2:02d}" for n in number], dtype="str"),
        }
    )


def duplicate_groups(manifest: pd.DataFrame, sha256: Sequence[str] | None = None) -> pd.DataFrame:
    """Two neighbouring rows in a near group; each file is its own exact and pixel group, one without a picture too."""
    own = list(sha256) if sha256 is not None else digests_of(manifest)
    tokens = [
        hashlib.sha256(f"no picture: {file}".encode()).hexdigest() if row == 3 else digest
        for row, file, digest in zip(manifest["row"], manifest["file"], own, strict=True)
    ]
    exact = pd.Series([token[:16] for token in tokens], dtype="str")
    near = pd.Series([exact[n - n % 2] for n in range(len(exact))], dtype="str")
    return pd.DataFrame(
        {"file": manifest["file"], "exact_group": exact, "pixel_group": exact, "near_group": near}
    )


def digests_of(manifest: pd.DataFrame) -> list[str]:
    """A sha256 for each row's file."""
    return [hashlib.sha256(file.encode()).hexdigest() for file in manifest["file"]]


def stored_set(
    root: Path | UPath,
    *,
    train_rows: int = 12,
    test_rows: int = 5,
    extractors: Sequence[str] = ("tiny",),
    seed: int = 0,
    dim: int = 4,
    timestamp: str = "2026-01-01T00:00:00+00:00",
    sha256: Sequence[str] | None = None,
    data: str = "synthetic catalogue",
    settings: dict[str, Any] | None = None,
) -> SetContents:
    """Write the asset files of a set into `root`/assets. `seed` makes other features, labels stay.

    Row 3 of each split is invalid.
    """
    assets = root / "assets"
    manifest = catalogue(train_rows, test_rows)
    rows = {"train": train_rows, "test": test_rows}
    masks: dict[Split, Any] = {split: np.arange(rows[split]) != 3 for split in SPLITS}
    encoder = {str(code): label for label, code in enumerate(CODES)}
    labels = np.array([encoder[str(code)] for code in manifest["code"][:train_rows]], dtype=np.int64)

    digests = list(sha256) if sha256 is not None else digests_of(manifest)
    sidecars: dict[Split, pd.DataFrame] = {}
    for split in SPLITS:
        of_split = manifest[manifest["split"] == split]
        own = [digest for digest, one in zip(digests, manifest["split"], strict=True) if one == split]
        ids = of_split["image_id"].reset_index(drop=True)
        sidecars[split] = pd.DataFrame({"image_id": ids, "sha256": own, "valid": masks[split]})

    def store(asset: str, array: Any) -> StoredFile:
        path = assets / asset / f"{asset.rpartition('/')[2]}.npy"
        return StoredFile.array(path, write_array(path, array))

    def extractor(number: int, name: str) -> ExtractorContents:
        fingerprint = {"backbone": name, "weights": f"seeded:{seed}", "feature_dim": dim + number}
        random = np.random.default_rng([seed, number])
        features = {}
        for split in SPLITS:
            vectors = random.normal(size=(rows[split], dim + number)).astype(np.float32)
            if split == "train":
                vectors[:, 0] += 5 * labels
            vectors[~masks[split]] = 0
            features[split] = store(f"{name}/{split}_feature_matrix", vectors)
        document = {
            "model": name,
            "feature_dim": dim + number,
            "train_samples": train_rows,
            "test_samples": test_rows,
            "num_classes": len(CODES),
            "label_encoder": encoder,
            "class_weights": [1.0] * len(CODES),
            "timestamp": timestamp,
            "data": data,
            "fingerprint": hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest(),
            "weights_note": "SEEDED",
            "settings": settings or {},
        }
        path = assets / name / "metadata" / "metadata.json"
        write_bytes(path, json.dumps(document).encode())
        file, document = read_metadata(path)
        return ExtractorContents(name, features, dict.fromkeys(SPLITS, fingerprint), sidecars, file, document)

    return SetContents(
        index=build_index(manifest, labels, masks, duplicate_groups(manifest, sha256)),
        labels=store("train_labels", labels),
        valid={split: store(f"{split}_valid", masks[split]) for split in SPLITS},
        label_encoder=encoder,
        extractors=[extractor(number, name) for number, name in enumerate(extractors)],
    )


def published(root: Path | UPath, **options: Any) -> Publication:
    """Store a set and publish it."""
    return publish(root, stored_set(root, **options), now=NOON)


def with_extractor(contents: SetContents, **changes: Any) -> SetContents:
    """A set whose first extractor is changed."""
    first, *others = contents.extractors
    return replace(contents, extractors=[replace(first, **changes), *others])


def with_pictures(root: Path, **options: Any) -> Path:
    """A published set with its scan, and the catalogue of its pictures where the synthetic one lies.

    The file of row 3 of each split is not an image; every picture has one colour of its own.
    """
    rows = {"synthetic_train_rows": 12, "synthetic_test_rows": 5, "synthetic_seed": 7}
    rows |= {f"synthetic_{key}": value for key, value in options.items() if key.endswith("_rows")}
    manifest = catalogue(rows["synthetic_train_rows"], rows["synthetic_test_rows"])
    folder = root / "synthetic" / "{}x{}-seed{}".format(*rows.values())
    contents = []
    for number, (split, row, file) in enumerate(
        zip(manifest["split"], manifest["row"], manifest["file"], strict=True)
    ):
        image = io.BytesIO()
        Image.new("RGB", (40, 30), colour_of(number)).save(image, "png")
        contents.append(b"not an image" if row == 3 else image.getvalue())
        write_bytes(folder / "images" / file, contents[-1])
        assert split in file
    for name in (X_TRAIN_FILE, Y_TRAIN_FILE, X_TEST_FILE):
        (folder / name).touch()
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    scan = manifest.assign(
        sha256=digests, status=np.where(manifest["row"] == 3, "unreadable", "ok"), width=40, height=30
    )
    for shard, part in scan.groupby("shard"):
        path = root / "assets" / "image_scan" / f"{shard}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, part)
    published(root, sha256=digests, settings=rows, **options)
    return folder


def colour_of(number: int) -> tuple[int, int, int]:
    """The colour of a row's picture."""
    return number * 3, 255 - number * 3, 128
