"""One line of progress on the terminal: how many, how fast, how long still."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rakuten_assets.units import human_count, human_duration

_SECONDS_BETWEEN_LINES_IN_A_LOG = 15.0
_SECONDS_BETWEEN_REDRAWS = 0.2


def unfinished(log: Callable[[str], None]) -> Callable[[str], None]:
    """A log for the parts of something whose own progress counts finished parts: of a part's lines, it passes on
    those that say how long still, so that a part that is done soon says nothing."""

    def passed_on(line: str) -> None:
        if line.endswith(" left"):
            log(line)

    return passed_on


def paced(log: Callable[[str], None]) -> Callable[[str], None]:
    """A log for work in steps of unequal length: it passes a line on every 15 seconds, so that short work is silent."""
    last = time.monotonic()

    def passed_on(line: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES_IN_A_LOG:
            last = now
            log(line)

    return passed_on


class Progress:
    """Counts finished items and says how it goes; safe to call from one thread at a time.

    On a terminal one line is redrawn; in a log (a Dagster run, CI) a line is printed every 15 seconds, so
    that work shorter than that stays silent but for its closing line.

    Args:
        label: what is being done ("scan", "train features").
        total: how many items there are.
        unit: what an item is, in the plural.
        log: where a line goes; default: standard error. Dagster passes `context.log.info`.

    Attributes:
        outcome: what the closing line ends in ("18 computed, 2 reused"); set it before the end.
    """

    def __init__(
        self, label: str, total: int, unit: str = "images", log: Callable[[str], None] | None = None
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        self.outcome = ""
        self._log = log
        self._terminal = log is None and sys.stderr is not None and sys.stderr.isatty()
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal:
            sys.stderr.write(f"\r\x1b[2K{self._line()}\n")
            sys.stderr.flush()
        elif self.total:
            self._say(self._line())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def leave_out(self, seconds: float) -> None:
        """Take time that went into something else, as the conversion of a model, out of the rate, and of the
        time since the last line."""
        self._started += seconds
        self._last_line += seconds

    def advance(self, count: int = 1) -> None:
        """Count `count` more items as finished."""
        self.done += count
        now = time.monotonic()
        since = now - self._last_line
        if self._terminal and since >= _SECONDS_BETWEEN_REDRAWS:
            self._last_line = now
            sys.stderr.write(f"\r\x1b[2K{self._line()}")
            sys.stderr.flush()
        elif not self._terminal and since >= _SECONDS_BETWEEN_LINES_IN_A_LOG:
            self._last_line = now
            self._say(self._line())

    def _line(self) -> str:
        seconds = max(self.seconds, 1e-9)
        rate = self.done / seconds
        line = f"{self.label}: {human_count(self.done)} of {human_count(self.total)} {self.unit}"
        line += f", {rate:,.0f} {self.unit}/s"
        if 0 < self.done < self.total:
            return f"{line}, {human_duration((self.total - self.done) / rate)} left"
        ending = f"; {self.outcome}" if self.outcome and self.done == self.total else ""
        return f"{line}, {human_duration(seconds)}{ending}"

    def _say(self, line: str) -> None:
        if self._log is None:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        else:
            self._log(line)
