"""What the last run of everything was made of and what it left: whether another one would find anything to do.

The record `cache/whole_run.json` of a storage names settings, code, extractors, the catalogue's files and the files
that the run left in `assets/` and `outputs/`, each with its version. While all of that is as it was, the same run would
make the same again. As `make` does, this goes by names, sizes and times (on a bucket by what a listing says of each
object): whoever fears that a file was changed behind them runs everything, which compares contents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from pydantic import TypeAdapter, ValidationError
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_json
from rakuten_assets.storage.records import read_record, write_record
from rakuten_assets.storage.tree import versions_below

REFRESH = "python -m rakuten_assets.refresh"
"""The command that looks at the record."""

_MOST_NAMED = 3


@dataclass(frozen=True)
class WholeRun:
    """A run of everything that ended well.

    Attributes:
        run: its id in Dagster's records.
        ended: when, as people read it.
        code: identity of the code that it ran.
        settings: name of each variable -> its value as text; without those that belong to a machine.
        extractors: backbone -> digest of its extractor's fingerprint.
        files: name of each of the catalogue's files or folders -> the version that the run read.
        assets: those that it made.
        left: path below the storage -> version of each file of `assets/` and `outputs/`, after the run.
        told: lines of its summary.
    """

    run: str
    ended: str
    code: str
    settings: Mapping[str, str]
    extractors: Mapping[str, str]
    files: Mapping[str, str]
    assets: Sequence[str]
    left: Mapping[str, str]
    told: Sequence[str]


def whole_run_file(storage: Storage) -> UPath:
    """Path of the record."""
    return storage.cache / "whole_run.json"


def keep_whole_run(storage: Storage, run: WholeRun) -> None:
    """Record a run.

    Raises:
        WriteError: if it cannot be written.
    """
    write_record(whole_run_file(storage), asdict(run))


def last_whole_run(storage: Storage) -> WholeRun | None:
    """The run on record; None if there is none, or its record is damaged or another release's."""
    try:
        content = read_record(whole_run_file(storage))
        if content.keys() != {field.name for field in fields(WholeRun)}:
            return None
        return TypeAdapter(WholeRun).validate_python(content)
    except (FileNotFoundError, StoreError, ValidationError):
        return None


def extractors_now(settings: Settings) -> dict[str, str]:
    """Backbone -> digest of the fingerprint of its extractor; "" where this storage has not seen that.

    Raises:
        WeightsError: the weights are missing or not what they should be.
    """
    from rakuten_assets.extraction.preparation import known_fingerprint

    known = {name: known_fingerprint(settings, name) for name in settings.backbones}
    return {name: sha256_of_json(one.as_dict()) if one is not None else "" for name, one in known.items()}


def files_left(storage: Storage) -> dict[str, str]:
    """Path below the storage -> version of each file in `assets/` and `outputs/`."""
    return {
        f"{folder.name}/{name}": version
        for folder in (storage.assets, storage.outputs)
        for name, version in versions_below(folder).items()
    }


def changes_since(last: WholeRun, now: WholeRun) -> list[str]:
    """What is no longer what it was, a sentence's part each; [] if a run would make the same again.

    Files that were added beside those of the run are none of its business.
    """
    reasons = [
        f"{name} was {last.settings.get(name) or 'unset'} and is {now.settings.get(name) or 'unset'}"
        for name in sorted(last.settings.keys() | now.settings.keys())
        if last.settings.get(name) != now.settings.get(name)
    ]
    if last.code != now.code or not now.code:
        reasons.append("the code, a package that it needs or the kind of processor is another one")
    reasons += [
        f"the extractor of {name} is another one (weights, engine or kernels)"
        for name in sorted(now.extractors)
        if not now.extractors[name] or last.extractors.get(name) != now.extractors[name]
    ]
    reasons += [
        f"{name} changed"
        for name in sorted(last.files.keys() | now.files.keys())
        if last.files.get(name) != now.files.get(name)
    ]
    missing = [name for name in last.left if name not in now.left]
    other = [name for name in last.left if name in now.left and last.left[name] != now.left[name]]
    # Where a store says too little of an object's version, nothing is known of it.
    unknown = [name for name in last.left if not last.left[name] and name not in missing]
    return [
        *reasons,
        *_named(missing, "missing"),
        *_named(other, "not what the run left"),
        *_named(unknown, "of a store that tells no versions"),
    ]


def _named(names: Sequence[str], what: str) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        yield f"{', '.join(names[:_MOST_NAMED])}{more} in the storage: {what}"
