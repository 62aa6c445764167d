"""Product photos that tests draw themselves, folders of them, and scans of such folders without a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageEnhance

from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.duplicates.groups import duplicate_groups
from rakuten_assets.integrity.reading.scan import scan_images
from rakuten_assets.integrity.reading.schema import SCAN_SCHEMA, SCAN_VERSION
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets_tests.images.pictures import encoded

LIMITS = DecodeLimits(1_000_000, 1_000_000)
SIDE = 200


def product(seed: int, box: tuple[int, int, int, int] = (30, 20, 170, 180)) -> Image.Image:
    """A colourful thing on white, another one for every seed."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    width, height = box[2] - box[0], box[3] - box[1]
    coarse = Image.fromarray(rng.integers(20, 220, (6, 5, 3), dtype=np.uint8))
    picture.paste(coarse.resize((width, height), Image.Resampling.BICUBIC), box[:2])
    pen = ImageDraw.Draw(picture)
    dot = min(width, height) // 6
    for _ in range(6):
        x, y = (int(rng.integers(box[at], box[at + 2] - dot)) for at in (0, 1))
        pen.ellipse((x, y, x + dot, y + dot), fill=tuple(int(value) for value in rng.integers(0, 200, 3)))
    return picture


def brighter(picture: Image.Image, factor: float = 1.05) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(factor)


def cropped(picture: Image.Image, share: float = 0.01) -> Image.Image:
    """`share` cut off each edge, and back to the old size."""
    width, height = picture.size
    box = (width * share, height * share, width * (1 - share), height * (1 - share))
    return picture.resize(picture.size, Image.Resampling.BICUBIC, box=box)


def save(folder: Path, pictures: dict[str, Image.Image | bytes]) -> list[Path]:
    """Write pictures (JPEG, quality 80) or bytes; returns the paths in the same order."""
    paths = []
    for name, picture in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture if isinstance(picture, bytes) else encoded(picture))
        paths.append(path)
    return paths


def scanned(paths: Sequence[Path]) -> pd.DataFrame:
    """The scan of some files, with their names in `file`."""
    scan = scan_images(paths, LIMITS, workers=2)
    return scan.assign(file=[path.name for path in paths])


def grouped(paths: Sequence[Path], **options: Any) -> pd.DataFrame:
    """Duplicate groups of some files, by file name."""
    return duplicate_groups(scanned(paths), paths, **options).set_index("file")


def scan_table(count: int, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """A scan of `count` different healthy images that do not exist, some columns replaced."""
    rng = np.random.default_rng(seed)
    table: dict[str, Any] = {}
    for field in SCAN_SCHEMA:
        kind = field.type.to_pandas_dtype()
        table[field.name] = "" if kind is np.object_ else np.zeros(count, dtype=kind)
    table |= {
        "status": "ok",
        "bytes": rng.integers(10_000, 40_000, count),
        "sha256": [sha256_of_bytes(f"file {seed} {number}".encode()) for number in range(count)],
        "pixel_sha256": [sha256_of_bytes(f"pixels {seed} {number}".encode()) for number in range(count)],
        "format": "JPEG",
        "mode": "RGB",
        "width": 500,
        "height": 500,
        "progressive": True,
        "subsampling": "4:2:0",
        "quality": 80,
        "phash": rng.integers(0, 2**64, count, dtype=np.uint64),
        "dhash": rng.integers(0, 2**64, count, dtype=np.uint64),
        "brightness": rng.uniform(120, 230, count),
        "contrast": rng.uniform(40, 90, count),
        "entropy": rng.uniform(2, 7, count),
        "blur": rng.uniform(200, 2000, count),
        "saturation": rng.uniform(20, 80, count),
        "white_share": rng.uniform(0.2, 0.8, count),
        "box_left": 10,
        "box_top": 10,
        "box_right": 490,
        "box_bottom": 490,
        "removable_share": rng.uniform(0.1, 0.8, count),
        "scan_version": SCAN_VERSION,
    }
    frame = pd.DataFrame({"file": [f"image_{number}.jpg" for number in range(count)], **table} | columns)
    return frame.assign(**{name: frame[name].astype("str") for name in ("status", "reason", "detail")})


def catalogue_table(train: int, test: int, codes: Sequence[int] = (10, 40), **columns: Any) -> pd.DataFrame:
    """`scan_table` with what the challenge's tables say of each row."""
    count = train + test
    numbers = np.arange(count)
    labels = pd.Series(
        pd.array([codes[n % len(codes)] if n < train else pd.NA for n in range(count)], dtype="Int64")
    )
    identity = {
        "split": pd.Series(["train"] * train + ["test"] * test, dtype="str"),
        "row": np.r_[np.arange(train), np.arange(test)],
        "index": numbers,
        "image_id": 1_000_000 + numbers,
        "product_id": 2_000_000 + numbers,
        "code": labels,
    }
    return scan_table(count, **(identity | columns))


def groups_of(images: pd.DataFrame, **near: Sequence[str]) -> pd.DataFrame:
    """Exact and pixel groups of a table, without a look at any file; `near_group` may be given."""
    blind = images.assign(near_blank=True)  # what is blank is never compared on pixels
    groups = duplicate_groups(blind, [Path(name) for name in images["file"]])
    if near:
        groups["near_group"] = pd.Series(list(near["near_group"]), index=groups.index, dtype="str")
        groups["near_size"] = groups.groupby("near_group")["file"].transform("size")
    return groups
