"""A part of the metrics: read when somebody asks and what is known has grown old, by one thread at a time.

Whoever asks waits a little and then takes what is known: a slow bucket costs a scrape nothing but freshness.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets.metrics.names import Part, Values

_LONGEST_REASON = 400


@dataclass(frozen=True)
class Shown:
    """What is known of a part.

    Attributes:
        values: None: it could not be read, or was not yet.
        error: why not, in a sentence; "" where it could, or nobody tried.
        age: seconds since the last reading ended; since the start, where none did.
        seconds: what the last reading took; None before the first.
    """

    values: Values | None
    error: str
    age: float
    seconds: float | None


class CachedPart:
    """Reads a part, and keeps what it read. Thread-safe.

    Args:
        name: the part's.
        read: gives its values. Whatever it raises is the part's error.
        seconds: for how long what was read is shown without reading again.
        say: told of an error once, until another one or none takes its place.
        clock: seconds of a steady clock.
    """

    def __init__(
        self,
        name: Part,
        read: Callable[[], Values],
        seconds: float,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._read, self._seconds, self._say, self._clock = read, seconds, say, clock
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self._values: Values | None = None
        self._error = ""
        self._ended = clock()
        self._took: float | None = None

    def begin(self) -> None:
        """Begin to read, unless what is known is young enough, or somebody reads already."""
        with self._lock:
            known = self._took is not None and self._clock() - self._ended < self._seconds
            if known or self._reading is not None:
                return
            # A daemon: a bucket that does not answer does not keep the program from ending.
            self._reading = threading.Thread(target=self._look, name=f"metrics-{self.name}", daemon=True)
            self._reading.start()

    def wait(self, seconds: float) -> None:
        """Wait until the reading that is under way has ended, if there is one, or until the time is over."""
        with self._lock:
            reading = self._reading
        if reading is not None:
            reading.join(max(0.0, seconds))

    def shown(self) -> Shown:
        """What is known now."""
        with self._lock:
            return Shown(self._values, self._error, max(0.0, self._clock() - self._ended), self._took)

    def _look(self) -> None:
        began, values, error = self._clock(), None, ""
        try:
            values = self._read()
        except Exception as found:  # whatever it is, the other parts are shown, and this one says so
            error = _sentence(found)
        with self._lock:
            before, self._error, self._values = self._error, error, values
            self._ended = self._clock()
            self._took = self._ended - began
        try:
            # While the reading still counts as under way: whoever waits for it has been told, too.
            if error != before:
                self._say(f"{self.name}: {error}" if error else f"{self.name}: can be read again")
        finally:
            with self._lock:
                self._reading = None


def _sentence(error: Exception) -> str:
    text = str(error) if isinstance(error, RakutenAssetsError) else f"{type(error).__name__}: {error}"
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."
