"""What lies in a local folder that is not laid out as expected: looked for by name, a few folders deep."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from upath import UPath

from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import some_files

_DEEPEST = 4
_MOST_FOLDERS_NAMED = 5
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")
_USUAL_NAME = re.compile(r"image_\d+_product_\d+\.jpg")
# "Copie de image_1_product_2 (1).JPG": what file managers make of a copy's name, and nothing more.
_IMAGE_NAME = re.compile(
    r"^(?:(?:copie|copy|kopie|copia) (?:de |of |von )?)*image_(\d+)_product_(\d+)"
    r"(?: ?\(\d+\)| ?-? ?(?:copie|copy|kopie|copia))*$",
    re.IGNORECASE,
)


def named_folders(root: Path, name: str) -> list[Path]:
    """Folders of this name, in any case of letters, at most four deep, the nearest first."""
    return [folder for folder, _ in _walk(root) if folder.name.lower() == name and folder != root]


def picture_folders(root: Path) -> list[Path]:
    """Folders that directly hold images named as the challenge names them; at most five, the nearest first."""
    found = []
    for folder, names in _walk(root):
        if any(_ids(name) for name in names):
            found.append(folder)
        if len(found) == _MOST_FOLDERS_NAMED:
            break
    return found


def similar_files(folder: Path, name: str) -> list[str]:
    """Files, here or one folder deeper, that have this name but for the case of letters or the mark of a copy."""
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122 - a name, not a path
    found = [
        (place / there).relative_to(folder).as_posix()
        for place, names in _walk(folder, deepest=1)
        for there in names
        if stem in there.lower() and suffix in there.lower()
    ]
    return found[:_MOST_FOLDERS_NAMED]


def archives(folder: Path) -> list[str]:
    """Names of packed files in a folder or in its `images/`."""
    places = [place for place in (folder, folder / "images") if place.is_dir()]
    return sorted(
        path.relative_to(folder).as_posix()
        for place in places
        for path in place.iterdir()
        if path.name.lower().endswith(_ARCHIVES)
    )


def other_names(folder: Path, image_file_name: Callable[[int, int], str]) -> dict[str, str]:
    """Expected name -> name of the file that is there instead, where exactly one can be meant."""
    with os.scandir(folder) as entries:
        names = {entry.name for entry in entries if not entry.is_dir()}
    candidates: dict[str, list[str]] = {}
    for name in names:
        if (
            not _USUAL_NAME.fullmatch(name)
            and (ids := _ids(name))
            and (wanted := image_file_name(*ids)) not in names
        ):
            candidates.setdefault(wanted, []).append(name)
    return {wanted: there[0] for wanted, there in candidates.items() if len(there) == 1}


def holds_files(folder: Path | UPath) -> bool:
    """Whether there is such a folder and it directly holds a file, hidden ones (`.DS_Store`) apart."""
    if not is_local(folder):
        return bool(some_files(folder))
    if not folder.is_dir():
        return False
    with os.scandir(Path(folder)) as entries:
        return any(not entry.name.startswith(".") and not entry.is_dir() for entry in entries)


def _ids(name: str) -> tuple[int, int] | None:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    found = _IMAGE_NAME.match(stem) if suffix.lower() in _IMAGE_SUFFIXES else None
    return (int(found[1]), int(found[2])) if found else None


def _walk(root: Path, deepest: int = _DEEPEST) -> Iterator[tuple[Path, list[str]]]:
    """Folders, nearest first, with the names of their files; what may not be listed is passed over."""
    level = [root]
    for depth in range(deepest + 1):
        deeper: list[Path] = []
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    found = sorted((entry.name, entry.is_dir()) for entry in entries)
            except OSError:
                continue
            yield folder, [name for name, is_folder in found if not is_folder]
            if depth < deepest:
                deeper += [
                    folder / name for name, is_folder in found if is_folder and not name.startswith(".")
                ]
        level = deeper
