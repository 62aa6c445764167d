"""What a person at a terminal sees of a run that one of Dagster's commands executes.

Dagster puts a hundred characters of prefix before each line, and prints an error of ours up to four times, between
stack traces. Here a line is the time and the message. A refusal (an error of `rakuten_assets.errors`, a failed check)
is one sentence, once, at the end. A defect keeps its stack trace. What Dagster records for its interface stays.

Dagster makes its terminal logger with the class that `logging.setLoggerClass` sets. That, `sys.excepthook` and `atexit`
are all that this module uses, and only in processes that are Dagster's commands.
"""

import atexit
import logging
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import dagster as dg

from rakuten_assets import errors
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import is_local

_COMMANDS = ("dagster", "dg", "dagster-daemon", "dagster-webserver")
_UNKNOWN_ASSETS = re.compile(r"AssetKey\(s\) (\[.*?\]) were selected, but no AssetsDefinition")
_OR = " or "
_META = "dagster_meta"  # what Dagster puts on each record of a run
_REFUSALS = tuple(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, RakutenAssetsError)
)
_NO_SPACE_OR_NO_RIGHT = re.compile(r"\[Errno (?:1|13|24|28|30|122)\] ")
_INTERRUPTED = (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)
_GOES_ON = "interrupted; finished shards and rows are kept: the same command goes on from there"
# One line a step that could not start because another failed.
_CONSEQUENCE = re.compile(r"^Dependencies for step ")


def speak_plainly() -> None:
    """Show runs, and refusals, as described above, if this process is one of Dagster's commands."""
    if not is_dagsters_command(sys.argv, sys.modules) or issubclass(logging.getLoggerClass(), RunLogger):
        return
    logging.setLoggerClass(RunLogger)
    ending = _Ending()
    sys.excepthook = ending.tell
    atexit.register(ending.tell_refusals)


def is_dagsters_command(arguments: Sequence[str], modules: Iterable[str]) -> bool:
    """Whether a program was started as `dagster`, `dg`, `python -m dagster`, or to execute one step for them.

    >>> is_dagsters_command(["/usr/bin/dagster", "dev"], [])
    True
    >>> is_dagsters_command(["notebook.py"], [])
    False
    """
    program = Path(arguments[0] if arguments else "")
    if program.name == "-c":  # a process that the multiprocess executor forks steps from
        return "multiprocessing.forkserver" in modules
    return program.stem in _COMMANDS or (program.name == "__main__.py" and program.parent.name in _COMMANDS)


class RunLogger(logging.Logger):
    """A logger that shows a run's records plainly, and any other record as always."""

    refusals: list[str] = []  # noqa: RUF012 - of this process, in the order of their coming
    defects: list[str] = []  # noqa: RUF012 - steps that failed with something else

    def handle(self, record: logging.LogRecord) -> None:
        meta = getattr(record, _META, None)
        if meta is None:
            super().handle(record)
            return
        text = _said(record, meta)
        if text is None:
            return
        plain = logging.makeLogRecord({**vars(record), "msg": text, "args": (), "exc_info": None})
        for handler in self.handlers:
            handler.setFormatter(_PLAIN)
            if plain.levelno >= handler.level:
                handler.handle(plain)


def refusal_of(error: Any) -> str | None:
    """The sentence that was written for a person, from an error or its causes; None if there is none.

    Args:
        error: an error as Dagster stores it: `cls_name`, `message`, `cause`, `context`.
    """
    while error is not None:
        if error.cls_name in _REFUSALS or error.cls_name == dg.Failure.__name__:
            return _without_class(error.message)
        if error.cls_name in ("OSError", "PermissionError") and _NO_SPACE_OR_NO_RIGHT.search(error.message):
            return _no_room(_without_class(error.message))
        if error.cls_name in _INTERRUPTED:
            return _GOES_ON
        error = error.cause or error.context
    return None


class _Ending:
    """What is printed last."""

    def __init__(self) -> None:
        self._previous = sys.excepthook

    def tell(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Print a refusal as its sentence, anything else as before."""
        cause: BaseException | None = error
        while cause is not None:
            if sentence := self._sentence(cause):
                print(f"Error: {sentence}", file=sys.stderr)
                return
            cause = cause.__cause__ or cause.__context__
        self._previous(kind, error, trace)

    def tell_refusals(self) -> None:
        """Print the refusals of the run's steps, each once."""
        for sentence in dict.fromkeys(RunLogger.refusals):
            print(f"\n{sentence}", file=sys.stderr)

    def _sentence(self, error: BaseException) -> str | None:
        if isinstance(error, RakutenAssetsError):
            return str(error)
        if isinstance(error, OSError) and _NO_SPACE_OR_NO_RIGHT.search(str(error)):
            return _no_room(str(error))
        # What Dagster's command says of its options, in `dagster._cli.asset`.
        text = str(error)
        if sentence := _wrong_selection(text):
            return sentence
        keys = shard_keys(Settings.load().shards)
        spelling = f"--partition-range {keys[0]}...{keys[-1]} (all shards) or --partition {keys[0]} (one)"
        if "no '--partition' option was provided" in text:
            return f"the selected assets are split into shards, and none is named: add {spelling}"
        if "Invalid partition range format" in text:
            return f"a range of shards is written with three dots: {spelling}"
        if "Cannot specify both --partition and --partition-range" in text:
            return f"--partition and --partition-range exclude each other: write {spelling}"
        if "none of the assets are partitioned" in text:
            return "the selected assets are not split into shards: leave --partition out"
        return None


def _wrong_selection(text: str) -> str | None:
    """What is wrong with `--select`, from Dagster's own words; None if they are about something else.

    >>> print(_wrong_selection("AssetKey(s) ['nothing'] were selected, but no AssetsDefinition supplies them"))
    there is no asset nothing; `dagster asset list -m rakuten_assets.definitions` lists them
    """
    listing = "`dagster asset list -m rakuten_assets.definitions` lists them"
    if unknown := _UNKNOWN_ASSETS.match(text):
        names = ", ".join(re.findall(r"'([^']*)'", unknown[1]))
        _, _, similar = text.partition("did you mean one of the following?")
        meant = ["/".join(re.findall(r'"([^"]*)"', key)) for key in re.findall(r"\[([^\]]*)\]", similar)]
        return f"there is no asset {names}; {f'did you mean {_OR.join(meant)}? ' if meant else ''}{listing}"
    if text.startswith("Invalid selection string: "):
        return f"--select {text.partition(': ')[2]!r} selects no assets (names, `*`, `group:features`); {listing}"
    return None


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {level}{record.getMessage()}"


_PLAIN = _Plain()


def _said(record: logging.LogRecord, meta: Any) -> str | None:
    """What the terminal shows of a record of a run; None: nothing."""
    event, step = meta.get("dagster_event"), meta.get("step_key")
    text = str(meta.get("orig_message", record.getMessage()))
    if event is None:
        if record.levelno < logging.INFO or _CONSEQUENCE.match(text):
            return None
        return text if step is None or step.replace("_", " ") in text else f"{step}: {text}"
    if event.is_step_failure:
        return _step_failure(event, record)
    if event.is_run_failure:
        return _run_failure(event, record)
    if record.levelno < logging.WARNING or _CONSEQUENCE.match(text):
        return None  # Dagster's own events, a dozen a step: its interface shows them.
    return text


def _step_failure(event: Any, record: logging.LogRecord) -> str:
    failure = event.step_failure_data
    told = failure.user_failure_data.description if failure.user_failure_data is not None else None
    sentence = told or refusal_of(failure.error)
    if sentence is None:
        RunLogger.defects.append(event.step_key)
        return record.getMessage()
    RunLogger.refusals.append(sentence)
    return f"{event.step_key} failed; the reason stands at the end"


def _run_failure(event: Any, record: logging.LogRecord) -> str | None:
    if RunLogger.defects:  # whose traces are printed
        return str(event.message)
    if RunLogger.refusals:
        return None
    data = event.job_failure_data
    first = data.first_step_failure_event
    error = first.step_failure_data.error if first is not None else data.error
    sentence = refusal_of(error)
    if sentence is None:
        return record.getMessage()
    RunLogger.refusals.append(sentence)
    return "the run failed; the reason stands at the end"


def _without_class(message: str) -> str:
    """
    >>> _without_class("rakuten_assets.errors.StoreError: a: is missing\\n")
    'a: is missing'
    """
    return message.partition(": ")[2].strip()


def _no_room(message: str) -> str:
    storage = Settings.load().storage
    place = Path(storage).absolute() if is_local(storage) else storage
    return (
        f"{message}: this user cannot write there, or the disk is full. Free space, correct the permissions, or set "
        f"RAKUTEN_STORAGE (now {place}) to another folder; what was stored before is intact"
    )
