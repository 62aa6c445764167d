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
_COMMENT = re.compile(r"(^|\s+)#.*")
_QUOTED = re.compile(r"""(["'])(\\.|(?!\1)[^\\])*\1""")


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
            that begins with the prefix and sets nothing, or a `.env` that cannot be read.
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


def _env_file(path: Path, known: Collection[str], secret: Collection[str]) -> Variables:
    text = _text_of(path)
    for number, line, way_out in _lines_that_set_nothing(text, known, secret):
        shown = f"the line of {line['name']}" if line["name"].upper() in secret else repr(line[0].strip())
        raise SettingsError(f"{path}, line {number}: {shown} sets nothing; {way_out}")
    return dotenv_values(stream=io.StringIO(text))


def _text_of(path: Path) -> str:
    """What a `.env` file holds; nothing where there is none."""
    try:
        if (path / "pyvenv.cfg").is_file():  # Some give their virtual environment this name.
            return ""
        if path.is_fifo():  # Whoever opens it may wait for ever.
            raise _unreadable(path, "it is a pipe")
        # A byte order mark, which editors of Windows write, is no part of the first name.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path.absolute()} cannot be read as UTF-8 text: {error}; save it as UTF-8"
        ) from None
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return ""
        raise _unreadable(path, "it is a folder" if path.is_dir() else error.strerror or str(error)) from None


def _unreadable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{path.absolute()} cannot be read: {why}; settings are read from a file of this name: put a text file there "
        "that this user may read, or rename what is there"
    )


def _lines_that_set_nothing(
    text: str, known: Collection[str], secret: Collection[str]
) -> Iterator[tuple[int, re.Match[str], str]]:
    """Lines that begin with the prefix and are no `NAME=value`: number, line, and the way out.

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
        if ours := _OUR_LINE.match(lines[first - 1]):
            rest = _COMMENT.sub("", ours["rest"]).strip()
            if not rest:
                continue
            name, value = ours["name"], rest.strip(" \t:=")
            sets = (
                not binding.error and binding.value is not None and not re.search("[:\"']", binding.key or "")
            )
            if sets and name.upper() not in known:
                continue  # another program's, whatever it means by its quotes
            if value and not _quotes_pair(value) and not (sets and value[0] in "\"'"):
                yield first, ours, f"write {name}=VALUE, the value in one pair of quotes or none"
            elif not sets:
                told = bool(value) and name.upper() not in secret
                way_out = f"write {name}={value}" if told else f"write {name}=VALUE, or remove the line"
                yield first, ours, way_out
        elif binding.error:
            for number in range(first + 1, last + 1):
                if ours := _OUR_LINE.match(lines[number - 1]):
                    yield number, ours, f"close the quote that is opened on line {first}"


def _quotes_pair(value: str) -> bool:
    """Whether a value is within one pair of quotes, or plain without half of a pair at its end."""
    if value[0] in "\"'":
        return _QUOTED.fullmatch(value) is not None
    return value[-1] not in "\"'" or value.count(value[-1]) % 2 == 0
