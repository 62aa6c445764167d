"""Which images there are: those of a challenge folder with its tables, or all that lie in any folder.

In a folder without the challenge's tables every file counts whose name ends like an image's (`IMAGE_SUFFIXES`, in any
case), at any depth, in the order of the paths. Hidden files and folders are left out, links to folders are not
followed (so no loop is possible), and neither are pipes and devices.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from upath import UPath

from rakuten_assets.dataset.contract import read_labels, read_products
from rakuten_assets.dataset.layout import (
    IMAGE_FOLDERS,
    SPLITS,
    X_TEST_FILE,
    X_TRAIN_FILE,
    Y_TRAIN_FILE,
    CatalogFolder,
    find_catalog,
)
from rakuten_assets.dataset.manifest import build_manifest
from rakuten_assets.errors import CatalogError
from rakuten_assets.files import is_local

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff"}
)
SYNTHETIC_MARKER = "synthetic.json"
"""What the synthetic catalogue leaves in its folder; a test keeps it equal to the generator's own constant, whose
import would cost a third of a second here."""

_PATH_HEADERS = ("path", "file", "filename", "image")
_LABEL_HEADERS = ("label", "code", "class", "prdtypecode")
_SPLIT_HEADER = "split"


@dataclass(frozen=True)
class ImageCollection:
    """Images to look at.

    Attributes:
        table: one row an image: path (relative to the root), file (its name in reports), and where they are known
            split, row, index, image_id, product_id, code.
        paths: each row's file.
        unlisted: files that lie with the images of a challenge folder and have no row.
    """

    table: pd.DataFrame
    paths: Sequence[Path | UPath]
    unlisted: tuple[str, ...] = ()


def is_challenge_folder(root: Path) -> bool:
    """Whether the challenge's three tables are in `root`."""
    return all((root / name).is_file() for name in (X_TRAIN_FILE, Y_TRAIN_FILE, X_TEST_FILE))


def challenge_collection(root: Path) -> ImageCollection:
    """The images that the challenge's tables name, whether their files are there or not.

    Raises:
        CatalogError: if the tables or the image folders break the contract.
    """
    folder = find_catalog(root)
    manifest = build_manifest(
        read_products(folder.x_train, "train"),
        read_labels(folder.y_train),
        read_products(folder.x_test, "test"),
        shards=1,
    ).drop(columns="shard")
    paths = folder.image_paths(manifest["file"])
    relative = [Path(str(path)).relative_to(root).as_posix() for path in paths]
    manifest.insert(0, "path", pd.Series(relative, dtype="str"))
    return ImageCollection(manifest, paths, unlisted_files(folder, manifest["file"]))


def unlisted_files(folder: CatalogFolder, files: Iterable[str]) -> tuple[str, ...]:
    """Files in the two image folders that no row names, as "image_train/NAME", sorted."""
    named = set(files) | set(folder.other_names.values())
    return tuple(
        name
        for split in SPLITS
        for entry in sorted(_file_names(folder.images[split]))
        if not entry.startswith(".") and (name := f"{IMAGE_FOLDERS[split]}/{printable(entry)}") not in named
    )


def folder_collection(root: Path, labels: Path | None = None, skip: Path | None = None) -> ImageCollection:
    """All images of a folder, and what a label file says of them.

    Args:
        root: the folder.
        labels: CSV with a header: the file's path relative to `root` (`path`), its class (`label`) and perhaps its
            `split` (train or test). A file that it names and that is not there is a missing image; one that it does
            not name has no class.
        skip: a folder inside that does not take part: the report's own.

    Raises:
        CatalogError: if a folder cannot be listed, no image is found, or the label file makes no sense.
    """
    found = {printable(path.relative_to(root).as_posix()): path for path in _image_files(root, skip)}
    listed = _read_label_file(labels) if labels is not None else {}
    paths = {**found, **{name: root / name for name in listed if name not in found}}
    if not paths:
        raise CatalogError(
            f"there is no image in {root}: no file whose name ends in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    names = sorted(paths)
    table = pd.DataFrame(
        {
            "path": pd.Series(names, dtype="str"),
            "file": pd.Series(names, dtype="str"),
            "row": range(len(names)),
        }
    )
    if listed:
        table["split"] = pd.Series([listed[name][1] if name in listed else "" for name in names], dtype="str")
        table["code"] = _codes([listed[name][0] if name in listed else "" for name in names])
    return ImageCollection(table, [paths[name] for name in names])


def printable(name: str) -> str:
    """A file's name as text that every encoding can hold: bytes that are not UTF-8 are written as \\xNN.

    >>> printable("caf\\udce9.jpg")
    'caf\\\\xe9.jpg'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _image_files(folder: Path, skip: Path | None) -> Iterator[Path]:
    if skip is not None and folder.resolve() == skip.resolve():
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise CatalogError(
            f"the folder {folder} cannot be listed ({error.strerror}); correct its permissions, or leave it out"
        ) from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _image_files(Path(entry.path), skip)
        elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
            broken_link = entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110 - a str
            if broken_link or entry.is_file():
                yield Path(entry.path)


def _file_names(folder: UPath) -> list[str]:
    if is_local(folder):
        return [entry.name for entry in os.scandir(folder) if entry.is_file()]
    return [path.name for path in folder.iterdir() if path.is_file()]


def _read_label_file(path: Path) -> dict[str, tuple[str, str]]:
    """path -> (class, split), in the file's order."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            at = _columns(path, header)
            listed: dict[str, tuple[str, str]] = {}
            for fields in reader:
                if not fields:
                    continue
                where = f"{path}, line {reader.line_num}"
                if len(fields) != len(header):
                    raise CatalogError(
                        f"{where}: {len(fields)} fields under a header of {len(header)}; correct the line"
                    )
                name, split = fields[at[0]].replace("\\", "/"), fields[at[2]] if at[2] is not None else ""
                if name.startswith("/") or ".." in name.split("/"):
                    raise CatalogError(
                        f"{where}: {name!r} is not a path inside the folder; write it relative to it"
                    )
                if name in listed:
                    raise CatalogError(f"{where}: {name!r} has a label already; remove one of the two lines")
                if split not in ("", *SPLITS):
                    raise CatalogError(
                        f"{where}: the split {split!r} is not allowed; write train, test, or nothing"
                    )
                listed[name] = (fields[at[1]], split)
            return listed
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(f"the label file {path} cannot be read as CSV in UTF-8: {error}") from None


def _columns(path: Path, header: list[str]) -> tuple[int, int, int | None]:
    """Where the path, the class and the split (None: nowhere) stand."""

    def find(names: Sequence[str]) -> int | None:
        return next((header.index(name) for name in names if name in header), None)

    name, label = find(_PATH_HEADERS), find(_LABEL_HEADERS)
    if name is None or label is None:
        raise CatalogError(
            f"the label file {path} has the header {','.join(header)!r}; it needs a column `path` and a column "
            "`label`, and may have a column `split`"
        )
    return name, label, find((_SPLIT_HEADER,))


def _codes(labels: list[str]) -> pd.Series:
    """Whole numbers where all classes are, else text; missing where there is none."""
    try:
        numbers = [int(label) if label else None for label in labels]
    except ValueError:
        return pd.Series([label or None for label in labels], dtype="str")
    return pd.Series(numbers, dtype="Int64")
