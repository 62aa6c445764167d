"""All images of a folder, at any depth, and everything in it that was not looked at.

- an image is a file whose name ends like one (`IMAGE_SUFFIXES`, in any case); its content is the scan's affair;
- links are followed, each file and each folder once: what a link leads to under another name too is one image;
- hidden files, droppings of systems (`.DS_Store`, `@eaDir`, `lost+found`...) and what the user excludes are left out;
- a folder that cannot be listed is noted, and the rest is walked through.

All that is left out is counted by what it is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from rakuten_assets.errors import CatalogError
from rakuten_assets.integrity.collecting.exclusion import EXCLUDED, Exclusion
from rakuten_assets.integrity.collecting.identity import FileIdentity, file_identity, printable

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff"}
)
_DROPPINGS = frozenset(
    {
        # files
        ".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized", "icon\r",
        # folders
        "@eadir", "#recycle", "#snapshot", ".@__thumb", "@recycle", "lost+found", "__macosx", ".appledouble",
        ".spotlight-v100", ".trashes", ".trash", ".fseventsd", ".temporaryitems", "$recycle.bin",
        "system volume information", ".snapshot",
    }
)  # fmt: skip
_APPLE_DOUBLE = "._"


@dataclass
class Omission:
    """Files or folders of one kind that were not looked at.

    Attributes:
        what: the kind, for a person: "files ending in .avif", "hidden files"...
        count: how many.
        first: path of the first one, relative to the folder.
    """

    what: str
    count: int
    first: str


@dataclass
class Walk:
    """What a folder holds.

    Attributes:
        images: path relative to the folder -> file, sorted by path; one path a file.
        aliases: every other path of the same files -> the path in `images`.
        omissions: what was not looked at, most first.
        closed: folders that cannot be listed -> why.
    """

    images: dict[str, Path] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    omissions: list[Omission] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)


def walk_images(root: Path, skip: Path | None = None, exclude: Exclusion | None = None) -> Walk:
    """Find all images below `root`.

    Args:
        root: the folder.
        skip: a folder inside that does not take part: the report's own.
        exclude: what to leave out.

    Raises:
        CatalogError: if `root` itself cannot be listed.
    """
    walker = _Walker(root, skip, exclude or Exclusion())
    walker.run()
    return walker.result()


def is_dropping(name: str) -> bool:
    """Whether a name is one that systems leave in folders by themselves.

    >>> is_dropping("Thumbs.db")
    True
    """
    return name.lower() in _DROPPINGS or name.startswith(_APPLE_DOUBLE)


def suffix_kind(name: str) -> str:
    """How files that end like `name` are called: `files ending in .avif`."""
    suffix = Path(name).suffix.lower()
    return f"files ending in {printable(suffix)}" if suffix else "files without a suffix"


class _Walker:
    def __init__(self, root: Path, skip: Path | None, exclude: Exclusion) -> None:
        self._root, self._exclude = root, exclude
        self._skip = file_identity(skip) if skip is not None else None
        # A link to a folder above would bring in what lies beside this one.
        self._above = {file_identity(folder) for folder in root.resolve().parents}
        self._walked: set[FileIdentity | None] = set()
        self._links: list[tuple[Path, str]] = []
        self._omitted: dict[str, Omission] = {}
        self._names: dict[FileIdentity | str, list[tuple[bool, str, Path]]] = {}
        self._closed: dict[str, str] = {}

    def run(self) -> None:
        self._folder(self._root, "", through_link=False)
        # Afterwards: a folder is known by its own name where it lies here, whatever links lead to it.
        while self._links:
            path, name = self._links.pop(0)
            identity = file_identity(path)
            if identity in self._above:
                self._omit("links to a folder above", name)
            elif identity in self._walked:
                self._omit("links to folders that were looked at already", name)
            else:
                self._folder(path, f"{name}/", through_link=True)

    def result(self) -> Walk:
        images: dict[str, Path] = {}
        aliases: dict[str, str] = {}
        for names in self._names.values():
            _, name, path = min(names)  # The file itself before a link to it, then by name.
            images[name] = path
            aliases |= {other: name for _, other, _ in names if other != name}
        for other in sorted(aliases):
            self._omit("further names (links) of the same files", other)
        omissions = sorted(self._omitted.values(), key=lambda one: (-one.count, one.what))
        return Walk(dict(sorted(images.items())), dict(sorted(aliases.items())), omissions, self._closed)

    def _folder(self, folder: Path, prefix: str, through_link: bool) -> None:
        identity = file_identity(folder)
        if identity in self._walked and identity is not None:
            return
        self._walked.add(identity)
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise CatalogError(
                    f"the folder {folder} cannot be listed ({error.strerror}); correct its permissions"
                ) from None
            self._closed[printable(prefix.rstrip("/"))] = error.strerror or str(error)
            self._omit("folders that cannot be listed", prefix)
            return
        for entry in entries:
            self._entry(entry, f"{prefix}{entry.name}", through_link)

    def _entry(self, entry: os.DirEntry[str], name: str, through_link: bool) -> None:
        try:
            is_folder, is_link = entry.is_dir(), entry.is_symlink()
        except OSError:
            is_folder, is_link = False, True
        kind = "folders" if is_folder else "files"
        if is_dropping(entry.name):
            self._omit(f"{kind} that systems leave behind", name)
        elif self._exclude.matches(name):
            self._omit(f"{kind} {EXCLUDED}", name)
        elif entry.name.startswith("."):
            self._omit(f"hidden {kind}", name)
        elif is_folder:
            path = Path(entry.path)
            if self._skip is not None and file_identity(path) == self._skip:
                self._omit("folders of reports", name)
            elif is_link:
                self._links.append((path, name))
            else:
                self._folder(path, f"{name}/", through_link)
        elif Path(entry.name).suffix.lower() not in IMAGE_SUFFIXES:
            self._omit(suffix_kind(entry.name), name)
        elif _is_file(entry):
            path = Path(entry.path)
            self._names.setdefault(file_identity(path) or name, []).append(
                (is_link or through_link, name, path)
            )
        else:
            self._omit("pipes and devices", name)

    def _omit(self, what: str, name: str) -> None:
        known = self._omitted.setdefault(what, Omission(what, 0, printable(name.rstrip("/"))))
        known.count += 1


def _is_file(entry: os.DirEntry[str]) -> bool:
    """A file, or a link that leads nowhere: the file that should be there is missing."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110 - a str
    except OSError:
        return True  # a loop of links
