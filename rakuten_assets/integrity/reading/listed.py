"""Which images of a bucket need not be read again: those whose listing says what it said at their last reading.

- a listing tells each object's ETag, size and time for one request in a thousand objects. Whoever writes an object
  changes one of them; what the ETag is a digest of does not matter here
- it is taken before the images are read, and again afterwards if there is something new to record: what was replaced,
  or put back, in between is of no known version and read the next time
- records are written when all is stored. A shard's that is missing or damaged: all its images are read

Files of a folder are read each time: their times can be set by anybody, and reading them costs no requests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pandas as pd
from upath import UPath

from rakuten_assets.dataset.layout import IMAGE_FOLDERS, SPLITS, CatalogFolder
from rakuten_assets.errors import StoreError, UnreachableError, WriteError
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import listed_files
from rakuten_assets.storage.tables import read_table, write_table
from rakuten_assets.storage.tree import object_version

_COLUMNS = ["file", "version", "sha256"]
Seen = dict[tuple[str, str], str]
"""sha256 by file and version."""
SHARE_WORTH_A_LISTING = 0.05
"""Of a catalogue's images. A listing is one request after the other, images are read many at a time: few are read
sooner."""


class ListedImages:
    """What a bucket's listing says of its images now, beside what it said when they were last scanned.

    Args:
        folder: the records', one a shard.
        look: lists them: the version of each, by its `file` in the manifest.
        log: told of damaged records.
    """

    def __init__(
        self, folder: Path | UPath, look: Callable[[], dict[str, str]], log: Callable[[str], None]
    ) -> None:
        self._folder, self._look, self._log = folder, look, log
        self._versions = look()
        self._recorded: dict[str, Seen] = {}
        self._found: dict[str, Seen] = {}

    def unchanged(self, shard: str, files: Sequence[str]) -> list[str]:
        """For each file the sha256 of its content, "" where it has to be read."""
        path = self._path(shard)
        seen: Seen = {}
        try:
            record = read_table(path)
            for file, version, sha256 in record[_COLUMNS].itertuples(index=False):
                seen[str(file), str(version)] = str(sha256)
        except UnreachableError:  # That says nothing of the record.
            raise
        except FileNotFoundError:
            pass
        except (StoreError, KeyError, OSError) as error:
            self._log(f"{path} cannot be used ({error}): the images of shard {shard} are read again")
        self._recorded[shard] = seen
        return [seen.get((file, self._versions.get(file, "")), "") for file in files]

    def found(self, shard: str, files: Sequence[str], sha256: Sequence[str]) -> None:
        """Take note of what the scan of a shard's files has found."""
        found = {
            (file, version): digest
            for file, digest in zip(files, sha256, strict=True)
            if digest and (version := self._versions.get(file, ""))
        }
        if found != self._recorded.get(shard):
            self._found[shard] = found

    def keep(self) -> None:
        """Record what was found, once it is stored; only of images that are still what was listed."""
        if not self._found:
            return
        now = self._look()
        for shard, found in self._found.items():
            rows = [(*seen, sha256) for seen, sha256 in found.items() if now.get(seen[0]) == seen[1]]
            try:
                write_table(self._path(shard), pd.DataFrame(rows, columns=_COLUMNS, dtype="str"))
            except WriteError as error:
                self._log(f"{error}; the next scan of shard {shard} reads its images again")
        self._found.clear()

    def _path(self, shard: str) -> Path | UPath:
        return self._folder / f"{shard}.parquet"


def listed_images(
    records: Path | UPath,
    folder: CatalogFolder,
    wanted: Collection[str],
    share: float,
    log: Callable[[str], None],
) -> ListedImages | None:
    """List a catalogue's images; None where they lie in folders, or are so few that reading them is quicker.

    Args:
        records: folder of the records.
        wanted: `file` of the images that are to be scanned: of the others nothing is kept.
        share: of the catalogue's images, those.

    Raises:
        UnreachableError: if the bucket does not answer.
    """
    if is_local(folder.root) or share < SHARE_WORTH_A_LISTING:
        return None
    return ListedImages(records, partial(_versions, folder, wanted), log)


def _versions(folder: CatalogFolder, wanted: Collection[str]) -> dict[str, str]:
    versions = {}
    for split in SPLITS:
        parent, place = IMAGE_FOLDERS[split], folder.images[split]
        with suppress(FileNotFoundError, NotADirectoryError):
            for name, entry in listed_files(place):
                if (file := f"{parent}/{name}") in wanted and (version := object_version(entry)):
                    versions[file] = f"{place} {version}"  # Of another bucket's image it says nothing.
    return versions
