"""Which variables are settings of this project: those of the environment, and those of `.env` files.

The prefix is not this project's alone: orchestrators set names that begin with a service's name, and other programs
have keys of their own. A name that is nearly a setting's is refused, for a setting that is silently ignored is worse
than none; what a container platform sets by itself is passed over; any other is named in one line and left alone. The
case of the letters never counts.
"""

from __future__ import annotations

import difflib
import io
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dotenv import dotenv_values

from rakuten_assets.errors import SettingsError

PREFIX = "RAKUTEN_"
ENV_FILE = ".env"

Variables = Mapping[str, str | None]

_LOG = logging.getLogger(__name__)
_ENVIRONMENT = "the environment"
# What Kubernetes and Docker set for a service `rakuten-...` beside a container.
_SERVICE_NAME = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?$|_ENV_\w+$"
)
_SERVICE_ADDRESS = re.compile(r"^(tcp|udp|sctp)://", re.IGNORECASE)
# One wrong letter of six gives 0.83; RAKUTEN_APPLICATION_ID and its like stay below 0.7.
_NEAR, _NEAR_WHATEVER_THE_LENGTH = 0.8, 0.9
_COLON_LINE = re.compile(rf"^\s*(?:export\s+)?({PREFIX}\w+)\s*:", re.IGNORECASE)


def given_variables(known: Sequence[str], folders: Sequence[Path]) -> dict[str, str]:
    """Values of the known variables that are set, by name; the environment wins over `.env`.

    An empty value is none.

    Args:
        known: the settings' names, in capitals.
        folders: whose `.env` is read where there is one; an earlier folder's value wins.

    Raises:
        SettingsError: for a name that is nearly a known one, a name that is given twice in one place, or a `.env` file
            that cannot be read.
    """
    files = {path: _env_file(path) for folder in folders for path in [folder / ENV_FILE]}
    strange = {
        name
        for source, variables in ((_ENVIRONMENT, os.environ), *files.items())
        for name, value in variables.items()
        if _is_strange(name, value or "", str(source), known)
    }
    if strange:
        what = "is not a setting" if len(strange) == 1 else "are not settings"
        _LOG.warning("%s %s of this project: ignored", ", ".join(sorted(strange)), what)
    found = {name: _value(name, files) for name in known}
    return {name: value for name, value in found.items() if value}


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that this one is a slip of, if there is one.

    >>> nearest("rakuten_shard", ["RAKUTEN_SHARDS", "RAKUTEN_DUPLICATE_WARN"])
    'RAKUTEN_SHARDS'
    >>> nearest("RAKUTEN_APPLICATION_ID", ["RAKUTEN_SHARDS", "RAKUTEN_DUPLICATE_WARN"])
    """
    given = _words(name)
    best, closeness = None, 0.0
    for candidate in known:
        wanted = _words(candidate)
        one, other = "".join(given), "".join(wanted)
        ratio = difflib.SequenceMatcher(None, one, other).ratio() if sorted(given) != sorted(wanted) else 1.0
        limit = _NEAR if abs(len(one) - len(other)) <= 1 else _NEAR_WHATEVER_THE_LENGTH
        if ratio >= limit and ratio > closeness:
            best, closeness = candidate, ratio
    return best


def _is_strange(name: str, value: str, source: str, known: Sequence[str]) -> bool:
    """Whether a name has the prefix and is nobody's that we know.

    Raises:
        SettingsError: if it is nearly a known name.
    """
    shouted = name.upper()
    if not shouted.startswith(PREFIX) or shouted in known:
        return False
    if _SERVICE_NAME.search(shouted) or _SERVICE_ADDRESS.match(value):
        return False
    if meant := nearest(name, known):
        raise SettingsError(f"{name} in {source} is not a setting of this project; did you mean {meant}?")
    return True


def _words(name: str) -> list[str]:
    return name.upper().removeprefix(PREFIX).split("_")


def _value(name: str, files: Mapping[Path, Variables]) -> str | None:
    spellings = _spellings(name, os.environ)
    # `dagster` copies `.env` into the environment: a spelling that comes from there gives way to one that does not.
    copied = [pair for file in files.values() for pair in file.items()]
    spellings = {given: v for given, v in spellings.items() if (given, v) not in copied} or spellings
    for source, given in (
        (_ENVIRONMENT, spellings),
        *((path, _spellings(name, file)) for path, file in files.items()),
    ):
        if len(set(given.values())) > 1:
            both = " and ".join(f"{spelling}={value!r}" for spelling, value in given.items())
            raise SettingsError(f"{both} in {source} are one setting with two values; keep one of them")
        if given:
            return next(iter(given.values()))
    return None


def _spellings(name: str, variables: Variables) -> dict[str, str]:
    return {given: value for given, value in variables.items() if given.upper() == name and value}


def _env_file(path: Path) -> Variables:
    try:
        # A byte order mark, which editors of Windows write, is no part of the first name.
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.absolute()} cannot be read as UTF-8 text: {error}") from None
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        if colon := _COLON_LINE.match(line):
            value = line[colon.end() :].strip()
            raise SettingsError(
                f"{path}, line {number}: {line.strip()!r} sets nothing; write {colon[1]}={value}"
            )
        lines.append(line)
    return dotenv_values(stream=io.StringIO("\n".join(lines) + "\n"))
