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
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

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
# A line that is meant for this project, whether it sets something or not.
_OUR_LINE = re.compile(rf"^\s*(?:export\s+)?[\"']?(?P<name>{PREFIX}\w*)[\"']?(?P<rest>.*)$", re.IGNORECASE)
_SECRET_WORD = re.compile(r"SECRET|TOKEN|KEY|PASSW|CREDENTIAL|WEBHO", re.IGNORECASE)
_COMMENT = re.compile(r"(^|\s+)#.*")


def given_variables(
    known: Sequence[str], folders: Sequence[Path], secret: Collection[str] = ()
) -> dict[str, str]:
    """Values of the known variables that are set, by name; the environment wins over `.env`.

    An empty value is none.

    Args:
        known: the settings' names, in capitals.
        folders: whose `.env` is read where there is one; an earlier folder's value wins.
        secret: known names whose value no message shows.

    Raises:
        SettingsError: for a name that is nearly a known one, a name that is given twice in one place, a line of `.env`
            that is meant to set a known one and does not (a name alone is unset), or a `.env` that cannot be read.
    """
    files = {path: _env_file(path, known, secret) for folder in folders for path in [folder / ENV_FILE]}
    strange = {
        name
        for source, variables in ((_ENVIRONMENT, os.environ), *files.items())
        for name, value in variables.items()
        if _is_strange(name, value or "", str(source), known)
    }
    if strange:
        what = "is not a setting" if len(strange) == 1 else "are not settings"
        _LOG.warning("%s %s of this project: ignored", ", ".join(sorted(strange)), what)
    found = {name: _value(name, files, name in secret) for name in known}
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


def _value(name: str, files: Mapping[Path, Variables], is_secret: bool) -> str | None:
    spellings = _spellings(name, os.environ)
    # `dagster` copies `.env` into the environment: a spelling that comes from there gives way to one that does not.
    copied = [pair for file in files.values() for pair in file.items()]
    spellings = {given: v for given, v in spellings.items() if (given, v) not in copied} or spellings
    for source, given in (
        (_ENVIRONMENT, spellings),
        *((path, _spellings(name, file)) for path, file in files.items()),
    ):
        if len(set(given.values())) > 1:
            both = " and ".join(
                f"{spelling}={'...' if is_secret else repr(value)}" for spelling, value in given.items()
            )
            raise SettingsError(f"{both} in {source} are one setting with two values; keep one of them")
        if given:
            return next(iter(given.values()))
    return None


def _spellings(name: str, variables: Variables) -> dict[str, str]:
    return {given: value for given, value in variables.items() if given.upper() == name and value}


def _env_file(path: Path, known: Sequence[str], secret: Collection[str]) -> Variables:
    text = _text_of(path)
    for number, line, way_out in _lines_that_set_nothing(text, known):
        shown = repr(line[0].strip())
        if line["name"].upper() in secret or _SECRET_WORD.search(line["name"]):
            shown, way_out = f"the line of {line['name']}", f"write {line['name']}=VALUE"
        raise SettingsError(f"{path}, line {number}: {shown} sets nothing; {way_out}")
    return dotenv_values(stream=io.StringIO(text))


def _text_of(path: Path) -> str:
    """What a `.env` file holds; nothing where there is none, or something else of that name."""
    try:
        if path.is_file():
            # A byte order mark, which editors of Windows write, is no part of the first name.
            return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.absolute()} cannot be read as UTF-8 text: {error}") from None
    # Some give their virtual environment this name.
    is_environment = any((path / part).exists() for part in ("pyvenv.cfg", "conda-meta", "bin"))
    if os.path.lexists(path) and not is_environment and not path.is_char_device():
        _LOG.warning("%s is no file: no settings are read from it", path.absolute())
    return ""


def _lines_that_set_nothing(text: str, known: Sequence[str]) -> Iterator[tuple[int, re.Match[str], str]]:
    """Lines that are meant to set a setting and are no `NAME=value`: number, line, and the way out.

    Other programs' lines are not looked into, nor are those within a quoted value that is whole. A name alone leaves
    its variable unset.
    """
    lines = text.split("\n")
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        first = binding.original.line + original[: len(original) - len(original.lstrip())].count("\n")
        last = first + original.strip().count("\n")
        if first > len(lines):
            continue  # nothing but blank lines
        if ours := _ours(lines[first - 1], known):
            rest = _COMMENT.sub("", ours["rest"]).strip()
            sets = not binding.error and binding.value is not None
            if not rest or (sets and not re.search("[:\"']", binding.key or "")):
                continue
            name, value = ours["name"], rest.strip(" \t:=")
            way_out = f"write {name}={value}" if value else f"write {name}=VALUE, or remove the line"
            if binding.error and re.search("[\"']", value):
                way_out = f"write {name}=VALUE, the value in one pair of quotes or none"
            yield first, ours, way_out
        elif binding.error:
            for number in range(first + 1, last + 1):
                if ours := _ours(lines[number - 1], known):
                    yield number, ours, f"close the quote that is opened on line {first}"


def _ours(line: str, known: Sequence[str]) -> re.Match[str] | None:
    """A line that begins with the name of a setting, or with a slip of it, or with `RAKUTEN_X:`."""
    found = _OUR_LINE.match(line)
    if found is None:
        return None
    is_meant = found["rest"].lstrip().startswith(":") or found["name"].upper() in known
    return found if is_meant or nearest(found["name"], known) else None
