"""Whether a place can be written, asked before the work whose result goes there."""

from __future__ import annotations

import os
from pathlib import Path

from rakuten_assets.errors import WriteError
from rakuten_assets.storage.files import way_out
from rakuten_assets.storage.leftovers import hold, temporary_name

_BYTES_TRIED = 4096  # On a full disk an empty file can often still be made.


def refuse_unwritable(place: Path, otherwise: str, *, is_folder: bool = False) -> None:
    """Refuse a local place that cannot be written, by writing a small file where the first new entry would be made.

    That is in the nearest folder that exists, and the file is removed again: nothing is made and nothing is left.
    Permissions alone do not say it: not those of a full disk, a read-only mount, or /proc.

    Args:
        place: what is going to be written, as the user named it.
        otherwise: the user's other way out, which ends the sentence: "choose another --out".
        is_folder: whether `place` is a folder that files will be written into.

    Raises:
        WriteError: in one sentence: the place, the reason, the way out.
    """
    nearest, name = Path(place).absolute(), "result"
    if not is_folder:
        nearest, name = nearest.parent, nearest.name
    while not os.path.lexists(nearest):
        # A folder is made under its own name, which need not leave room for a temporary file's ending.
        nearest, name = nearest.parent, "result"
    if os.path.isfile(nearest):  # noqa: PTH113 - the other one raises where this user may not look
        raise WriteError(
            f"{place} cannot be written: {nearest} is a file, not a folder; move it away, or {otherwise}"
        )
    # The name that a real write would take, so that its length counts.
    tried = nearest / temporary_name(name)
    try:
        _try(tried)
    except OSError as error:
        ways_out = ", or ".join(filter(None, (way_out(tried, error), otherwise)))
        raise WriteError(
            f"{place} cannot be written: nothing can be written in {nearest}: {error.strerror or error}; {ways_out}",
            error.errno,
        ) from error


def _try(file: Path) -> None:
    try:
        with file.open("xb") as opened:
            hold(opened.fileno())
            opened.write(bytes(_BYTES_TRIED))
    finally:
        file.unlink(missing_ok=True)
