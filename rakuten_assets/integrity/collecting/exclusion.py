"""What the user leaves out: patterns of names and paths, and which of them were of any effect."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from pathlib import Path

EXCLUDED = "excluded by --exclude"


class Exclusion:
    """Patterns as a shell has them (`*`, `?`, `[abc]`); remembers which have matched.

    Args:
        patterns: of a file's or folder's name, or of its path within the folder.
        root: the folder that absolute patterns lie in.
    """

    def __init__(self, patterns: Sequence[str] = (), root: Path = Path()) -> None:
        self._forms = {pattern: _forms(pattern, root) for pattern in patterns}
        self._matched: set[str] = set()

    def matches(self, path: str) -> bool:
        """Whether a pattern matches the last name of `path`, or all of it."""
        own = path.rpartition("/")[2]
        found = [
            pattern
            for pattern, forms in self._forms.items()
            if any(fnmatch.fnmatchcase(own, form) or fnmatch.fnmatchcase(path, form) for form in forms)
        ]
        self._matched.update(found)
        return bool(found)

    def covers(self, path: str) -> bool:
        """Whether `path`, or a folder on the way to it, matches."""
        if not self._forms:
            return False
        parts = path.split("/")
        # All of them are asked, for each pattern that matches counts as one of effect.
        found = [self.matches("/".join(parts[:count])) for count in range(1, len(parts) + 1)]
        return any(found)

    def enter(self, folder: str) -> None:
        """From here on paths are within `folder`; patterns of paths that begin with it go on to match."""
        for pattern, forms in self._forms.items():
            self._forms[pattern] = [*forms, *(form.removeprefix(f"{folder}/") for form in forms)]

    def without_effect(self) -> list[str]:
        """The patterns that have matched nothing."""
        return [pattern for pattern in self._forms if pattern not in self._matched]


def _forms(pattern: str, root: Path) -> list[str]:
    """A pattern in the ways in which it may be meant: `./a/`, `**/a`, or absolute, as a shell completes it."""
    form = pattern.rstrip("/")
    if os.path.isabs(form):  # noqa: PTH117 - a pattern, not a path
        absolute = str(root.absolute())
        form = form.removeprefix(absolute + "/")
    while form.startswith("./"):
        form = form[2:]
    return [form, form.removeprefix("**/")] if form else []
