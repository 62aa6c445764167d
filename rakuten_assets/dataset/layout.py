"""Where the challenge's files lie in a folder, and what an image's file is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

from upath import UPath

from rakuten_assets.errors import CatalogError
from rakuten_assets.files import is_local

Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")

X_TRAIN_FILE = "X_train_update.csv"
Y_TRAIN_FILE = "Y_train_CVw08PX.csv"
X_TEST_FILE = "X_test_update.csv"
IMAGE_FOLDERS: dict[Split, str] = {"train": "image_train", "test": "image_test"}
# Archives circulate with the pictures packed at either depth.
IMAGE_NESTINGS = ("images", "images/images")


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
        for file in names:
            parent, _, name = file.partition("/")
            if parent not in folders or not name or "/" in name or "\\" in name or name in (".", ".."):
                raise CatalogError(
                    f"{file!r} is not an image of the catalogue {self.root}; expected "
                    f"`{IMAGE_FOLDERS['train']}/NAME` or `{IMAGE_FOLDERS['test']}/NAME`: build the manifest "
                    "again"
                )
        return ImagePaths(folders, names)


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
        CatalogError: naming everything that is missing and where it was looked for.
    """
    folder = UPath(root)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise CatalogError(f"the data folder {folder} {what}; {_WAY_OUT}")
    missing = [
        f"{name} ({'a folder stands there' if (folder / name).exists() else 'not in this folder'})"
        for name in (X_TRAIN_FILE, Y_TRAIN_FILE, X_TEST_FILE)
        if not (folder / name).is_file()
    ]
    images: dict[str, UPath] = {}
    for split in SPLITS:
        places = [f"{nesting}/{IMAGE_FOLDERS[split]}" for nesting in IMAGE_NESTINGS]
        found = _image_folder([folder / place for place in places])
        if found is None:
            missing.append(
                f"{IMAGE_FOLDERS[split]}/ (looked for {' and '.join(f'{place}/' for place in places)})"
            )
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


def _image_folder(candidates: list[UPath]) -> UPath | None:
    """The first candidate that holds anything; an empty one (half unpacked) only if there is no other."""
    folders = [candidate for candidate in candidates if candidate.is_dir()]
    filled = (candidate for candidate in folders if next(iter(candidate.iterdir()), None) is not None)
    return next(filled, folders[0] if folders else None)
