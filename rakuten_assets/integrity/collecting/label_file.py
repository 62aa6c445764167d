"""A label file: the class, and perhaps the split, of each image; its paths are brought to the names of the files.

A path may be written in more than one way: `./a.jpg`, `b//a.jpg`, `b\\a.jpg`, `c/../a.jpg`, with letters in another
Unicode form or in another case, without its suffix, or relative to another folder than the images'. Each is matched
with a file where only one can be meant; what was assumed is said.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.errors import CatalogError
from rakuten_assets.integrity.collecting.identity import composed, printable

_PATH_HEADERS = ("path", "file", "filename", "image")
_LABEL_HEADERS = ("label", "code", "class", "prdtypecode")
_SPLIT_HEADER = "split"
_ABSOLUTE = re.compile(r"/|\\|[A-Za-z]:|~[\\/]|[A-Za-z][A-Za-z0-9+.-]+://")
_MOST_TRIED = 2000


@dataclass(frozen=True)
class LabelledPath:
    """One line of a label file: the path in its plainest form, what stands in the file, and where."""

    path: str
    written: str
    label: str
    split: str
    line: int


@dataclass(frozen=True)
class MatchedLabels:
    """Labels by image.

    Attributes:
        labels: name of an image (as the folder has it, else as the label file has it) -> its line.
        unmatched: how many lines name no file.
        notes: what was assumed, and what should be known, in sentences.
    """

    labels: Mapping[str, LabelledPath]
    unmatched: int
    notes: tuple[str, ...]


def read_label_file(path: Path) -> list[LabelledPath]:
    """Read the lines of a label file.

    Raises:
        CatalogError: naming the line that makes no sense, and how to mend it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            name_at, label_at, split_at = _columns(path, header)
            lines = []
            for fields in reader:
                if not fields:
                    continue
                where = f"{path}, line {reader.line_num}"
                if len(fields) != len(header):
                    raise CatalogError(
                        f"{where}: {len(fields)} fields under a header of {len(header)}; correct the line"
                    )
                split = fields[split_at] if split_at is not None else ""
                if split not in ("", *SPLITS):
                    raise CatalogError(
                        f"{where}: the split {split!r} is not allowed; write train, test, or nothing"
                    )
                written = fields[name_at]
                plain = _plain(written, where)
                lines.append(LabelledPath(plain, written, fields[label_at], split, reader.line_num))
            return lines
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(f"the label file {path} cannot be read as CSV in UTF-8: {error}") from None


def match_labels(
    lines: Sequence[LabelledPath], source: Path, images: Iterable[str], aliases: Mapping[str, str]
) -> MatchedLabels:
    """Bring the paths of a label file to the names of images.

    Args:
        lines: as from `read_label_file`.
        source: the label file, for messages.
        images: names of the images, relative to their folder.
        aliases: further names of the same files -> their name in `images`.

    Raises:
        CatalogError: where two lines give one file different classes or splits, or no line names any.
    """
    names = _Names(images, aliases)
    base, found = _best_base(lines, names)
    notes = [f"{source.name} is read {base}"] if base.is_assumed else []
    labels: dict[str, LabelledPath] = {}
    unmatched: list[LabelledPath] = []
    repeated: list[LabelledPath] = []
    for line, name in zip(lines, found, strict=True):
        if name is None:
            unmatched.append(line)
        key = name if name is not None else line.path
        earlier = labels.get(key)
        if earlier is not None and (earlier.label, earlier.split) == (line.label, line.split):
            repeated.append(line)
            continue
        if earlier is not None:
            other = "" if earlier.written == line.written else f", as {earlier.written!r}"
            raise CatalogError(
                f"{source}, line {line.line}: {line.written!r} has a label already, in line {earlier.line}{other}; "
                "remove one of the two lines"
            )
        labels[key] = line
    if repeated:
        notes.append(
            f"{len(repeated):,} lines of {source.name} say of a file what an earlier line says (first: line "
            f"{repeated[0].line}, {repeated[0].written!r})"
        )
    one_of_folder = names.first_without(set(labels))
    if lines and len(unmatched) == len(lines) and one_of_folder:
        raise CatalogError(
            f"none of the {len(lines):,} paths of the label file {source} is that of an image here: it has "
            f"{unmatched[0].written!r}, the folder has {printable(one_of_folder)!r}; write its paths relative to the "
            f"folder of the images{names.suggestion(unmatched[0].path)}"
        )
    if unmatched:
        example = f"; it has {unmatched[0].written!r}"
        if one_of_folder:
            example += f", the folder has {printable(one_of_folder)!r}"
        notes.append(
            f"{len(unmatched):,} of the {len(lines):,} paths of {source.name} name no file{example}"
            f"{names.suggestion(unmatched[0].path)}"
        )
    return MatchedLabels(labels, len(unmatched), tuple(notes))


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


def _plain(written: str, where: str) -> str:
    """A path without `.` and `..`, doubled or backward slashes."""
    parts: list[str] = []
    for part in written.replace("\\", "/").split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if _ABSOLUTE.match(written) or ".." in parts or not parts:
        raise CatalogError(f"{where}: {written!r} is not a path inside the folder; write it relative to it")
    return "/".join(parts)


@dataclass(frozen=True)
class _Base:
    """How a label file's paths lead to files: without the first folders `cut`, below the folder `added`."""

    cut: str = ""
    added: str = ""

    @property
    def is_assumed(self) -> bool:
        return bool(self.cut or self.added)

    def apply(self, path: str) -> str | None:
        if self.cut and not path.startswith(self.cut):
            return None
        return self.added + path.removeprefix(self.cut)

    def __str__(self) -> str:
        if self.cut and self.added:
            return f"with {self.cut!r} in its paths taken as {self.added!r}"
        return (
            f"with {self.cut!r} taken off its paths"
            if self.cut
            else f"with its paths taken as below {self.added!r}"
        )


class _Names:
    """Names of files, found again however they are written."""

    def __init__(self, images: Iterable[str], aliases: Mapping[str, str]) -> None:
        self.images = list(images)
        self._exact = {name: name for name in self.images} | dict(aliases)
        self._composed: dict[str, set[str]] = {}
        self._folded: dict[str, set[str]] = {}
        self._bare: dict[str, set[str]] = {}
        self._stems: dict[str, str] = {}
        for name, image in self._exact.items():
            text = composed(printable(name))
            self._composed.setdefault(text, set()).add(image)
            self._folded.setdefault(text.casefold(), set()).add(image)
            self._bare.setdefault(_without_suffix(text).casefold(), set()).add(image)
            self._stems.setdefault(_stem(text), image)

    def find(self, path: str, written: str = "") -> str | None:
        """The image that a path means; None where there is none, or more than one."""
        for name in (written, path):
            if name in self._exact:
                return self._exact[name]
        text = composed(path)
        folded = text.casefold()
        for table, key in ((self._composed, text), (self._folded, folded), (self._bare, folded)):
            meant = table.get(key, set())
            if len(meant) == 1:
                return next(iter(meant))
        return None

    def first_without(self, labelled: set[str]) -> str:
        return next((name for name in self.images if name not in labelled), "")

    def suggestion(self, path: str) -> str:
        """Where a file of nearly this name lies."""
        near = self._stems.get(_stem(composed(path)))
        return f" (did it mean {printable(near)!r}?)" if near is not None else ""


def _stem(path: str) -> str:
    """The file's own name without folder, case and suffix."""
    return _without_suffix(path.rpartition("/")[2]).casefold()


def _without_suffix(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _best_base(lines: Sequence[LabelledPath], names: _Names) -> tuple[_Base, list[str | None]]:
    """The base under which most paths are found: as they stand, unless another one finds more than twice as many."""
    plain = [names.find(line.path, line.written) for line in lines]
    best, found, matched = _Base(), plain, sum(name is not None for name in plain)
    if 2 * matched >= len(lines):
        return best, found
    for base in _bases([line.path for line in lines[:_MOST_TRIED]], names.images):
        places = [base.apply(line.path) for line in lines]
        tried = [names.find(place) if place is not None else None for place in places]
        count = sum(name is not None for name in tried)
        if count > 2 * matched and 2 * count > len(lines):
            best, found, matched = base, tried, count
    return best, found


def _bases(paths: Sequence[str], images: Sequence[str]) -> list[_Base]:
    """Bases that would bring one of the paths to one of the images, most frequent first."""
    by_name: dict[str, list[str]] = {}
    for image in images:
        by_name.setdefault(image.rpartition("/")[2].casefold(), []).append(image)
    counts: Counter[_Base] = Counter()
    for path in paths:
        for image in by_name.get(path.rpartition("/")[2].casefold(), [])[:10]:
            listed, lies = path.split("/"), image.split("/")
            same = 0
            while (
                same < min(len(listed), len(lies))
                and listed[-1 - same].casefold() == lies[-1 - same].casefold()
            ):
                same += 1
            cut, added = "/".join(listed[:-same]), "/".join(lies[:-same])
            counts[_Base(f"{cut}/" if cut else "", f"{added}/" if added else "")] += 1
    return [base for base, _ in counts.most_common(5) if base.is_assumed]
