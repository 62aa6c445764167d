"""Which images there are: those of a challenge folder with its tables, or all that lie in any folder."""

from __future__ import annotations

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
from rakuten_assets.integrity.collecting.exclusion import EXCLUDED, Exclusion
from rakuten_assets.integrity.collecting.identity import file_identity, printable
from rakuten_assets.integrity.collecting.label_file import LabelledPath, match_labels, read_label_file
from rakuten_assets.integrity.collecting.walk import IMAGE_SUFFIXES, Omission, Walk, is_dropping, walk_images
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import bucket_files

SYNTHETIC_MARKER = "synthetic.json"
"""What the synthetic catalogue leaves in its folder; a test keeps it equal to the generator's own constant, whose
import would cost a third of a second here."""

_TABLES = (X_TRAIN_FILE, Y_TRAIN_FILE, X_TEST_FILE)
_DEEPEST_CATALOG = 3


@dataclass(frozen=True)
class ImageCollection:
    """Images to look at.

    Attributes:
        table: one row an image: path (relative to the root), file (its name in reports), and where they are known
            split, row, index, image_id, product_id, code.
        paths: each row's file.
        mode: what kind of collection it is, in a sentence.
        unlisted: files that lie with the images of a challenge folder and have no row.
        omissions: what lies there and was not looked at.
        closed: folders that cannot be listed -> why.
        notes: what was assumed, and what should be known, in sentences.
    """

    table: pd.DataFrame
    paths: Sequence[Path | UPath]
    mode: str
    unlisted: tuple[str, ...] = ()
    omissions: tuple[Omission, ...] = ()
    closed: dict[str, str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def has_labels(self) -> bool:
        """Whether any image has a class."""
        return "code" in self.table and bool(self.table["code"].notna().any())

    @property
    def has_splits(self) -> bool:
        """Whether there are images of train and of test."""
        return "split" in self.table and set(SPLITS) <= set(self.table["split"])


def is_challenge_folder(root: Path) -> bool:
    """Whether the challenge's three tables are in `root`."""
    # Without an error where the folder may not be looked into: then it is none, and is named as not looked at.
    return all(os.path.isfile(root / name) for name in _TABLES)  # noqa: PTH113


def find_challenge_folders(root: Path, exclude: Exclusion | None = None) -> list[Path]:
    """`root` itself where it holds the challenge's tables, else the nearest folders below it that do."""
    exclude = exclude or Exclusion()
    level = [root]
    for _ in range(_DEEPEST_CATALOG + 1):
        if found := [folder for folder in level if is_challenge_folder(folder)]:
            return found
        level = [
            below
            for folder in level
            for below in _folders_in(folder)
            if not exclude.matches(below.relative_to(root).as_posix())
        ]
    return []


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and not is_dropping(entry.name)
                and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def challenge_collection(root: Path, exclude: Exclusion | None = None) -> ImageCollection:
    """The images that the challenge's tables name, whether their files are there or not.

    Args:
        root: the folder of the tables.
        exclude: files, by their path relative to `root`, whose rows do not take part.

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
    paths: Sequence[Path | UPath] = folder.image_paths(manifest["file"])
    relative = [Path(os.path.relpath(str(path), root)).as_posix() for path in paths]
    manifest.insert(0, "path", pd.Series(relative, dtype="str"))
    omissions: list[Omission] = []
    unlisted = unlisted_files(folder, manifest["file"])
    exclude = exclude or Exclusion()
    if excluded := [at for at, name in enumerate(relative) if exclude.covers(name)]:
        omissions.append(Omission(f"rows whose file is {EXCLUDED}", len(excluded), relative[excluded[0]]))
        if len(excluded) == len(manifest):
            raise CatalogError(f"--exclude leaves no row of the {len(manifest):,} in {root}; exclude less")
        manifest = manifest.drop(index=excluded).reset_index(drop=True)
        gone = set(excluded)
        paths = [path for at, path in enumerate(paths) if at not in gone]
    train = int((manifest["split"] == "train").sum())
    test = len(manifest) - train
    mode = f"the catalogue {root}, with its labels and splits: {train:,} train rows, {test:,} test rows"
    for split in SPLITS:
        omissions += _beside_images(folder.images[split], IMAGE_FOLDERS[split])
    shown = [name for name in unlisted if not exclude.covers(name)]
    if len(shown) < len(unlisted):
        first = next(name for name in unlisted if name not in shown)
        omissions.append(Omission(f"files without a row {EXCLUDED}", len(unlisted) - len(shown), first))
    return ImageCollection(manifest, paths, printable(mode), tuple(shown), tuple(omissions))


def unlisted_files(folder: CatalogFolder, files: Iterable[str]) -> tuple[str, ...]:
    """Files in the two image folders that no row names, as "image_train/NAME", sorted."""
    named = set(files) | set(folder.other_names.values())
    return tuple(
        name
        for split in SPLITS
        for entry in sorted(_file_names(folder.images[split]))
        if not entry.startswith(".")
        and not is_dropping(entry)
        and (name := f"{IMAGE_FOLDERS[split]}/{printable(entry)}") not in named
    )


def _beside_images(folder: Path | UPath, name: str) -> Iterator[Omission]:
    """What lies in an image folder and is neither an image nor a file that a row might name."""
    if not is_local(folder):
        return
    found: dict[str, list[str]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                kind = "folders" if entry.is_dir() else "files"
                if is_dropping(entry.name):
                    found.setdefault(f"{kind} that systems leave behind", []).append(entry.name)
                elif entry.name.startswith("."):
                    found.setdefault(f"hidden {kind}", []).append(entry.name)
                elif kind == "folders":
                    found.setdefault("folders among the images", []).append(entry.name)
    except OSError:
        return  # Then its images cannot be read either, and each row says so.
    for what, names in sorted(found.items()):
        yield Omission(f"{what} in {name}", len(names), f"{name}/{printable(min(names))}")


def folder_collection(
    root: Path, labels: Path | None = None, skip: Path | None = None, exclude: Exclusion | None = None
) -> ImageCollection:
    """All images of a folder, and what a label file says of them.

    Args:
        root: the folder.
        labels: CSV with a header: the file's path relative to `root` (`path`), its class (`label`) and perhaps its
            `split` (train or test). A file that it names and that is not there is a missing image; one that it does
            not name has no class.
        skip: a folder inside that does not take part: the report's own.
        exclude: files and folders that do not take part.

    Raises:
        CatalogError: if the folder cannot be listed, no image is found, or the label file makes no sense.
    """
    walk = walk_images(root, skip, exclude)
    paths: dict[str, Path | UPath] = {printable(name): path for name, path in walk.images.items()}
    listed: dict[str, LabelledPath] = {}
    notes: tuple[str, ...] = ()
    if labels is not None:
        listed, notes = _labels_by_image(root, labels, walk, exclude or Exclusion())
        paths |= {name: root / name for name in listed if name not in paths}
    if not paths:
        raise CatalogError(_no_image(root, walk))
    names = sorted(paths)
    table = pd.DataFrame(
        {
            "path": pd.Series(names, dtype="str"),
            "file": pd.Series(names, dtype="str"),
            "row": range(len(names)),
        }
    )
    mode = f"the images of the folder {root}, without labels: no label conflict and no twin can be found"
    if labels is not None:
        table["split"] = pd.Series(
            [listed[name].split if name in listed else "" for name in names], dtype="str"
        )
        table["code"] = _codes([listed[name].label if name in listed else "" for name in names])
        mode = f"the images of the folder {root}, with the labels of {labels}"
    return ImageCollection(
        table,
        [paths[name] for name in names],
        printable(mode),
        omissions=tuple(walk.omissions),
        closed=walk.closed,
        notes=(*notes, *_half_a_catalog(root)),
    )


def _labels_by_image(
    root: Path, source: Path, walk: Walk, exclude: Exclusion
) -> tuple[dict[str, LabelledPath], tuple[str, ...]]:
    """Labels by printable name. A listed file that the walk left out (another suffix, hidden) is there all the same."""
    lines = [line for line in read_label_file(source) if not exclude.covers(line.path)]
    images, aliases = dict(walk.images), dict(walk.aliases)
    known = {file_identity(path): name for name, path in walk.images.items()}
    for line in lines:
        if line.path in images or line.path in aliases or not os.path.isfile(root / line.path):  # noqa: PTH113
            continue
        identity = file_identity(root / line.path)
        if identity in known:
            aliases[line.path] = known[identity]
        else:
            images[line.path] = root / line.path
            known[identity] = line.path
    matched = match_labels(lines, source, images, aliases)
    return {printable(name): line for name, line in matched.labels.items()}, matched.notes


def _no_image(root: Path, walk: Walk) -> str:
    message = f"there is no image in {root}: no file whose name ends in {', '.join(sorted(IMAGE_SUFFIXES))}"
    if walk.omissions:
        left_out = ", ".join(f"{one.count:,} {one.what}" for one in walk.omissions)
        message += f". Not looked at: {left_out}"
    return message


def _half_a_catalog(root: Path) -> Iterator[str]:
    there = [name for name in _TABLES if os.path.isfile(root / name)]  # noqa: PTH113
    if there and len(there) < len(_TABLES):
        lacking = [name for name in _TABLES if name not in there]
        yield (
            f"{', '.join(there)} lies here, but not {', '.join(lacking)}: the labels of a catalogue are read where all "
            "three tables are there"
        )


def _file_names(folder: UPath) -> list[str]:
    if is_local(folder):
        try:
            return [entry.name for entry in os.scandir(folder) if entry.is_file()]
        except OSError:  # Then its images cannot be read either, and each row says so.
            return []
    return list(bucket_files(folder))


def _codes(labels: list[str]) -> pd.Series:
    """Whole numbers where all classes are, else text; missing where there is none."""
    try:
        numbers = [int(label) if label else None for label in labels]
    except ValueError:
        return pd.Series([label or None for label in labels], dtype="str")
    return pd.Series(numbers, dtype="Int64")
