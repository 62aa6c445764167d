"""Where the challenge's files lie in a folder, and what an image's file is called.

Copies of the data set circulate in several layouts. One that leaves no doubt is taken as it is; of any other it is
said where the files were seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, overload

from upath import UPath

from rakuten_assets.dataset.whereabouts import (
    archives,
    holds_files,
    named_folders,
    other_names,
    picture_folders,
    similar_files,
)
from rakuten_assets.errors import CatalogError
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import at_address, bucket_files, bucket_folders, is_file, is_folder

Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")

X_TRAIN_FILE = "X_train_update.csv"
Y_TRAIN_FILE = "Y_train_CVw08PX.csv"
X_TEST_FILE = "X_test_update.csv"
TABLES = (X_TRAIN_FILE, Y_TRAIN_FILE, X_TEST_FILE)
IMAGE_FOLDERS: dict[Split, str] = {"train": "image_train", "test": "image_test"}
# Where a split's folder is looked for first: archives circulate with the pictures packed at either depth.
IMAGE_NESTINGS = ("images", "images/images")
# And then: beside the tables, or unpacked into a folder of its own name.
_OTHER_PLACES = (
    "{name}",
    "images/{name}/{name}",
    "images/images/{name}/{name}",
    "{name}/{name}",
    "images/{name}/images/{name}",
)


@dataclass(frozen=True)
class CatalogFolder:
    """The challenge's files, found.

    Attributes:
        root: the folder that holds everything.
        x_train, y_train, x_test: the three CSV files.
        images: for "train" and "test", the folder that directly holds the image files.
    """

    root: UPath
    x_train: UPath
    y_train: UPath
    x_test: UPath
    images: dict[str, UPath]

    def image_paths(self, files: Iterable[str]) -> ImagePaths:
        """Full paths of a manifest's `file` entries ("image_train/image_1_product_2.jpg"), in the same order.

        Raises:
            CatalogError: for an entry that is not a plain file name in one of the two image folders.
        """
        folders: dict[str, Path | UPath] = {}
        for split in SPLITS:
            # Joining plain paths is five times faster, which counts for 100,000 files.
            folder = self.images[split]
            folders[IMAGE_FOLDERS[split]] = Path(folder) if is_local(folder) else folder
        names = list(files)
        renamed = self.other_names
        for file in names:
            parent, _, name = file.partition("/")
            if parent not in folders or not name or "/" in name or "\\" in name or name in (".", ".."):
                raise CatalogError(
                    f"{file!r} is not an image of the catalogue {self.root}; expected "
                    f"`{IMAGE_FOLDERS['train']}/NAME` or `{IMAGE_FOLDERS['test']}/NAME`: build the manifest "
                    "again"
                )
        return ImagePaths(folders, [renamed.get(file, file) for file in names] if renamed else names)

    @cached_property
    def other_names(self) -> dict[str, str]:
        """Expected name -> actual one ("image_train/..."), of images whose file has another suffix, other letters'
        case, or the mark of a copy; only where one file can be meant. On a bucket names are taken as they are."""
        renamed = {}
        for split, folder in self.images.items():
            if is_local(folder):
                parent = IMAGE_FOLDERS[split]  # type: ignore[index]
                names = other_names(Path(folder), image_file_name)
                renamed.update({f"{parent}/{wanted}": f"{parent}/{there}" for wanted, there in names.items()})
        return renamed

    def seen_elsewhere(self) -> str:
        """Folders below `root` that hold images of the challenge and are not those of `images`, for a message; "" if
        there is none."""
        if not is_local(self.root):
            return ""
        known = {Path(folder).resolve() for folder in self.images.values() if is_local(folder)}
        seen = [folder for folder in picture_folders(Path(self.root)) if folder.resolve() not in known]
        return ", ".join(f"{folder.relative_to(Path(self.root)).as_posix()}/" for folder in seen)


class ImagePaths(Sequence[Path | UPath]):
    """Paths of image files, each made when it is asked for: 100,000 path objects would take 100 MB.

    Args:
        folders: by the part of a file's name before the slash.
        files: "folder/name" of each image.
    """

    def __init__(self, folders: Mapping[str, Path | UPath], files: Sequence[str]) -> None:
        self._folders, self._files = folders, files

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, place: int) -> Path | UPath: ...
    @overload
    def __getitem__(self, place: slice) -> ImagePaths: ...
    def __getitem__(self, place: int | slice) -> Path | UPath | ImagePaths:
        if isinstance(place, slice):
            return ImagePaths(self._folders, self._files[place])
        parent, _, name = self._files[place].partition("/")
        return self._folders[parent] / name


def image_file_name(image_id: int, product_id: int) -> str:
    """Name of an image's file.

    >>> image_file_name(1263597046, 3804725264)
    'image_1263597046_product_3804725264.jpg'
    """
    return f"image_{int(image_id)}_product_{int(product_id)}.jpg"


def find_catalog(root: str | Path | UPath) -> CatalogFolder:
    """Find the challenge's three CSV files and two image folders in `root`.

    Raises:
        CatalogError: naming everything that is missing and where it was looked for, or what may not be read.
    """
    try:
        place = at_address(root) if isinstance(root, str) else UPath(root)
    except ValueError as error:
        raise CatalogError(f"the data folder {root}: {error}") from None
    try:
        return _catalog(place)
    except OSError as error:
        raise CatalogError(
            f"the data folder {root} cannot be read: {error.filename or root}: {error.strerror or error}; give this "
            "user permission to read it, or set RAKUTEN_DATA_DIR to another folder"
        ) from error


def _catalog(folder: UPath) -> CatalogFolder:
    tables = _tables_in(folder)
    if not tables and not is_folder(folder):
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise CatalogError(f"the data folder {folder} {what}; {_WAY_OUT}")
    if not tables and (inner := _only_catalog_inside(folder)):
        folder, tables = inner, set(TABLES)
    missing = [f"{name} ({_why_not_there(folder, name)})" for name in TABLES if name not in tables]
    images: dict[str, UPath] = {}
    for split in SPLITS:
        found = _image_folder(folder, IMAGE_FOLDERS[split])
        if found is None:
            places = " and ".join(f"{nesting}/{IMAGE_FOLDERS[split]}/" for nesting in IMAGE_NESTINGS)
            missing.append(f"{IMAGE_FOLDERS[split]}/ (looked for {places}{_seen_instead(folder)})")
        else:
            images[split] = found
    if missing:
        raise CatalogError(f"the data folder {folder} lacks: {'; '.join(missing)}. {_WAY_OUT}")
    return CatalogFolder(
        root=folder,
        x_train=folder / X_TRAIN_FILE,
        y_train=folder / Y_TRAIN_FILE,
        x_test=folder / X_TEST_FILE,
        images=images,
    )


_WAY_OUT = (
    f"Expected are {X_TRAIN_FILE}, {Y_TRAIN_FILE}, {X_TEST_FILE}, images/{IMAGE_FOLDERS['train']}/ and "
    f"images/{IMAGE_FOLDERS['test']}/ as the challenge (challengedata.ens.fr, number 35) ships them: unpack "
    "them there, or set RAKUTEN_DATA_DIR to the folder that holds them, or unset it to use the synthetic "
    "catalogue"
)


def _tables_in(folder: UPath) -> set[str]:
    """Which of the tables lie in a folder. Of a bucket's, one listing says it."""
    if is_local(folder):
        return {name for name in TABLES if is_file(folder / name)}
    try:
        return set(TABLES) & bucket_files(folder).keys()
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _only_catalog_inside(folder: UPath) -> UPath | None:
    """The one folder directly inside that holds all tables; None if there is none, or several."""
    inner = []
    children: Iterable[UPath] = folder.iterdir()
    if not is_local(folder):
        children = (folder / name for name in bucket_folders(folder))
    for child in children:
        with suppress(PermissionError):  # A `lost+found` beside it is none of ours.
            if all(is_file(child / name) for name in TABLES):
                inner.append(child)
    return inner[0] if len(inner) == 1 else None


def _image_folder(root: UPath, name: str) -> UPath | None:
    """The folder that holds a split's images; an empty one (half unpacked) only if there is no other.

    Raises:
        CatalogError: if several could be meant.
    """
    usual = [root / nesting / name for nesting in IMAGE_NESTINGS]
    for place in usual:
        if holds_files(place):
            return place
    others = [root / place.format(name=name) for place in _OTHER_PLACES]
    if is_local(root):
        others += [UPath(place) for place in named_folders(Path(root), name)]
    filled: dict[str, UPath] = {}
    for place in others:
        if holds_files(place):
            filled.setdefault(str(Path(place).resolve() if is_local(place) else place), place)
    if len(filled) > 1:
        raise CatalogError(
            f"the data folder {root} holds {len(filled)} folders {name}/ with files: "
            f"{', '.join(str(place) for place in filled.values())}; keep one, or move it to {usual[0]}"
        )
    return next(iter(filled.values()), None) or next(filter(is_folder, usual), None)


def _why_not_there(folder: UPath, name: str) -> str:
    if (folder / name).exists():
        return "a folder stands there"
    seen = similar_files(Path(folder), name) if is_local(folder) else []
    return "not in this folder" + (f", but seen: {', '.join(seen)}" if seen else "")


def _seen_instead(folder: UPath) -> str:
    if not is_local(folder):
        return ""
    seen = [f"{place.relative_to(Path(folder)).as_posix()}/" for place in picture_folders(Path(folder))]
    seen += [f"{name}, which is still packed" for name in archives(Path(folder))]
    return f"; images were seen in {', '.join(seen)}" if seen else ""
