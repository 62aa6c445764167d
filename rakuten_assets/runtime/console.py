"""How this project's commands end: whatever becomes of the terminal, the exit status says what the command found.

A letter that the terminal cannot show is written as an escape. A reader that went away (`| head`) is no error. A full
or closed output loses lines, never the status. What nobody expected is not mistaken for a finding.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO, cast

from rakuten_assets.errors import RakutenAssetsError

UNEXPECTED = 70
"""Exit status of a defect (EX_SOFTWARE of sysexits.h): none of the commands' own."""

REFUSED, INTERRUPTED = 2, 130
"""Exit statuses of a command that did not do what it was asked to."""


def to_standard_error(message: str) -> None:
    """Where a library's messages go that nobody else takes."""
    sys.stderr.write(message + "\n")


def refusals_told(run: Callable[[], int], place: object, undone: str) -> int:
    """The exit status of `run`; where it is refused or interrupted, that status, and a sentence on standard error.

    Args:
        place: what an error of the operating system is about that names no file.
        undone: what an interrupt left undone.
    """
    try:
        return run()
    except RakutenAssetsError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(f"error: {error.filename or place}: {error.strerror or error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"interrupted; {undone}", file=sys.stderr)
        return INTERRUPTED


def run_command(main: Callable[[], int]) -> int:
    """Run a command's `main` and return its exit status, with standard output and error made safe to write to."""
    _fill_closed_descriptors()
    outputs = []
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:  # closed by whoever started this program
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until the end
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        outputs.append(_Output(stream))
        setattr(sys, name, cast(TextIO, outputs[-1]))
    try:
        return main()
    except MemoryError:
        print("error: there is not enough memory; give it more, or fewer threads", file=sys.stderr)
        return UNEXPECTED
    except Exception:
        traceback.print_exc()
        print("error: that is a defect of this program, not of your data", file=sys.stderr)
        return UNEXPECTED
    finally:
        for output in outputs:
            output.flush()
        for output in outputs:
            if (lost := output.lost) is not None and not isinstance(lost, BrokenPipeError):
                print(
                    f"error: {output.name} cannot be written: {lost.strerror}; lines of it are lost, the exit status "
                    "is right. Make room, or send it elsewhere",
                    file=sys.stderr,
                )
        sys.stderr.flush()


class _Output:
    """A text stream whose writes never raise; the first error is kept in `lost`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def name(self) -> str:
        return {"<stdout>": "standard output", "<stderr>": "standard error"}.get(self._stream.name, "output")

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
            if "\n" in text:  # An error now is told now; at the interpreter's end it would change the status.
                self._stream.flush()
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.lost = self.lost or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self._stream.flush()  # what was left in the buffer


def _fill_closed_descriptors() -> None:
    """Open nothing in the place of closed standard streams: the next file would get their number, and their output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
