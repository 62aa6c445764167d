"""Small catalogues with features and pictures, to map."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from rakuten_assets.evaluation.feature_map.contents import SplitFeatures
from rakuten_assets.evaluation.held_out import HeldOut
from rakuten_assets.storage.files import sha256_of_bytes

CODES = np.array([10, 40, 1140, 2583])


@dataclass(frozen=True)
class Mapped:
    train: SplitFeatures
    test: SplitFeatures
    predictions: HeldOut
    groups: pd.DataFrame

    def arguments(self) -> tuple[SplitFeatures, SplitFeatures, HeldOut, np.ndarray, pd.DataFrame]:
        return self.train, self.test, self.predictions, CODES, self.groups


def catalogue(train_rows: int = 120, test_rows: int = 30, dimensions: int = 16, seed: int = 0) -> Mapped:
    """Four classes, each a cloud of its own; rows 0 and 1 of train and 0 of test are one picture, row 2 of train and
    the one after it are another; row 5 of train is quarantined. Every tenth prediction is wrong."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(len(CODES), dimensions)) * 8
    labels = np.arange(train_rows) % len(CODES)
    train = centres[labels] + draw.normal(size=(train_rows, dimensions))
    test = centres[np.arange(test_rows) % len(CODES)] + draw.normal(size=(test_rows, dimensions))
    probabilities = np.full((train_rows, len(CODES)), 0.1)
    said = np.where(np.arange(train_rows) % 10 == 0, (labels + 1) % len(CODES), labels)
    probabilities[np.arange(train_rows), said] = 0.7
    sides = {"train": rows_of("train", train_rows), "test": rows_of("test", test_rows)}
    train[5], sides["train"].loc[5, "valid"] = 0, False
    groups = pd.concat(
        [
            rows[["row"]].assign(split=split, near_group=[f"{split}{row}" for row in rows["row"]])
            for split, rows in sides.items()
        ],
        ignore_index=True,
    )
    groups["code"] = pd.array([*CODES[labels], *[pd.NA] * test_rows], dtype="Int64")
    groups.loc[[0, 4, train_rows], "near_group"] = "spanning"  # rows 0 and 4 have one class
    groups.loc[[2, 3], "near_group"] = "conflict"
    groups.loc[[8, 12], "near_group"] = "twins"
    groups["near_size"] = groups.groupby("near_group")["row"].transform("size")
    held = HeldOut(
        np.arange(train_rows),
        np.zeros(train_rows, np.int64),
        sides["train"]["valid"].to_numpy(),
        probabilities,
        1.0,
        1.0,
    )
    return Mapped(
        SplitFeatures(train.astype(np.float32), sides["train"], labels),
        SplitFeatures(test.astype(np.float32), sides["test"]),
        held,
        groups,
    )


def rows_of(split: str, count: int) -> pd.DataFrame:
    first = 1_000 if split == "train" else 900_000
    return pd.DataFrame(
        {
            "row": np.arange(count),
            "image_id": first + np.arange(count),
            "product_id": 5_000_000 + first + np.arange(count),
            "file": [f"image_{split}/image_{first + row}.jpg" for row in range(count)],
            "sha256": "",
            "valid": True,
        }
    )


def colour_of(number: int) -> tuple[int, int, int]:
    """A colour that tells a picture from others."""
    return (number * 37 % 200, number * 91 % 200, number * 53 % 200)


def draw_pictures(folder: Path, count: int) -> tuple[list[Path], list[str]]:
    """Files of one colour each, and their digests."""
    paths, digests = [], []
    for number in range(count):
        buffer = io.BytesIO()
        Image.new("RGB", (80, 80), colour_of(number)).save(buffer, "PNG")
        path = folder / f"{number}.png"
        path.write_bytes(buffer.getvalue())
        paths.append(path)
        digests.append(sha256_of_bytes(buffer.getvalue()))
    return paths, digests
