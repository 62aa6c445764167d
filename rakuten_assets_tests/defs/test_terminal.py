"""What a terminal shows of a run's records, and of errors that end a command."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from rakuten_assets.defs import terminal
from rakuten_assets.defs.shards import ShardPartitions, UnknownShardError
from rakuten_assets.defs.terminal import RunLogger, is_dagsters_command, refusal_of
from rakuten_assets.errors import StoreError, WeightsError


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def terminal_of_a_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[RunLogger, list[str]]]:
    monkeypatch.setattr(RunLogger, "refusals", [])
    monkeypatch.setattr(RunLogger, "defects", [])
    logger, handler = RunLogger("dagster", logging.DEBUG), Lines()
    logger.addHandler(handler)
    yield logger, handler.lines


def _error(cls_name: str, message: str, cause: Any = None) -> SimpleNamespace:
    return SimpleNamespace(cls_name=cls_name, message=message, cause=cause, context=None)


REFUSAL = _error(
    "DagsterExecutionStepExecutionError",
    "dagster.X: Error occurred while executing op",
    _error("WeightsError", "rakuten_assets.errors.WeightsError: weights of x: not on this machine\n"),
)
DEFECT = _error("DagsterExecutionStepExecutionError", "dagster.X: Error", _error("KeyError", "KeyError: 'a'"))


def _event(kind: str, error: Any = None, step: str = "train_features") -> SimpleNamespace:
    failure = SimpleNamespace(user_failure_data=None, error=error)
    return SimpleNamespace(
        is_step_failure=kind == "STEP_FAILURE",
        is_run_failure=kind == "RUN_FAILURE",
        step_key=step,
        message=f"{kind} of {step}",
        step_failure_data=failure,
        job_failure_data=SimpleNamespace(error=error, first_step_failure_event=None),
    )


def _log(logger: RunLogger, level: int, text: str, step: str | None = None, event: Any = None) -> None:
    meta = {"orig_message": text, "step_key": step, "dagster_event": event}
    logger.log(level, f"__ASSET_JOB - 71968ad3 - {step} - {text}", extra={"dagster_meta": meta})


def test_a_line_is_the_time_and_what_there_is_to_say(terminal_of_a_run: tuple[RunLogger, list[str]]) -> None:
    logger, lines = terminal_of_a_run
    _log(logger, logging.INFO, "scan: 3 of 3 images", "image_scan")
    _log(logger, logging.INFO, "train features: 3 of 3 images", "train_features")
    _log(logger, logging.WARNING, "odd", "image_scan")
    assert [line[8:] for line in lines] == [
        " image_scan: scan: 3 of 3 images",
        " train features: 3 of 3 images",
        " warning: image_scan: odd",
    ]
    assert all(line[2] == line[5] == ":" for line in lines)


def test_dagsters_own_events_are_not_shown(terminal_of_a_run: tuple[RunLogger, list[str]]) -> None:
    logger, lines = terminal_of_a_run
    _log(logger, logging.DEBUG, "Started execution of step", "x_train", _event("STEP_START"))
    _log(logger, logging.INFO, "Materialized value x_train.", "x_train", _event("ASSET_MATERIALIZATION"))
    _log(logger, logging.DEBUG, "a detail", "x_train")
    _log(logger, logging.ERROR, "Dependencies for step metadata failed: ['x']. Not executing.", "metadata")
    assert lines == []


def test_a_refusal_is_kept_for_the_end_and_said_once(
    terminal_of_a_run: tuple[RunLogger, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, lines = terminal_of_a_run
    for step in ("train_features", "test_features"):
        _log(logger, logging.ERROR, "failed\n\nStack Trace: ...", step, _event("STEP_FAILURE", REFUSAL, step))
    _log(
        logger, logging.ERROR, "Execution of run failed\n\nStack Trace", None, _event("RUN_FAILURE", REFUSAL)
    )
    assert [line[9:] for line in lines] == [
        "error: train_features failed; the reason stands at the end",
        "error: test_features failed; the reason stands at the end",
    ]
    terminal._Ending().tell_refusals()
    assert capsys.readouterr().err == "\nweights of x: not on this machine\n"


def test_a_run_that_fails_before_its_first_step_says_why(
    terminal_of_a_run: tuple[RunLogger, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, lines = terminal_of_a_run
    _log(logger, logging.ERROR, "failed\n\nStack Trace: ...", None, _event("RUN_FAILURE", REFUSAL))
    assert len(lines) == 1 and "Stack" not in lines[0]
    terminal._Ending().tell_refusals()
    assert capsys.readouterr().err == "\nweights of x: not on this machine\n"


def test_a_defect_keeps_its_trace_once(
    terminal_of_a_run: tuple[RunLogger, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, lines = terminal_of_a_run
    _log(logger, logging.ERROR, "failed\n\nStack Trace: here", "x", _event("STEP_FAILURE", DEFECT, "x"))
    _log(logger, logging.ERROR, "run failed\n\nStack Trace: here", None, _event("RUN_FAILURE", DEFECT))
    assert "\n".join(lines).count("Stack Trace: here") == 1
    terminal._Ending().tell_refusals()
    assert capsys.readouterr().err == ""


def test_other_loggers_records_pass() -> None:
    logger, handler = RunLogger("somebody"), Lines()
    logger.addHandler(handler)
    logger.warning("as always: %d", 3)
    assert handler.lines == ["as always: 3"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (_error("StoreError", "rakuten_assets.errors.StoreError: a: b is missing\n"), "a: b is missing"),
        (_error("Failure", "dagster._core.definitions.events.Failure: x failed: 3\n"), "x failed: 3"),
        (_error("KeyError", "KeyError: 'a'\n"), None),
        (_error("FileNotFoundError", "FileNotFoundError: [Errno 2] No such file: 'x'\n"), None),
        (None, None),
    ],
)
def test_the_sentence_of_an_error(error: Any, sentence: str | None) -> None:
    assert refusal_of(error) == sentence


@pytest.mark.parametrize("kind", ["DagsterExecutionInterruptedError", "KeyboardInterrupt"])
def test_an_interrupted_run_says_how_to_go_on_instead_of_a_trace(
    terminal_of_a_run: tuple[RunLogger, list[str]], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    logger, lines = terminal_of_a_run
    stopped = _error(kind, f"dagster._core.errors.{kind}\n")
    _log(logger, logging.ERROR, "Stack Trace: here", "x", _event("STEP_FAILURE", stopped, "x"))
    _log(logger, logging.ERROR, "Stack Trace: here", None, _event("RUN_FAILURE", stopped))
    assert "Stack Trace" not in "\n".join(lines)
    terminal._Ending().tell_refusals()
    assert capsys.readouterr().err.strip().endswith("are kept: the same command goes on from there")


@pytest.mark.parametrize(
    ("kind", "number", "text"),
    [("OSError", 28, "No space left on device"), ("PermissionError", 13, "denied")],
)
def test_a_full_or_closed_disk_is_a_sentence_with_a_way_out(kind: str, number: int, text: str) -> None:
    inner = _error(kind, f"{kind}: [Errno {number}] {text}: '/data/x'\n")
    sentence = refusal_of(_error("DagsterExecutionStepExecutionError", "x: y", inner))
    assert sentence is not None
    assert sentence.startswith(f"[Errno {number}] {text}: '/data/x': ")
    assert "RAKUTEN_STORAGE" in sentence
    assert "\n" not in sentence


def _told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> str:
    ending = terminal._Ending()
    ending._previous = lambda kind, error, trace: print("with its trace")  # type: ignore[assignment]
    ending.tell(type(error), error, None)
    said = capsys.readouterr()
    return said.err + said.out


def test_a_command_that_is_refused_ends_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _told(WeightsError("no weights"), capsys) == "Error: no weights\n"
    assert _told(KeyError("a"), capsys) == "with its trace\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Failure condition: Asset has partitions, but no '--partition' option was provided",
            "none is named",
        ),
        ("Failure condition: Invalid partition range format. Expected <start>...<end>.", "three dots"),
        (
            "Failure condition: Cannot specify both --partition and --partition-range options.",
            "exclude each other",
        ),
        (
            "Failure condition: Provided '--partition' option, but none of the assets are partitioned",
            "leave --part",
        ),
    ],
)
def test_dagsters_words_on_partitions_are_put_plainly(
    text: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAKUTEN_SHARDS", "4")
    sentence = _told(RuntimeError(text), capsys)
    assert sentence.count("\n") == 1
    assert said in sentence
    if "leave" not in said:
        assert "--partition-range 00...03" in sentence


def test_an_unknown_shard_is_told_though_dagster_wraps_it(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        try:
            ShardPartitions(4).validate_partition_key("3", None)
        except dg.DagsterUnknownPartitionError:
            raise RuntimeError("All selected assets must have a PartitionsDefinition containing `3`")  # noqa: B904 - as Dagster does
    except RuntimeError as error:
        assert _told(error, capsys) == "Error: '3' is not one of the 4 shards, 00 to 03: write 03\n"


@pytest.mark.parametrize(
    ("key", "spelling"),
    [
        ("3", "write 03"),
        (" 3", "write 03"),
        ("003", "write 03"),
        ("31", "all of them are --partition-range 00...15, one is --partition 00"),
        ("all", "all of them are --partition-range 00...15"),
        ("0...15", "a range is written --partition-range FIRST...LAST"),
        ("00..15", "a range is written --partition-range FIRST...LAST"),
        ("00,01", "a range is written --partition-range FIRST...LAST"),
        ("", "one is --partition 00"),
    ],
)
def test_an_unknown_shard_is_told_with_the_right_spelling(key: str, spelling: str) -> None:
    with pytest.raises(UnknownShardError) as caught:
        ShardPartitions(16).validate_partition_key(key, None)
    assert spelling in str(caught.value)
    assert isinstance(caught.value, StoreError | dg.DagsterUnknownPartitionError)
    ShardPartitions(16).validate_partition_key("15", None)


@pytest.mark.parametrize(
    ("arguments", "modules", "is_one"),
    [
        (["/venv/bin/dagster", "asset"], [], True),
        (["dg", "launch"], [], True),
        (["C:\\venv\\Scripts\\dagster.exe"], [], False),
        (["/venv/lib/python3.11/site-packages/dagster/__main__.py", "dev"], [], True),
        (["/my/__main__.py"], [], False),
        (["/usr/bin/pytest"], [], False),
        (["-c"], ["os"], False),
        (["-c"], ["multiprocessing.forkserver"], True),
        ([], [], False),
    ],
)
def test_only_dagsters_commands_speak_plainly(arguments: list[str], modules: list[str], is_one: bool) -> None:
    assert is_dagsters_command(arguments, modules) == is_one


def test_nothing_is_changed_in_other_programs() -> None:
    import sys

    before = (logging.getLoggerClass(), sys.excepthook)
    terminal.speak_plainly()
    assert (logging.getLoggerClass(), sys.excepthook) == before
