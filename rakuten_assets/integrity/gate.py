"""What `--fail-on` may name, and the kinds of findings behind each name."""

from __future__ import annotations

from collections.abc import Iterable

from rakuten_assets.errors import RakutenAssetsError, SettingsError
from rakuten_assets.integrity.reporting.findings import KINDS, UNREADABLE_KINDS, Severity

GATES: dict[str, tuple[str, ...]] = {
    "unreadable": UNREADABLE_KINDS,
    "missing": ("missing",),
    "blank": ("blank", "near_blank"),
    "duplicates": ("exact_duplicate", "pixel_duplicate"),
    "near-duplicates": ("near_duplicate",),
    "label-conflicts": ("label_conflict",),
    "twins": ("train_test_twin",),
    "errors": tuple(name for name, kind in KINDS.items() if kind.severity is Severity.ERROR),
    "warnings": tuple(name for name, kind in KINDS.items() if kind.severity is not Severity.INFO),
}
"""Name -> kinds of findings. A kind of its own is a name too."""


_NEEDS_LABELS = frozenset({"label_conflict", "near_label_conflict"})
_NEEDS_SPLITS = frozenset({"train_test_twin"})
_NEEDS_TABLE = frozenset({"unlisted_file"})


class GateInputError(RakutenAssetsError):
    """A gate asks for what cannot be found for want of its input: it would pass whatever the images are."""


def check_inputs(names: Iterable[str], has_labels: bool, has_splits: bool, has_table: bool) -> None:
    """Refuse gates that could never find anything.

    Args:
        names: as for `gate_kinds`.
        has_labels: whether any image has a class.
        has_splits: whether there are images of train and of test.
        has_table: whether there is a catalogue's table of images.

    Raises:
        GateInputError: saying what is absent and how to give it.
    """
    for name in names:
        kinds = gate_kinds([name])
        for needing, there, what in (
            (_NEEDS_LABELS, has_labels, "labels: give --labels, or the folder of a catalogue with its three tables"),
            (_NEEDS_SPLITS, has_splits, "images of both train and test: give --labels with a column `split`, or the "
             "folder of a catalogue with its three tables"),
            (_NEEDS_TABLE, has_table, "a table of images: give the folder of a catalogue with its three tables"),
        ):  # fmt: skip
            if kinds <= needing and not there:
                raise GateInputError(f"--fail-on {name} cannot be decided without {what}")


def gate_names(given: Iterable[str]) -> list[str]:
    """Single names out of texts that hold one or several, with commas between.

    Raises:
        SettingsError: for a text that holds none, as of an unset variable of a shell: that gate would let all pass.
    """
    names: list[str] = []
    for text in given:
        found = [name.strip() for name in text.split(",") if name.strip()]
        if not found:
            raise SettingsError(f"--fail-on {text!r} names nothing to look for; leave it out, or name it")
        names += found
    return names


def gate_kinds(names: Iterable[str]) -> set[str]:
    """All kinds behind some names; `_` may be written for `-`.

    Raises:
        SettingsError: for a name that is none, saying which there are.
    """
    kinds: set[str] = set()
    for name in names:
        gate = GATES.get(name.replace("_", "-")) or ((name,) if name in KINDS else None)
        if gate is None:
            raise SettingsError(
                f"--fail-on {name!r} is not known; allowed are {', '.join(GATES)}, and the kinds {', '.join(KINDS)}"
            )
        kinds.update(gate)
    return kinds
