from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from rakuten_assets.runtime import progress
from rakuten_assets.runtime.progress import Progress, paced, unfinished


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    yield clock


def test_short_work_is_silent_but_for_its_closing_line(clock: Clock) -> None:
    lines: list[str] = []
    with Progress("scan", 1500, log=lines.append) as bar:
        for _ in range(1500):
            bar.advance()
        clock.now += 10
        assert lines == []
    assert lines == ["scan: 1,500 of 1,500 images, 150 images/s, 10 s"]


def test_long_work_says_every_15_seconds_how_long_still(clock: Clock) -> None:
    lines: list[str] = []
    with Progress("scan", 1000, log=lines.append) as bar:
        for _ in range(50):
            clock.now += 1
            bar.advance(10)
        assert len(lines) == 3
        assert lines[0] == "scan: 150 of 1,000 images, 10 images/s, 1 min 25 s left"
    assert lines[-1] == "scan: 500 of 1,000 images, 10 images/s, 50 s left"


def test_the_unit_is_named(clock: Clock) -> None:
    lines: list[str] = []
    with Progress("hash", 3, unit="files", log=lines.append) as bar:
        clock.now += 1
        bar.advance(3)
    assert lines == ["hash: 3 of 3 files, 3 files/s, 1.0 s"]


def test_no_work_is_no_line() -> None:
    lines: list[str] = []
    with Progress("scan", 0, log=lines.append):
        pass
    assert lines == []


def test_an_instant_does_not_divide_by_zero(clock: Clock) -> None:
    lines: list[str] = []
    with Progress("scan", 2, log=lines.append) as bar:
        bar.advance()
    assert len(lines) == 1


def test_without_a_log_a_line_goes_to_standard_error(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    with Progress("scan", 2) as bar:
        clock.now += 1
        bar.advance(2)
    assert written.getvalue() == "scan: 2 of 2 images, 2 images/s, 1.0 s\n"


def test_on_a_terminal_one_line_is_redrawn(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("scan", 100) as bar:
        for _ in range(100):
            clock.now += 0.01
            bar.advance()
        redrawn = terminal.getvalue().count("\r\x1b[2K")
        assert "\n" not in terminal.getvalue()
        # Five times a second at most: 1 s of work, not 100 redraws.
        assert 3 <= redrawn <= 5
    assert terminal.getvalue().endswith("scan: 100 of 100 images, 100 images/s, 1.0 s\n")


def test_an_error_passes_through_and_the_line_still_ends(clock: Clock) -> None:
    lines: list[str] = []
    with pytest.raises(KeyError), Progress("scan", 10, log=lines.append) as bar:
        clock.now += 1
        bar.advance(4)
        raise KeyError
    assert lines == ["scan: 4 of 10 images, 4 images/s, 1.5 s left"]


def test_a_part_is_silent_but_for_how_long_still(clock: Clock) -> None:
    lines: list[str] = []
    with Progress("part", 10, log=unfinished(lines.append)) as part:
        part.advance(2)
        assert lines == []
        clock.now += 20
        part.advance(3)
        part.advance(5)
    assert len(lines) == 1
    assert lines[0].endswith(" left")


def test_the_closing_line_of_finished_work_says_what_became_of_it(clock: Clock) -> None:
    lines: list[str] = []
    for done in (10, 20):
        with Progress("features", 20, log=lines.append) as bar:
            clock.now += 2
            bar.advance(done)
            bar.outcome = "18 computed, 2 reused"
    assert lines == [
        "features: 10 of 20 images, 5 images/s, 2.0 s left",
        "features: 20 of 20 images, 10 images/s, 2.0 s; 18 computed, 2 reused",
    ]


def test_a_paced_log_passes_a_line_on_every_fifteen_seconds(clock: Clock) -> None:
    lines: list[str] = []
    log = paced(lines.append)
    for second in range(40):
        log(f"step {second}")
        clock.now += 1
    assert lines == ["step 15", "step 30"]


def test_time_that_is_left_out_calls_for_no_line(clock: Clock) -> None:
    lines: list[str] = []
    with Progress("features", 20, log=lines.append) as bar:
        clock.now += 40
        bar.leave_out(39)
        bar.advance(10)
        assert lines == []
        clock.now += 1
        bar.advance(10)
    assert lines == ["features: 20 of 20 images, 10 images/s, 2.0 s"]
