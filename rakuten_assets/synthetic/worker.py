"""A worker process: reads chunks of tasks, a line of JSON each, and answers each with what it wrote.

Run as `python -m rakuten_assets.synthetic.worker FOLDER`. An answer is a line too: `[images, bytes]`, or
what went wrong: a sentence, or of an error of the operating system `{"errno", "reason", "file"}`, so that whoever
asked can tell a full disk from a picture that cannot be drawn.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import IO

from rakuten_assets.errors import CatalogError
from rakuten_assets.synthetic.encoding import ImageTask, write_chunk


def serve(folder: Path, tasks: IO[str], answers: IO[str]) -> None:
    """Work off chunks until there are no more, or until nobody listens any longer."""
    for line in tasks:
        try:
            answer: object = write_chunk([ImageTask(*task) for task in json.loads(line)], folder)
        except (CatalogError, OSError) as error:
            answer = _described(error)
        try:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        except BrokenPipeError:
            return


def _described(error: CatalogError | OSError) -> object:
    if isinstance(error, OSError) and error.errno is not None:
        file = None if error.filename is None else str(error.filename)
        return {"errno": error.errno, "reason": error.strerror, "file": file}
    return str(error)


if __name__ == "__main__":
    # Ctrl-C reaches the whole process group: the parent decides, and closing the pipe is how it says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever prints by accident must not end up among the answers.
    channel, sys.stdout = sys.stdout, sys.stderr
    serve(Path(sys.argv[1]), sys.stdin, channel)
