"""Text for a terminal, a pipe or a log: escaped to what it can show, and no error where nobody reads it.

What a command found must not depend on whether its words could be printed: a closed pipe (`| head`), a full disk
behind standard output or an encoding without a letter change no exit status.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


def prepare() -> None:
    """Escape what standard output and standard error cannot encode; where one is closed, it leads nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a stand-in may lack it
        if reconfigure is not None:
            with contextlib.suppress(OSError, ValueError):
                reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print a line on standard output; where that fails, it and all further ones are lost in silence."""
    _write(sys.stdout, line)


def warn(line: str) -> None:
    """Print a line on standard error; where that fails, it and all further ones are lost in silence."""
    _write(sys.stderr, line)


def finish() -> None:
    """Write out what is buffered, so that nothing is left to fail when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                _discard(stream)


def _write(stream: TextIO | None, line: str) -> None:
    if stream is None:
        return
    try:
        stream.write(f"{line}\n")
        stream.flush()
    except UnicodeEncodeError:
        encoding = getattr(stream, "encoding", None) or "ascii"
        _write(stream, line.encode(encoding, "backslashreplace").decode(encoding))
    except (OSError, ValueError) as error:  # ValueError: it has been closed
        _discard(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            warn(f"standard output cannot be written ({error}): what follows is not shown")


def _discard(stream: TextIO) -> None:
    """Let everything that is still to be written to a stream go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
