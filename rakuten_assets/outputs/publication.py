"""Publication: a new set takes the place of the old one in one act, even if the process is killed in between.

- stage: the files that changed are linked (or copied) into `publishing/`, beside `outputs/`, and read back;
- commit: `publishing/manifest.json` is written. From here on the new set is the published one: a file that is not
  yet in `outputs/` is read from `publishing/`;
- move: each file is renamed into `outputs/`, the manifest is written there last, and `publishing/` removed.

A process that is killed before the commit leaves the old set, after it the new one; whoever publishes next finishes
its work. A file that a reader has open or mapped is never written to: its name gets another file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from upath import UPath

from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.errors import ManifestError, StoreError
from rakuten_assets.outputs.contents import SetContents, StoredFile, belong_together
from rakuten_assets.outputs.index import INDEX_COLUMNS, catalogue_digest, index_content, write_index
from rakuten_assets.outputs.manifest import Manifest, PublishedExtractor, PublishedFile
from rakuten_assets.outputs.names import INDEX_FILE, MANIFEST_FILE, files_of, make_command
from rakuten_assets.outputs.places import Places, copy_file, forget_listings, move_file
from rakuten_assets.storage import scratch_folder
from rakuten_assets.storage.files import is_local, sha256_of_file, write_bytes
from rakuten_assets.storage.reading import is_file
from rakuten_assets.units import human_bytes

PACKAGES = ("rakuten_assets", "numpy", "pandas", "pyarrow")
_SECONDS_TO_WAIT = 600.0


@dataclass(frozen=True)
class Publication:
    """What became of a set.

    Attributes:
        manifest: of the set that is now published.
        placed: names of the files that were put in place, without the manifest.
        removed: names of the files of the set before that were removed.
        changed: whether the set is another one than before. If not, no file was touched.
    """

    manifest: Manifest
    placed: tuple[str, ...]
    removed: tuple[str, ...]
    changed: bool


def publish(root: Path | UPath, contents: SetContents, now: datetime | None = None) -> Publication:
    """Publish a set in `root`, the storage.

    Files of extractors that are no longer configured stay in the set as long as they are of the same catalogue. Other
    files of the set before are removed, unless they were changed since. No file that was not published is touched,
    unless it has the name of one that is.

    Args:
        now: time of publication; default: the present.

    Raises:
        ManifestError: if the files do not belong together, naming the commands that mend it.
        StoreError: if a stored file is missing or damaged, naming it. What was published stays.
    """
    verdict = belong_together(contents)
    if not verdict.passed:
        raise ManifestError(f"nothing was published: {verdict.summary}")
    places = Places.of(root)
    with _one_at_a_time(root), scratch_folder(UPath(root)) as scratch:
        finish_interrupted(places)
        before = places.read_manifest(places.outputs, damaged_is_none=True)
        files = {**contents.files, INDEX_FILE: _index_file(contents, scratch)}
        placed, kept = _planned(places, files, before)
        entries, extra = _retained(places, contents, before)
        listed = {**{name: file.published for name, file in files.items()}, **kept, **extra}
        withdrawn = {} if before is None else _withdrawn(before, listed)
        manifest = Manifest(
            published_at=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
            release=version("rakuten_assets"),
            packages={name: version(name) for name in PACKAGES},
            catalogue=catalogue_digest(contents.index),
            rows={split: int((contents.index["split"] == split).sum()) for split in SPLITS},
            extractors=(*(one.entry for one in contents.extractors), *entries),
            files=listed,
            withdrawn=withdrawn,
        )
        if before is not None and not placed and before.set_id == manifest.set_id:
            return Publication(before, (), (), changed=False)
        _stage(places, {name: files[name] for name in placed})
        write_bytes(places.publishing / MANIFEST_FILE, manifest.to_bytes())
        removed = finish_interrupted(places)
        return Publication(manifest, placed, removed, changed=True)


def finish_interrupted(places: Places) -> tuple[str, ...]:
    """Move a committed set into `outputs/`, and remove what was staged without a commit.

    Only one process may do this at a time.

    Returns:
        Names of the files of the set before that were removed.
    """
    forget_listings(places.publishing)
    manifest = places.read_manifest(places.publishing, damaged_is_none=True)
    removed = []
    if manifest is not None:
        for name in manifest.files:
            move_file(places.publishing / name, places.outputs / name)
        for name, sha256 in manifest.withdrawn.items():
            # Gone from the set before it is removed; one that someone changed is no longer ours.
            target = places.outputs / name
            if is_file(target) and sha256_of_file(target) == sha256:
                target.unlink()
                removed.append(name)
        # It flushes the folder to the disk, and with it the names that were given before.
        write_bytes(places.outputs / MANIFEST_FILE, manifest.to_bytes())
        (places.publishing / MANIFEST_FILE).unlink()
    _clear(places.publishing)
    return tuple(removed)


def _planned(
    places: Places, files: Mapping[str, StoredFile], before: Manifest | None
) -> tuple[tuple[str, ...], dict[str, PublishedFile]]:
    """Names of the files to put in place; and of those that stay, with what they are."""
    placed, kept = [], {}
    for name, file in files.items():
        known = before.files.get(name) if before is not None else None
        wanted = file.published
        stays = known if known is not None and known.content == wanted.content else wanted
        if _is(places.outputs / name, stays):
            kept[name] = stays
        else:
            placed.append(name)
    return tuple(placed), kept


def _retained(
    places: Places, contents: SetContents, before: Manifest | None
) -> tuple[list[PublishedExtractor], dict[str, PublishedFile]]:
    """Extractors of the set before that are no longer configured and still of this catalogue, with their files."""
    if before is None or before.catalogue != catalogue_digest(contents.index):
        return [], {}
    configured = {one.name for one in contents.extractors}
    entries, files = [], {}
    for one in before.extractors:
        own = {name: before.files[name] for name in files_of(one.name)}
        if one.name in configured or not all(_is(places.outputs / name, file) for name, file in own.items()):
            continue
        entries.append(PublishedExtractor(one.name, False, one.feature_dim, one.fingerprint))
        files.update(own)
    return entries, files


def _withdrawn(before: Manifest, listed: Mapping[str, PublishedFile]) -> dict[str, str]:
    return {name: file.sha256 for name, file in before.files.items() if name not in listed}


def _index_file(contents: SetContents, scratch: Path) -> StoredFile:
    path = scratch / INDEX_FILE
    write_index(path, contents.index)
    published = PublishedFile(
        path.stat().st_size,
        sha256_of_file(path),
        index_content(contents.index),
        shape=(len(contents.index), len(INDEX_COLUMNS)),
    )
    return StoredFile(path, published)


def _stage(places: Places, files: Mapping[str, StoredFile]) -> None:
    places.publishing.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        target = places.publishing / name
        try:
            copy_file(file.path, target)
        except FileNotFoundError:
            raise StoreError(f"nothing was published: {file.path} is missing. {_again(file)}") from None
        except OSError as error:
            raise StoreError(
                f"nothing was published: {file.path} ({human_bytes(file.published.bytes)}) cannot be put into "
                f"{places.publishing}: {error}. Mend that and run again"
            ) from error
        if not _is(target, file.published):
            raise StoreError(
                f"nothing was published: {file.path} does not have the bytes that were recorded for it. {_again(file)}"
            )


def _again(file: StoredFile) -> str:
    parts = file.path.parts
    below = parts[len(parts) - parts[::-1].index("assets") : -1] if "assets" in parts else ()
    return f"Make it again: {make_command('/'.join(below))}" if below else "Make it again"


def _is(path: Path | UPath, wanted: PublishedFile) -> bool:
    """Whether a file has the size and the bytes that it must have."""
    if is_local(path) and not (path.is_file() and path.stat().st_size == wanted.bytes):
        return False
    try:  # a bucket is asked for nothing beside the bytes
        return sha256_of_file(path) == wanted.sha256
    except FileNotFoundError:
        return False


def _clear(folder: Path | UPath) -> None:
    if is_local(folder):
        if folder.is_dir():
            shutil.rmtree(folder)
    elif isinstance(folder, UPath) and folder.exists():
        folder.fs.rm(folder.path, recursive=True)


@contextmanager
def _one_at_a_time(root: Path | UPath) -> Iterator[None]:
    """Hold the storage's lock of publications; the system lets go of it when a process is killed.

    A bucket has no locks. Two publications at once could mix there: the loader would refuse the result.
    """
    if not is_local(root):
        yield
        return
    from filelock import FileLock, Timeout

    path = Path(root) / "scratch" / "publication.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=_SECONDS_TO_WAIT):
            yield
    except Timeout:
        raise StoreError(
            f"another process has been publishing into {root} for {_SECONDS_TO_WAIT / 60:.0f} minutes; wait for it, or "
            "end it, and run again"
        ) from None
