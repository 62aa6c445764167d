"""What `--fail-on` may name, and the kinds of findings behind each name."""

from __future__ import annotations

from collections.abc import Iterable

from rakuten_assets.errors import SettingsError
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
